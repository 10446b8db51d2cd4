//! From a request to an answer: route it, choose a replica, send, and choose again where that is safe.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use model::ReplicaId;
use planner::{Backend, Target};
use tokio::time::timeout;

use crate::answer::Refusal;
use crate::balance::{address, pick};
use crate::body::{AnswerBody, Held};
use crate::flight::Flight;
use crate::handle::Shared;
use crate::head::{Client, Head, keep_upgrade};
use crate::hop::{self, Peers};
use crate::tunnel;
use crate::upstream::{Freshness, Lease, Pool, gone};

/// How long a replica may take until the head of its answer.
const ANSWER: Duration = Duration::from_secs(60);

/// What one worker forwards with.
#[derive(Clone)]
pub(crate) struct Forwarder {
    shared: Arc<Shared>,
    pool: Pool,
    turn: Rc<Cell<usize>>,
}

/// Where a request goes.
struct Destination {
    service: String,
    backends: Arc<[Backend]>,
    /// Another proxy has chosen the replica already.
    handed_over: bool,
}

/// Why an attempt brought no answer.
enum Failure {
    /// No connection; the request is whole.
    Connect(io::Error),
    /// The request was never written; it is whole.
    Unsent,
    /// The connection ended before the answer began.
    Closed { reused: bool },
    /// Its host went away before the answer began.
    Gone(io::Error),
    /// No answer in time.
    Timeout,
}

impl Forwarder {
    /// `turn`: which replica is first, so that workers do not all begin with the same one.
    pub(crate) fn new(shared: Arc<Shared>, pool: Pool, turn: usize) -> Self {
        Self {
            shared,
            pool,
            turn: Rc::new(Cell::new(turn)),
        }
    }

    pub(crate) fn peers(&self) -> &dyn Peers {
        &*self.shared.peers
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>, client: Client) -> Response<AnswerBody> {
        self.forward(request, client)
            .await
            .unwrap_or_else(Refusal::into_response)
    }

