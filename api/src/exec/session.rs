//! A WebSocket and a process, until one of them ends.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::channel;
use crate::auth::{self, Credentials};
use crate::port::{ControlPlane, ExecInput, ExecOutput, ExecSession};

/// How often a client is asked whether it is still there, and its credentials are looked at again.
const PING: Duration = Duration::from_secs(15);
/// A client of which nothing has come for this long, not even an answer to that, has gone.
const SILENCE: Duration = Duration::from_secs(45);
/// How long a client may take to close a connection whose process has ended.
const CLOSING: Duration = Duration::from_secs(2);

/// See the module.
pub struct Session {
    pub control: Arc<dyn ControlPlane>,
    pub credentials: Credentials,
    pub stop: CancellationToken,
    pub running: ExecSession,
}

impl Session {
    /// Ends when the process has ended, and kills it when the client has gone: its two ends are dropped then.
    pub async fn run(self, socket: WebSocket) {
        let (out, from) = socket.split();
        let Self {
            control,
            credentials,
            stop,
            running: ExecSession { input, output },
        } = self;
        let writer = Writer {
            control,
            credentials,
            stop,
            out,
        };
        let mut reading = std::pin::pin!(read(from, input));
        tokio::select! {
            () = writer.run(output) => {
                // A connection that is closed with something unread in it is reset, which can take from the client what was
                // sent last: the exit code. So the client closes it, unless it lets that wait.
                let _ = timeout(CLOSING, reading).await;
            }
            () = &mut reading => {}
        }
    }
}

/// Passes on what the client sends. Returns when it has gone.
async fn read(mut from: SplitStream<WebSocket>, input: mpsc::Sender<ExecInput>) {
    while let Ok(Some(Ok(message))) = timeout(SILENCE, from.next()).await {
        match message {
            Message::Binary(bytes) => {
                if let Some(it) = channel::read(bytes) {
                    // A process that has ended takes nothing; the writer has the last word.
                    let _ = input.send(it).await;
                }
            }
            Message::Close(_) => return,
            // Answered below, or nothing to us.
            Message::Ping(_) | Message::Pong(_) | Message::Text(_) => {}
        }
    }
}

struct Writer {
    control: Arc<dyn ControlPlane>,
    credentials: Credentials,
    stop: CancellationToken,
    out: SplitSink<WebSocket, Message>,
}

impl Writer {
    async fn run(mut self, mut output: mpsc::Receiver<ExecOutput>) {
        let mut ping = interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (code, reason) = loop {
            tokio::select! {
                piece = output.recv() => {
                    let Some(piece) = piece else { break (close_code::ERROR, "the process was lost") };
                    let is_last = matches!(piece, ExecOutput::Ended { .. } | ExecOutput::Lost { .. });
                    if self.send(Message::Binary(channel::write(&piece))).await.is_none() {
                        return;
                    }
                    if is_last {
                        break (close_code::NORMAL, "");
                    }
                }
                _ = ping.tick() => {
                    let state = self.control.local();
                    if auth::identify(&self.credentials, &state, self.control.now()).is_err() {
                        break (close_code::POLICY, "the key or session has ended");
                    }
                    if self.send(Message::Ping(Bytes::new())).await.is_none() {
                        return;
                    }
                }
                () = self.stop.cancelled() => break (close_code::AWAY, "this node stops"),
            }
        };
        let reason = reason.into();
        // Nothing can be done for a client that does not take this.
        let _ = timeout(PING, self.out.send(Message::Close(Some(CloseFrame { code, reason })))).await;
    }

    /// `None` when the client has gone, or takes nothing any more.
    async fn send(&mut self, message: Message) -> Option<()> {
        self.out.send(message).await.ok()
    }
}
