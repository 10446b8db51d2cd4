//! The network: ordered streams between hosts, as TCP gives them, whose segments take their time, are lost and sent again,
//! and stop where a way is cut.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::stream::SimStream;
use crate::trace::Trace;

/// A host's number.
pub type Host = u8;
/// Microseconds since the run began.
pub type Micros = u64;

/// How soon a lost segment is sent again the first time, and at most; each time takes twice as long.
const AGAIN: Micros = 200_000;
const AGAIN_MAX: Micros = 1_600_000;
/// Bytes under way after which a writer waits.
pub const WINDOW: usize = 256 << 10;

/// All hosts' network. Clones are the same one.
#[derive(Clone)]
pub struct Net(Arc<Mutex<Inner>>);

/// What the network knows of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plug {
    /// Counts the starts of its process.
    pub boot: u32,
    /// Its process runs.
    pub runs: bool,
    /// The host is on: without a process it refuses connections, and else it is silent.
    pub is_on: bool,
}

/// How the way from one host to another is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// Of a hundred segments, so many are lost.
    pub loss: u32,
    /// Each takes so much longer.
    pub extra: Micros,
}

pub(crate) struct Inner {
    pub(crate) now: Micros,
    pub(crate) random: StdRng,
    pub(crate) trace: Trace,
    due: BTreeSet<(Micros, u64)>,
    pub(crate) pipes: BTreeMap<u64, Pipe>,
    next: u64,
    pub(crate) doors: BTreeMap<Host, Door>,
    pub(crate) plugs: BTreeMap<Host, Plug>,
    cuts: BTreeSet<(Host, Host)>,
    ways: BTreeMap<(Host, Host), Way>,
}

/// Where a host's process takes connections.
#[derive(Default)]
pub(crate) struct Door {
    pub(crate) waiting: VecDeque<(SimStream, SocketAddr)>,
    pub(crate) waker: Option<Waker>,
}

/// One direction of a connection.
pub(crate) struct Pipe {
    from: (Host, u32),
    to: (Host, u32),
    twin: u64,
    queue: VecDeque<(Micros, Segment)>,
    /// So many of them are there.
    arrived: usize,
    last: Micros,
    again: Micros,
    bytes: usize,
    pub(crate) reader: Option<Waker>,
    pub(crate) writer: Option<Waker>,
    pub(crate) is_closed: bool,
    pub(crate) is_unread: bool,
}

pub(crate) enum Segment {
    Data(Vec<u8>),
    End,
    Reset,
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Net")
    }
}

impl Net {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            now: 0,
            random: StdRng::seed_from_u64(seed),
            trace: Trace::default(),
            due: BTreeSet::new(),
            pipes: BTreeMap::new(),
            next: 0,
            doors: BTreeMap::new(),
            plugs: BTreeMap::new(),
            cuts: BTreeSet::new(),
            ways: BTreeMap::new(),
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn now(&self) -> Micros {
        self.lock().now
    }

    /// Lets time pass, and all arrive that was to arrive by then.
    pub fn advance(&self, to: Micros) {
        let wakers = {
            let mut net = self.lock();
            net.now = to;
            net.deliver()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// A random number of the world's.
    pub fn random<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.lock().random)
    }

    /// Notes something that happened.
    pub fn note(&self, what: fmt::Arguments<'_>) {
        let mut net = self.lock();
        let now = net.now;
        net.trace.note(now, what);
    }

    pub fn trace(&self) -> (u64, u64) {
        self.lock().trace.digest()
    }

    pub fn cut(&self, from: Host, to: Host) {
        self.lock().cuts.insert((from, to));
    }

    pub fn set_way(&self, from: Host, to: Host, way: Way) {
        self.lock().ways.insert((from, to), way);
    }

    /// All ways are open and quick again.
    pub fn heal(&self) {
        let mut net = self.lock();
        net.cuts.clear();
        net.ways.clear();
    }

    /// The host's process starts; what is under way to its last one is answered with a reset.
    pub fn plug(&self, host: Host) {
        let mut net = self.lock();
        let plug = net.plugs.entry(host).or_default();
        plug.boot += 1;
        (plug.runs, plug.is_on) = (true, true);
    }

    /// The host's process is gone; to be called before its connections are dropped if it is `silent`: then nobody is told.
    pub fn unplug(&self, host: Host, silent: bool) {
        let door = {
            let mut net = self.lock();
            let plug = net.plugs.entry(host).or_default();
            (plug.runs, plug.is_on) = (false, !silent);
            net.doors.remove(&host)
        };
        // Ends connections, for which the network must be free.
        drop(door);
    }

    pub fn plug_of(&self, host: Host) -> Plug {
        self.lock().plugs.get(&host).copied().unwrap_or_default()
    }
}

impl Inner {
    pub(crate) fn is_cut(&self, from: Host, to: Host) -> bool {
        self.cuts.contains(&(from, to))
    }

    /// How long something takes; `None`: it is lost.
    pub(crate) fn passage(&mut self, from: Host, to: Host) -> Option<Micros> {
        let way = self.ways.get(&(from, to)).copied().unwrap_or_default();
        if self.random.random_range(0..100) < way.loss {
            return None;
        }
        let usual = self.random.random_range(100..1_500);
        let hiccup = if self.random.random_ratio(1, 50) {
            self.random.random_range(0..30_000)
        } else {
            0
        };
        Some(usual + hiccup + way.extra)
    }