    async fn forward(&self, mut request: Request<Incoming>, client: Client) -> Result<Response<AnswerBody>, Refusal> {
        let client_side = hyper::upgrade::on(&mut request);
        let (parts, body) = request.into_parts();
        let mut head = Head::read(parts)?;
        let destination = self.destination(&mut head, client)?;
        let mut held = Held::take(body)
            .await
            .map_err(|_| Refusal::BadRequest("The request's body broke off."))?;
        let (mut response, lease, flight) = self.send(&head, &mut held, &destination).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            if !head.upgrade || !keep_upgrade(response.headers_mut()) {
                return Err(Refusal::Closed {
                    service: destination.service,
                });
            }
            tokio::task::spawn_local(tunnel::join(client_side, hyper::upgrade::on(&mut response), flight));
            return Ok(response.map(|_| AnswerBody::text(bytes::Bytes::new())));
        }
        keep_upgrade(response.headers_mut());
        Ok(response.map(|body| AnswerBody::upstream(body, lease, flight)))
    }

    fn destination(&self, head: &mut Head, client: Client) -> Result<Destination, Refusal> {
        let table = self.shared.table.load();
        if let Some(replica) = hop::take(&mut head.headers, client.is_peer).map_err(|_| Refusal::BadHop)? {
            let target = Target::Local(*table.local.get(&replica).ok_or(Refusal::NotHere)?);
            let backend = Backend {
                replica,
                node: model::NodeId::default(),
                target,
            };
            return Ok(Destination {
                service: head.host.clone(),
                backends: Arc::from([backend]),
                handed_over: true,
            });
        }
        head.note_client(client);
        let host = table
            .hosts
            .get(&head.host)
            .ok_or_else(|| Refusal::NoSuchHost(head.host.clone()))?;
        let no_path = || Refusal::NoSuchPath {
            host: head.host.clone(),
            path: head.path.clone(),
        };
        let route = host.find(&head.path).ok_or_else(no_path)?;
        Ok(Destination {
            service: route.service_name.clone(),
            backends: Arc::clone(&route.backends),
            handed_over: false,
        })
    }

    /// Tries one replica after the other, each once, for as long as that is safe.
    async fn send(
        &self,
        head: &Head,
        held: &mut Held,
        to: &Destination,
    ) -> Result<(Response<Incoming>, Lease, Flight), Refusal> {
        self.turn.set(self.turn.get().wrapping_add(1));
        let mut tried: Vec<ReplicaId> = Vec::new();
        let mut last = None;
        while let Some(backend) = pick(&self.shared, &to.backends, &tried, self.turn.get()) {
            tried.push(backend.replica);
            let Some(flight) = self.shared.flights.begin(backend.replica) else {
                continue;
            };
            match self.attempt(head, held, backend).await {
                Ok((response, _)) if is_refused(&response, backend) && held.is_replayable() => {}
                Ok((response, lease)) => return Ok((response, lease, flight)),
                Err(Failure::Connect(error)) => last = Some(error.to_string()),
                Err(Failure::Unsent) => last = Some("it closed the connection".to_owned()),
                Err(Failure::Gone(error)) if head.is_idempotent() && held.is_replayable() => {
                    last = Some(error.to_string())
                }
                Err(Failure::Closed { .. } | Failure::Gone(_)) => {
                    return Err(Refusal::Closed {
                        service: to.service.clone(),
                    });
                }
                Err(Failure::Timeout) => {
                    return Err(Refusal::Timeout {
                        service: to.service.clone(),
                        seconds: ANSWER.as_secs(),
                    });
                }
            }
        }
        Err(match last {
            // The proxy that asked can choose another replica; nothing was passed on.
            _ if to.handed_over => Refusal::NotHere,
            Some(last) => Refusal::Connect {
                service: to.service.clone(),
                tried: tried.len(),
                last,
            },
            None => Refusal::NoReadyReplica {
                service: to.service.clone(),
            },
        })
    }

    /// One replica: at most twice, the second time when a connection that had been idle turned out to be closed, and
    /// the request may be sent again.
    async fn attempt(
        &self,
        head: &Head,
        held: &mut Held,
        backend: Backend,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        let first = if head.is_idempotent() && held.is_replayable() {
            Freshness::Any
        } else {
            Freshness::JustUsed
        };
        match self.exchange(head, held, backend, first).await {
            Err(Failure::Closed { reused: true }) if head.is_idempotent() && held.is_replayable() => {
                self.exchange(head, held, backend, Freshness::New).await
            }
            Err(Failure::Unsent) => self.exchange(head, held, backend, Freshness::New).await,
            other => other,
        }
    }

    /// A connection to the replica, or to the proxy of its host.
    async fn lease(&self, backend: Backend, freshness: Freshness) -> io::Result<Lease> {
        let addr = address(backend.target);
        let secured = match backend.target {
            Target::Local(_) => None,
            Target::Remote(_) => {
                let peer = self.shared.peers.client(backend.node);
                Some(peer.ok_or_else(|| io::Error::other("this node has no certificate of its cluster yet"))?)
            }
        };
        self.pool.lease(addr, secured, freshness).await
    }

    async fn exchange(
        &self,
        head: &Head,
        held: &mut Held,
        backend: Backend,
        freshness: Freshness,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        let addr = address(backend.target);
        let mut lease = match self.lease(backend, freshness).await {
            Ok(lease) => lease,
            Err(error) => {
                self.shared.ejections.eject(addr);
                return Err(Failure::Connect(error));
            }
        };
        if !lease.reused {
            self.shared.ejections.readmit(addr);
        }
        let reused = lease.reused;
        let body = held.next().ok_or(Failure::Closed { reused: false })?;
        let mut request = head.request(body);
        let remote = matches!(backend.target, Target::Remote(_));
        if remote {
            hop::mark(request.headers_mut(), backend.replica);
        }
        let answer = timeout(ANSWER, lease.sender.try_send_request(request));
        let answered = tokio::select! {
            answered = answer => answered,
            error = gone(addr), if remote => {
                self.shared.ejections.eject(addr);
                return Err(Failure::Gone(error));
            }
        };
        match answered {
            Ok(Ok(response)) => Ok((response, lease)),
            Ok(Err(mut error)) => match error.take_message() {
                Some(request) => {
                    held.give_back(request.into_body());
                    Err(Failure::Unsent)
                }
                None => Err(Failure::Closed { reused }),
            },
            Err(_) => Err(Failure::Timeout),
        }
    }
}

/// Only another proxy's word counts: a replica that sends this header has answered.
fn is_refused(response: &Response<Incoming>, backend: Backend) -> bool {
    matches!(backend.target, Target::Remote(_)) && response.headers().contains_key(hop::REFUSED)
}
