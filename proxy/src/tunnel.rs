//! Connections that have changed their protocol, such as WebSockets: bytes both ways until one side ends.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use crate::flight::Flight;

/// Joins both sides. The request is in flight for as long as they talk.
pub(crate) async fn join(client: OnUpgrade, replica: OnUpgrade, flight: Flight) {
    let flight = flight.into_tunnel();
    let (client, replica) = match tokio::try_join!(client, replica) {
        Ok(both) => both,
        Err(error) => {
            tracing::debug!(%error, "a connection was to change its protocol and did not");
            return;
        }
    };
    // How they part is their business.
    let _ = copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(replica)).await;
    drop(flight);
}
