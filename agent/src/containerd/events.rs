//! What containerd tells of its own accord.

use std::time::Duration;

use containerd_client::events::TaskExit;
use containerd_client::services::v1::{PublishRequest, SubscribeRequest};
use containerd_client::types::Envelope;
use model::ReplicaId;
use prost::Message;
use prost_types::Any;
use tokio::sync::mpsc;
use tonic::Streaming;

use super::api::{Api, ApiError, SHORT, within};
use crate::runtime::RuntimeEvent;

const EXIT: &str = "/tasks/exit";
const HELLO: &str = "/goblins/hello";
const HELLO_AGAIN: Duration = Duration::from_millis(500);
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const BACKLOG: usize = 1024;
const NOT_HAD: &str =
    "containerd's events are not to be had, so that ends of containers are noticed late; trying again";

/// Everything that happens from now on, through any number of containerd's restarts. Ends when the receiver is dropped.
pub(super) fn subscribe(api: Api) -> mpsc::Receiver<RuntimeEvent> {
    let (send, receive) = mpsc::channel(BACKLOG);
    tokio::spawn(async move {
        let (mut pause, mut told) = (SHORTEST_PAUSE, false);
        while !send.is_closed() {
            match listen(&api, &send).await {
                Ok(()) => (pause, told) = (SHORTEST_PAUSE, false),
                // That containerd is away is told by who looks at containers.
                Err(error) if error.is_unavailable() || told => tracing::debug!(%error, "{NOT_HAD}"),
                Err(error) => {
                    tracing::warn!(%error, "{NOT_HAD}");
                    told = true;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                () = send.closed() => {}
            }
        }
    });
    receive
}

/// Listens until the connection breaks. `Ok` if it had been heard at all.
async fn listen(api: &Api, send: &mpsc::Sender<RuntimeEvent>) -> Result<(), ApiError> {
    let mut stream = open(api).await?;
    // The first event, our own hello, proves that nothing is missed from here on.
    let mut news = vec![RuntimeEvent::Missed];
    loop {
        for event in news.drain(..) {
            if send.send(event).await.is_err() {
                return Ok(());
            }
        }
        let message = tokio::select! {
            message = stream.message() => message,
            () = send.closed() => return Ok(()),
        };
        match message {
            Ok(Some(envelope)) => news.extend(understand(&envelope)),
            Ok(None) | Err(_) => return Ok(()),
        }
    }
}

/// containerd answers a subscription only with its first event, so one is published until it comes back.
async fn open(api: &Api) -> Result<Streaming<Envelope>, ApiError> {
    // A word that begins with a slash would be taken for a pattern.
    let topics = [EXIT, HELLO].map(|topic| format!("namespace==\"{}\",topic==\"{topic}\"", api.namespace()));
    let mut client = api.events();
    let subscribed = client.subscribe(api.request(SubscribeRequest { filters: topics.into() }));
    let greeted = async {
        loop {
            let event = TaskExit {
                id: "hello".to_owned(),
                ..TaskExit::default()
            };
            let event = Any {
                type_url: "containerd.events.TaskExit".to_owned(),
                value: event.encode_to_vec(),
            };
            let hello = PublishRequest {
                topic: HELLO.to_owned(),
                event: Some(event),
            };
            if let Err(error) = within(SHORT, api.events().publish(api.request(hello))).await {
                return error;
            }
            tokio::time::sleep(HELLO_AGAIN).await;
        }
    };
    tokio::select! {
        answer = subscribed => Ok(answer?.into_inner()),
        error = greeted => Err(error),
        () = tokio::time::sleep(SHORT) => Err(ApiError::Deadline(SHORT)),
    }
}

fn understand(envelope: &Envelope) -> Option<RuntimeEvent> {
    if envelope.topic != EXIT {
        return None;
    }
    let exit = TaskExit::decode(envelope.event.as_ref()?.value.as_slice()).ok()?;
    // The end of a process that was started beside the first one has another id.
    let replica = ReplicaId(exit.container_id.parse().ok()?);
    (exit.id == exit.container_id).then_some(RuntimeEvent::Exited {
        replica,
        code: exit.exit_status,
    })
}
