//! The API's way to the cluster's certificate authority.

use std::time::Duration;

use api::{AuthorityHeld, AuthorityNode, AuthorityView, KeyringFault};
use async_trait::async_trait;
use model::{AccountId, Timestamp};
use raft::{AuthorityFault, Certification};

use crate::adapters::{Control, submit_error};

#[async_trait]
impl api::Authorities for Control {
    async fn show(&self) -> Result<AuthorityView, api::Unavailable> {
        let seen = self.0.authorities().await.map_err(|it| api::Unavailable(it.0))?;
        let waits = |node| {
            let waiting = seen.waits_for.iter().find(|it| it.node == node);
            waiting.map(|it| it.why.clone())
        };
        let nodes = seen.nodes.iter().map(|(node, said)| AuthorityNode {
            node: *node,
            said: said.as_ref().map(held).map_err(Clone::clone),
            waits: waits(*node),
        });
        Ok(AuthorityView {
            signer: seen.signer,
            next: seen.next,
            before: seen.before,
            began_at: seen.began_at,
            nodes: nodes.collect(),
        })
    }

    async fn rotate(&self, by: AccountId) -> Result<(), KeyringFault> {
        self.0.rotate_authority(by).await.map_err(|fault| match fault {
            AuthorityFault::UnderWay(why) => KeyringFault::UnderWay(why),
            AuthorityFault::Locked => KeyringFault::Locked,
            AuthorityFault::Unavailable(why) => KeyringFault::Submit(api::SubmitError::Unavailable(why.0)),
            AuthorityFault::Submit(error) => KeyringFault::Submit(submit_error(error)),
            AuthorityFault::Failed(why) => KeyringFault::Failed(why),
        })
    }
}

fn held(it: &Certification) -> AuthorityHeld {
    let until = Duration::from_secs(u64::try_from(it.until).unwrap_or(0));
    AuthorityHeld {
        signer: it.signer,
        until: Timestamp(u64::try_from(until.as_micros()).unwrap_or(u64::MAX)),
        trusted: it.trusted.clone(),
    }
}
