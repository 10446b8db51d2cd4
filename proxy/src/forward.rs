//! From a request to an answer: route it, choose a replica, send, and choose again where that is safe.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use model::{NodeId, ReplicaId, Revision};
use planner::{Backend, RouteTable, Target};
use tokio::time::{Instant, timeout};

use crate::answer::Refusal;
use crate::balance::{address, pick};
use crate::body::{AnswerBody, Held};
use crate::flight::Flight;
use crate::handle::Shared;
use crate::head::{Client, Head, keep_upgrade};
use crate::hop::{self, Handed, Peers, Refused};
use crate::tunnel;
use crate::upstream::{Freshness, Lease, Pool, Stake, gone};

/// How long a replica may take until the head of its answer.
const ANSWER: Duration = Duration::from_secs(60);
/// How long a request waits for news when all replicas that it could go to have just turned it away: they have been
/// replaced, and this proxy has not heard so yet; or one has just come, and its own proxy has not heard so yet.
const NEWS: Duration = Duration::from_secs(2);
/// How often they are asked again meanwhile, since other proxies do not tell what they have heard.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// How many replicas may break off one request. One may have been killed; a request that kills must not meet them all.
const MOST_BROKEN_OFF: usize = 2;

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
    /// The table that it was read from.
    seen: Revision,
    /// Another proxy has chosen the replica already.
    handed: Option<Handed>,
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
        let handed = hop::take(&mut head.headers, client.is_peer).map_err(|_| Refusal::BadHop)?;
        let Some(handed) = handed else {
            head.note_client(client);
            return routed(&table, head);
        };
        let backend = table.local.get(&handed.replica).map(|address| Backend {
            replica: handed.replica,
            node: NodeId::default(),
            target: Target::Local(*address),
        });
        Ok(Destination {
            service: head.host.clone(),
            backends: backend.into_iter().collect(),
            seen: table.revision,
            handed: Some(handed),
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
        let news_until = Instant::now() + NEWS;
        let (mut backends, mut seen) = (Arc::clone(&to.backends), to.seen);
        let mut tried: Vec<ReplicaId> = to.handed.map(|it| it.replica).into_iter().collect();
        // Those of them that did not take the request, and may yet.
        let mut turned_away: Vec<ReplicaId> = tried.clone();
        let (mut broken_off, mut last) = (0, None);
        let mut first = to.handed.and_then(|_| backends.first().copied());
        loop {
            let next = first
                .take()
                .or_else(|| pick(&self.shared, &backends, &tried, self.turn.get()));
            let Some(backend) = next else {
                if turned_away.is_empty() {
                    return Err(exhausted(to, tried.len(), broken_off, last));
                }
                let Some(newer) = self.newer(head, held, to, seen, news_until).await else {
                    return Err(exhausted(to, tried.len(), broken_off, last));
                };
                (backends, seen) = (newer.backends, newer.seen);
                if to.handed.is_none() {
                    tried.retain(|it| !turned_away.contains(it));
                }
                turned_away.clear();
                continue;
            };
            if !tried.contains(&backend.replica) {
                tried.push(backend.replica);
            }
            let Some(flight) = self.shared.flights.begin(backend.replica) else {
                turned_away.push(backend.replica);
                continue;
            };
            match self.attempt(head, held, backend, to.handed.is_some()).await {
                Ok((response, lease)) => match refused(&response, backend).filter(|_| held.is_replayable()) {
                    None => return Ok((response, lease, flight)),
                    Some(Refused::Untouched) => turned_away.push(backend.replica),
                    Some(Refused::Closed) => broken_off += 1,
                },
                Err(Failure::Connect(error)) => last = Some(error.to_string()),
                Err(Failure::Unsent) => last = Some("it closed the connection".to_owned()),
                Err(Failure::Gone(error)) if head.is_idempotent() && held.is_replayable() => {
                    last = Some(error.to_string())
                }
                Err(Failure::Closed { .. }) if head.is_idempotent() && held.is_replayable() => broken_off += 1,
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
            if broken_off >= MOST_BROKEN_OFF {
                return Err(exhausted(to, tried.len(), broken_off, last));
            }
        }
    }

    /// Where a request may go whose replicas have all turned it away. One that was handed over is given back to the proxy
    /// that asked, unless that has passed on a body that it cannot send again: then it is routed anew here, once.
    async fn newer(
        &self,
        head: &Head,
        held: &Held,
        to: &Destination,
        seen: Revision,
        until: Instant,
    ) -> Option<Destination> {
        if let Some(handed) = to.handed {
            let is_stranded = !handed.rerouted && !held.is_replayable() && held.is_whole();
            let table = self.shared.table.load();
            return is_stranded.then(|| routed(&table, head).ok()).flatten();
        }
        if Instant::now() >= until {
            return None;
        }
        let mut published = self.shared.published.subscribe();
        let news = published.wait_for(|it| *it > seen);
        // Without news they are asked again all the same.
        let _ = timeout(ASK_AGAIN, news).await;
        routed(&self.shared.table.load(), head).ok()
    }

    /// One replica: at most twice, the second time when a connection that had been idle turned out to be closed, and
    /// the request may be sent again.
    async fn attempt(
        &self,
        head: &Head,
        held: &mut Held,
        backend: Backend,
        rerouted: bool,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        let first = if head.is_idempotent() && held.is_replayable() {
            Freshness::Any
        } else {
            Freshness::JustUsed
        };
        match self.exchange(head, held, backend, rerouted, first).await {
            Err(Failure::Closed { reused: true }) if head.is_idempotent() && held.is_replayable() => {
                self.exchange(head, held, backend, rerouted, Freshness::New).await
            }
            Err(Failure::Unsent) => self.exchange(head, held, backend, rerouted, Freshness::New).await,
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
        rerouted: bool,
        freshness: Freshness,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        let addr = address(backend.target);
        let mut lease = match self.lease(backend, freshness).await {
            Ok(lease) => lease,
            Err(error) => {
                self.leave_alone(addr);
                return Err(Failure::Connect(error));
            }
        };
        if !lease.reused {
            self.shared.ejections.readmit(addr);
        }
        let reused = lease.reused;
        let body = held.next().ok_or(Failure::Closed { reused: false })?;
        let mut request = head.request(body);
        let stake = if head.is_idempotent() && held.is_replayable() {
            Stake::Nothing
        } else {
            Stake::Request
        };
        let remote = matches!(backend.target, Target::Remote(_));
        if remote {
            hop::mark(request.headers_mut(), backend.replica, rerouted);
        }
        let answer = timeout(ANSWER, lease.sender.try_send_request(request));
        let answered = tokio::select! {
            answered = answer => answered,
            error = gone(addr, stake), if remote => {
                self.leave_alone(addr);
                return Err(Failure::Gone(error));
            }
        };
        match answered {
            Ok(Ok(mut response)) => {
                if remote && hop::is_leaving(response.headers_mut()) {
                    self.leave_alone(addr);
                }
                Ok((response, lease))
            }
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
    /// An address takes no connection, or soon will not: whatever is still open to it is of no use either.
    fn leave_alone(&self, addr: SocketAddr) {
        self.shared.ejections.eject(addr);
        self.pool.forget(addr);
    }
}

/// Where the table sends a client's request.
fn routed(table: &RouteTable, head: &Head) -> Result<Destination, Refusal> {
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
        seen: table.revision,
        handed: None,
    })
}

/// Nobody is left to try.
fn exhausted(to: &Destination, tried: usize, broken_off: usize, last: Option<String>) -> Refusal {
    let service = to.service.clone();
    match (to.handed, last) {
        // The proxy that asked can choose another replica.
        (Some(_), _) if broken_off > 0 => Refusal::ClosedHere,
        (Some(_), _) => Refusal::NotHere,
        (None, _) if broken_off > 0 => Refusal::Closed { service },
        (None, Some(last)) => Refusal::Connect { service, tried, last },
        (None, None) => Refusal::NoReadyReplica { service },
    }
}

/// Only another proxy's word counts: a replica that sends this header has answered.
fn refused(response: &Response<Incoming>, backend: Backend) -> Option<Refused> {
    Refused::read(response.headers()).filter(|_| matches!(backend.target, Target::Remote(_)))
}
