//! How each node is, asked of the node itself: also where no leader could tell.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::future::join_all;
use model::NodeId;

use crate::cluster::Core;
use crate::proto;
use crate::proto::cluster_client::ClusterClient;
use crate::rotation::Certification;
use crate::transport::{self, Purpose};

/// How long a node may take to answer.
const LIMIT: Duration = Duration::from_secs(1);

/// How a node is, as it says itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The newest term that it knows of.
    pub term: u64,
    /// Who leads, as far as it knows.
    pub leader: Option<NodeId>,
    /// The last entry in its log.
    pub last_log_index: Option<u64>,
    /// The last entry that it has applied.
    pub applied_index: Option<u64>,
    /// Bytes free on the disk of its data folder.
    pub disk_free: u64,
    /// Bytes of that disk; zero if neither can be had.
    pub disk_total: u64,
    /// What runs there.
    pub version: String,
    /// If it leads: how long ago it heard of whom.
    pub heard: BTreeMap<NodeId, Duration>,
    /// What it proves with who it is, and whom it believes. `None` if it runs a version that does not say.
    pub certification: Option<Certification>,
}

impl Core {
    /// How this node is.
    pub(crate) fn look(&self) -> Look {
        let metrics = self.metrics();
        let (disk_free, disk_total) = self.room.space().unwrap_or_default();
        let leases = self.leases.read().map(|it| it.by_node).unwrap_or_default();
        let now = Instant::now();
        Look {
            term: metrics.current_term,
            leader: metrics.current_leader.map(NodeId),
            last_log_index: metrics.last_log_index,
            applied_index: metrics.last_applied.map(|it| it.index),
            disk_free,
            disk_total,
            version: self.draft.version.clone(),
            certification: self.certification(),
            heard: leases
                .into_iter()
                .map(|(node, it)| (node, now.saturating_duration_since(it.renewed)))
                .collect(),
        }
    }

    /// How all nodes are, each asked at once. The text says why one did not answer.
    pub(crate) async fn look_around(&self) -> BTreeMap<NodeId, Result<Look, String>> {
        let state = self.published.state();
        let mut all: BTreeSet<NodeId> = state.nodes().map(|it| it.id).collect();
        all.extend(self.metrics().membership_config.nodes().map(|(id, _)| NodeId(*id)));
        let asked = all.into_iter().map(async |node| {
            let seen = if node == self.node {
                Ok(self.look())
            } else {
                self.look_at(node).await
            };
            (node, seen)
        });
        join_all(asked).await.into_iter().collect()
    }

    async fn look_at(&self, node: NodeId) -> Result<Look, String> {
        let address = self.links.address_of(node.0).ok_or("its address is not known")?;
        let link = self.links.to(node.0, &address, Purpose::Service);
        let mut client = ClusterClient::new(link.channel().map_err(|it| transport::describe(&it))?);
        let route = Some(self.links.route(node.0));
        match tokio::time::timeout(LIMIT, client.look(proto::LookRequest { route })).await {
            Ok(Ok(reply)) => Ok(reply.into_inner().into()),
            Ok(Err(status)) if status.code() == tonic::Code::Unimplemented => {
                Err("it runs an older version that cannot be asked".to_owned())
            }
            Ok(Err(status)) => Err(transport::describe(&status)),
            Err(_) => {
                link.reset();
                Err(format!("no answer from {address} within {LIMIT:?}"))
            }
        }
    }
}

impl From<Look> for proto::LookReply {
    fn from(it: Look) -> Self {
        let digest = |it: &[u8; 32]| bytes::Bytes::copy_from_slice(it);
        let heard = it.heard.into_iter().map(|(node, age)| proto::Heard {
            node: node.0,
            millis: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
        });
        Self {
            term: it.term,
            leader: it.leader.map(|it| it.0),
            last_log_index: it.last_log_index,
            applied_index: it.applied_index,
            disk_free: it.disk_free,
            disk_total: it.disk_total,
            version: it.version,
            heard: heard.collect(),
            certified_by: it
                .certification
                .as_ref()
                .map(|it| digest(&it.signer))
                .unwrap_or_default(),
            certified_until: it.certification.as_ref().map_or(0, |it| it.until),
            trusted: it.certification.iter().flat_map(|it| &it.trusted).map(digest).collect(),
        }
    }
}

impl From<proto::LookReply> for Look {
    fn from(it: proto::LookReply) -> Self {
        let heard = it.heard.into_iter();
        let digest = |it: &bytes::Bytes| <[u8; 32]>::try_from(&it[..]).ok();
        let certification = digest(&it.certified_by).map(|signer| Certification {
            signer,
            until: it.certified_until,
            trusted: it.trusted.iter().filter_map(digest).collect(),
        });
        Self {
            term: it.term,
            leader: it.leader.map(NodeId),
            last_log_index: it.last_log_index,
            applied_index: it.applied_index,
            disk_free: it.disk_free,
            disk_total: it.disk_total,
            version: it.version,
            certification,
            heard: heard
                .map(|it| (NodeId(it.node), Duration::from_millis(it.millis)))
                .collect(),
        }
    }
}
