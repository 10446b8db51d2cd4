//! Answers other nodes. Who calls is a member of this cluster: the peer port lets nobody else through.

use std::pin::Pin;

use agent::{Exec, LogQuery};
use futures::{Stream, StreamExt as _};
use raft::Caller;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::proto::host_server::{Host, HostServer};
use super::proto::{ExecInput, ExecOutput, LogBatch, ReadLogsRequest};
use super::{Local, Parts};

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The service, for the peer port, before the host is ready.
#[derive(Clone, Default)]
pub(crate) struct HostSlot(Local);

impl HostSlot {
    /// What is to be filled once the host is ready.
    pub(crate) fn local(&self) -> Local {
        self.0.clone()
    }

    /// The service itself.
    pub(crate) fn server(&self) -> HostServer<Service> {
        HostServer::new(Service(self.0.clone()))
    }
}

/// See the module.
pub(crate) struct Service(Local);

impl Service {
    /// Refuses whoever is no node, and waits for nothing: a node that starts is asked again.
    fn parts<T>(&self, request: &Request<T>) -> Result<&Parts, Status> {
        if request.extensions().get::<Caller>().is_none() {
            return Err(Status::unauthenticated("only nodes of this cluster may call this"));
        }
        let starting = || Status::unavailable("this node is starting, or runs no containers");
        self.0.get().ok_or_else(starting)
    }
}

#[tonic::async_trait]
impl Host for Service {
    type ExecStream = Answers<ExecOutput>;
    type ReadLogsStream = Answers<LogBatch>;

    async fn exec(&self, request: Request<Streaming<ExecInput>>) -> Result<Response<Self::ExecStream>, Status> {
        let runtime = self.parts(&request)?.runtime.clone();
        let mut messages = request.into_inner();
        let first = messages.message().await?.and_then(ExecInput::request);
        let asked = first.ok_or_else(|| Status::invalid_argument("the first message has to say what to run"))?;
        let Exec { input, output } = match runtime.exec(asked).await {
            Ok(exec) => exec,
            Err(error) => {
                let only = futures::stream::iter([Ok(ExecOutput::refused(&error))]);
                return Ok(Response::new(only.boxed()));
            }
        };
        // When the caller has gone, the messages end, and with this task the process.
        tokio::spawn(async move {
            while let Ok(Some(message)) = messages.message().await {
                if let Some(it) = message.read()
                    && input.send(it).await.is_err()
                {
                    return;
                }
            }
        });
        let output = ReceiverStream::new(output).map(ExecOutput::from);
        let answers = futures::stream::iter([ExecOutput::started()]).chain(output);
        Ok(Response::new(answers.map(Ok).boxed()))
    }

    async fn read_logs(&self, request: Request<ReadLogsRequest>) -> Result<Response<Self::ReadLogsStream>, Status> {
        let logs = self.parts(&request)?.logs.clone();
        let query = LogQuery::from(request.into_inner());
        let pieces = logs
            .read(query)
            .map_err(|error| Status::unavailable(error.to_string()))?;
        let batches = ReceiverStream::new(pieces).map(|pieces| Ok(LogBatch::from(pieces)));
        Ok(Response::new(batches.boxed()))
    }
}
