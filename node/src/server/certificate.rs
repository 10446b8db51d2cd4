//! The certificate that HTTPS is served with until domains have their own.

use std::sync::Arc;

use anyhow::{Context, Result};
use proxy::Https;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use crate::settings::Settings;

/// Self-signed and made anew at each start: clients have to be told to accept it. Its key is in this process only.
pub(super) fn https(settings: &Settings) -> Result<Option<Https>> {
    let Some(addr) = settings.https_addr else {
        return Ok(None);
    };
    let names = vec![settings.node_name.clone(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).context("cannot make a certificate for --https-addr")?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let mut tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .context("cannot use the certificate made for --https-addr")?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(Https {
        addr,
        tls: Arc::new(tls),
    }))
}
