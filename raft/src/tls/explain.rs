//! What to tell of a handshake that failed: who is to do what.

use std::io;

use rustls::{AlertDescription, CertificateError};

/// Why a handshake failed, in words for whoever runs the cluster.
pub(crate) fn explain(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|it| it.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(error)) => certificate(error),
        Some(rustls::Error::AlertReceived(alert)) => refused(*alert),
        Some(rustls::Error::NoCertificatesPresented) => "it shows no certificate".to_owned(),
        Some(other) => format!("no encrypted connection can be agreed on: {other}"),
        None => error.to_string(),
    }
}

/// A point in time as people write it.
pub(crate) fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| format!("second {seconds}"), |it| it.to_string())
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::ExpiredContext { time: now, not_after } => format!(
            "its certificate ended at {}, and this node's clock says {}: set the clock that is wrong, or restart the \
             other node if it was cut off for so long",
            at(not_after.as_secs()),
            at(now.as_secs())
        ),
        CertificateError::NotValidYetContext { time: now, not_before } => format!(
            "its certificate begins at {}, and this node's clock says {}: set the clock that is wrong",
            at(not_before.as_secs()),
            at(now.as_secs())
        ),
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate is not from this cluster's authority: it belongs to another cluster, is not a node, or was \
             removed before the authority was rotated and has to join anew with an empty data folder"
                .to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => format!(
            "{} was called, but {} has answered: an address has moved to another node",
            expected.to_str(),
            presented.join(", ")
        ),
        CertificateError::Other(reason) => reason.to_string(),
        other => format!("its certificate is not accepted: {other:?}"),
    }
}

fn refused(alert: AlertDescription) -> String {
    let why = match alert {
        AlertDescription::CertificateExpired => {
            "by its clock this node's certificate has ended or not begun: compare both clocks"
        }
        AlertDescription::UnknownCA | AlertDescription::DecryptError => {
            "it belongs to another cluster, or this node was removed from this one before its certificate authority was \
             rotated: then empty its data folder and join anew"
        }
        AlertDescription::InternalError => "it has no certificate of its own yet",
        _ => "its log says why",
    };
    format!("it refuses this node's certificate ({alert:?}): {why}")
}

fn at(seconds: u64) -> String {
    time(i64::try_from(seconds).unwrap_or(i64::MAX))
}