    /// A connection between two running processes.
    pub(crate) fn connect(&mut self, from: Host, to: Host) -> [u64; 2] {
        let boot = |net: &Self, host| (host, net.plugs.get(&host).copied().unwrap_or_default().boot);
        let (from, to) = (boot(self, from), boot(self, to));
        let numbers = [self.next, self.next + 1];
        self.next += 2;
        let pipe = |from, to, twin| Pipe {
            from,
            to,
            twin,
            queue: VecDeque::new(),
            arrived: 0,
            last: 0,
            again: AGAIN,
            bytes: 0,
            reader: None,
            writer: None,
            is_closed: false,
            is_unread: false,
        };
        self.pipes.insert(numbers[0], pipe(from, to, numbers[1]));
        self.pipes.insert(numbers[1], pipe(to, from, numbers[0]));
        numbers
    }

    /// Sends a segment on its way.
    pub(crate) fn send(&mut self, number: u64, segment: Segment) {
        let Some(pipe) = self.pipes.get(&number) else { return };
        let (from, to) = (pipe.from, pipe.to);
        // A host without power says nothing, and neither does a process that is gone; its kernel ends its connections.
        let plug = self.plugs.get(&from.0).copied().unwrap_or_default();
        if !plug.is_on || plug.boot != from.1 {
            return;
        }
        let takes = self.passage(from.0, to.0).unwrap_or(AGAIN);
        let now = self.now;
        let Some(pipe) = self.pipes.get_mut(&number) else {
            return;
        };
        let at = pipe.last.max(now + takes);
        pipe.last = at;
        if let Segment::Data(bytes) = &segment {
            pipe.bytes += bytes.len();
        }
        pipe.is_closed |= !matches!(segment, Segment::Data(_));
        pipe.queue.push_back((at, segment));
        self.due.insert((at, number));
    }

    fn deliver(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        while let Some((at, number)) = self.due.first().copied().filter(|(at, _)| *at <= self.now) {
            self.due.remove(&(at, number));
            self.arrive(number, &mut wakers);
        }
        wakers
    }

    fn arrive(&mut self, number: u64, wakers: &mut Vec<Waker>) {
        while let Some(pipe) = self.pipes.get(&number) {
            let Some((at, segment)) = pipe.queue.get(pipe.arrived) else {
                return;
            };
            if *at > self.now {
                return;
            }
            let (from, to, twin, is_unread) = (pipe.from, pipe.to, pipe.twin, pipe.is_unread);
            let is_reset = matches!(segment, Segment::Reset);
            let target = self.plugs.get(&to.0).copied().unwrap_or_default();
            let lost = self.is_cut(from.0, to.0) || !target.is_on;
            let now = self.now;
            if lost {
                let Some(pipe) = self.pipes.get_mut(&number) else {
                    return;
                };
                let at = now + pipe.again;
                pipe.again = (2 * pipe.again).min(AGAIN_MAX);
                pipe.last = pipe.last.max(at);
                let first = pipe.arrived;
                pipe.queue[first].0 = at;
                self.due.insert((at, number));
                return;
            }
            let is_gone = !target.runs || target.boot != to.1 || is_unread;
            self.trace.note(
                now,
                format_args!("{}>{} {}", from.0, to.0, if is_gone { "gone" } else { "" }),
            );
            if is_gone {
                // Nobody reads there any more.
                if let Some(pipe) = self.pipes.get_mut(&number) {
                    pipe.queue.clear();
                    (pipe.arrived, pipe.bytes) = (0, 0);
                }
                if !is_reset {
                    self.reset(twin);
                }
                return;
            }
            let Some(pipe) = self.pipes.get_mut(&number) else {
                return;
            };
            pipe.arrived += 1;
            pipe.again = AGAIN;
            wakers.extend(pipe.reader.take());
            if is_reset {
                // Also whoever waits to write learns it.
                let waiting = self.pipes.get_mut(&twin).and_then(|it| it.writer.take());
                wakers.extend(waiting);
            }
        }
    }

    /// The kernel of the host at the other end says that nobody is there.
    fn reset(&mut self, number: u64) {
        let now = self.now;
        let Some(pipe) = self.pipes.get(&number) else { return };
        let takes = self.passage(pipe.from.0, pipe.to.0).unwrap_or(AGAIN);
        let Some(pipe) = self.pipes.get_mut(&number) else {
            return;
        };
        let at = pipe.last.max(now + takes);
        pipe.last = at;
        pipe.queue.push_back((at, Segment::Reset));
        self.due.insert((at, number));
    }

    /// Takes up to `most` bytes that have arrived. `None`: nothing has; empty: nothing will.
    pub(crate) fn take(&mut self, number: u64, most: usize) -> Option<io::Result<Vec<u8>>> {
        let pipe = self.pipes.get_mut(&number)?;
        if pipe.arrived == 0 {
            return None;
        }
        match &mut pipe.queue.front_mut()?.1 {
            Segment::End => Some(Ok(Vec::new())),
            Segment::Reset => Some(Err(io::ErrorKind::ConnectionReset.into())),
            Segment::Data(bytes) => {
                let taken: Vec<u8> = bytes.drain(..most.min(bytes.len())).collect();
                if bytes.is_empty() {
                    pipe.queue.pop_front();
                    pipe.arrived -= 1;
                }
                pipe.bytes = pipe.bytes.saturating_sub(taken.len());
                Some(Ok(taken))
            }
        }
    }

    pub(crate) fn is_full(&self, number: u64) -> bool {
        self.pipes.get(&number).is_some_and(|it| it.bytes > WINDOW)
    }

    /// Whether the other end has said that nobody is there.
    pub(crate) fn is_reset(&self, number: u64) -> bool {
        self.pipes.get(&number).is_none_or(|it| {
            let mut there = it.queue.iter().take(it.arrived);
            there.any(|(_, segment)| matches!(segment, Segment::Reset))
        })
    }
}
