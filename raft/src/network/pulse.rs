//! Heartbeats to one peer, all on one stream: to open a stream for each costs more than the heartbeat.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Response, Status, Streaming};

use crate::proto;
use crate::proto::raft_client::RaftClient;

/// A stream on which every request but the last has been answered. One that was not waited for ends it.
pub(super) struct Pulse {
    requests: mpsc::Sender<proto::AppendRequest>,
    answers: Streaming<proto::AppendReply>,
}

impl Pulse {
    pub(super) async fn open(mut client: RaftClient<Channel>) -> Result<Response<Self>, Status> {
        let (requests, outgoing) = mpsc::channel(1);
        let answers = client.append(ReceiverStream::new(outgoing)).await?;
        Ok(answers.map(|answers| Self { requests, answers }))
    }

    /// Sends one and waits for its answer.
    pub(super) async fn beat(&mut self, request: proto::AppendRequest) -> Result<Response<proto::AppendReply>, Status> {
        let ended = || Status::unavailable("the stream of heartbeats has ended");
        // If it cannot be sent, the other end says why.
        let _ = self.requests.send(request).await;
        self.answers.message().await?.map(Response::new).ok_or_else(ended)
    }
}
