//! What a follower asks its leader for its readers.

use std::sync::{Mutex, PoisonError};

use tonic::{Code, Status};

use super::Round;
use crate::cluster::Core;
use crate::exchange::Exchange;
use crate::proto::cluster_client::ClusterClient;
use crate::proto::read_index_reply::Result as Wire;
use crate::transport::{self, Purpose};
use crate::{Unavailable, proto};

type Questions = Exchange<proto::ReadIndexRequest, proto::ReadIndexReply>;

/// Who leads, and where.
type Leader = (u64, String);

/// The open stream of questions, and to whom.
#[derive(Default)]
pub(crate) struct ToLeader(Mutex<Option<(Leader, Questions)>>);

impl ToLeader {
    /// Taken out of here, until it comes back with an answer.
    fn take(&self, leader: &Leader) -> Option<Questions> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        open.filter(|(to, _)| to == leader).map(|(_, questions)| questions)
    }

    fn keep(&self, leader: Leader, questions: Questions) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((leader, questions));
    }
}

impl Core {
    /// Up to which entry this node must have applied the log, as the leader says.
    pub(super) async fn ask_leader(&self, leader: u64) -> Round {
        let Some(address) = self.links.address_of(leader) else {
            return Err(Unavailable(format!(
                "the address of the leader, node {leader}, is not known"
            )));
        };
        let reply = self.question((leader, address)).await.map_err(|status| {
            Unavailable(format!(
                "the leader, node {leader}, does not answer: {}",
                transport::describe(&status)
            ))
        })?;
        match reply.result {
            Some(Wire::Index(proto::Matched { id })) => Ok(id.map_or(0, |it| it.index)),
            Some(Wire::NotLeader(_)) => Err(Unavailable(format!("node {leader} no longer leads"))),
            None => Err(Unavailable(proto::Malformed("result").to_string())),
        }
    }

    async fn question(&self, leader: Leader) -> Result<proto::ReadIndexReply, Status> {
        let request = proto::ReadIndexRequest {
            route: Some(self.links.route(leader.0)),
        };
        // A stream that has broken since the last question must not cost this one.
        let kept = match self.to_leader.take(&leader) {
            Some(questions) => questions.ask(request.clone()).await.ok(),
            None => None,
        };
        let (questions, reply) = match kept {
            Some(answered) => answered.into_inner(),
            None => {
                let link = self.links.to(leader.0, &leader.1, Purpose::Service);
                let mut client = ClusterClient::new(link.channel()?);
                match Exchange::open(|questions| client.read_indexes(questions)).await {
                    Ok(opened) => opened.into_inner().ask(request).await?.into_inner(),
                    // A leader of an older version knows no such stream.
                    Err(status) if status.code() == Code::Unimplemented => {
                        return client.read_index(request).await.map(tonic::Response::into_inner);
                    }
                    Err(status) => return Err(status),
                }
            }
        };
        self.to_leader.keep(leader, questions);
        Ok(reply)
    }
}
