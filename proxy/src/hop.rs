//! Requests that one proxy hands over to another: named by replica, and proven to come from a node of the cluster.

use http::{HeaderMap, HeaderName, HeaderValue};
use model::ReplicaId;
use ring::hmac;
use uuid::Uuid;

/// Which replica the request is for.
pub(crate) const REPLICA: HeaderName = HeaderName::from_static("goblins-replica");
/// HMAC-SHA256 of the replica's id under the key that the cluster's proxies share, in hexadecimal.
pub(crate) const PROOF: HeaderName = HeaderName::from_static("goblins-hop");
/// On an answer: this proxy did not pass the request on, another replica may be tried.
pub(crate) const REFUSED: HeaderName = HeaderName::from_static("goblins-refused");

/// The key that the cluster's proxies share.
pub(crate) struct Hop(hmac::Key);

/// The headers claim a hop that no node of this cluster has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forged;

impl Hop {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// Marks a request as handed over.
    pub(crate) fn mark(&self, headers: &mut HeaderMap, replica: ReplicaId) {
        let tag = hmac::sign(&self.0, replica.0.as_bytes());
        let text = |it: String| HeaderValue::from_str(&it).ok();
        if let (Some(id), Some(proof)) = (text(replica.to_string()), text(hex::encode(tag))) {
            headers.insert(REPLICA, id);
            headers.insert(PROOF, proof);
        }
    }

    /// The replica of a request that was handed over, and takes the marks off. `None` if it comes from a client.
    pub(crate) fn take(&self, headers: &mut HeaderMap) -> Result<Option<ReplicaId>, Forged> {
        let (replica, proof) = (headers.remove(REPLICA), headers.remove(PROOF));
        let (Some(replica), Some(proof)) = (&replica, &proof) else {
            // Half a mark is no hop of ours.
            return if replica.is_none() && proof.is_none() {
                Ok(None)
            } else {
                Err(Forged)
            };
        };
        let replica = replica
            .to_str()
            .ok()
            .and_then(|it| Uuid::try_parse(it).ok())
            .ok_or(Forged)?;
        let proof = hex::decode(proof.as_bytes()).map_err(|_| Forged)?;
        hmac::verify(&self.0, replica.as_bytes(), &proof).map_err(|_| Forged)?;
        Ok(Some(ReplicaId(replica)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_the_key_makes_a_hop() {
        let ours = Hop::new(&[1; 32]);
        let replica = ReplicaId(Uuid::from_u128(5));
        let mut headers = HeaderMap::new();
        ours.mark(&mut headers, replica);
        assert_eq!(Hop::new(&[2; 32]).take(&mut headers.clone()), Err(Forged));
        let mut moved = headers.clone();
        moved.insert(
            REPLICA,
            HeaderValue::from_static("00000000-0000-0000-0000-000000000006"),
        );
        assert_eq!(ours.take(&mut moved), Err(Forged));
        assert_eq!(ours.take(&mut headers), Ok(Some(replica)));
        assert_eq!(ours.take(&mut headers), Ok(None), "the marks are gone");
    }
}
