//! What is done to the hosts, when, and for how long: drawn from the seed while the run goes on.

use model::{Actor, Command, NodeId, NodePatch, Voting};
use raft::Start;
use rand::Rng as _;

use crate::host::SimHost;
use crate::net::{Host, Micros, Net, Way};

/// A fault that stands, and what ends it.
pub enum Fault {
    /// These do not run.
    Down(Vec<usize>),
    /// This one gets no time; its monotonic clock stands still, too, if it is `suspended`.
    Paused { at: usize, suspended: bool },
    /// Ways are cut or bad.
    Network,
    /// Nothing to end.
    Done,
}

/// Does something to the hosts.
pub fn strike(net: &Net, hosts: &mut [SimHost]) -> Fault {
    let count = hosts.len();
    let at = victim(net, hosts);
    let kind = net.random(|it| it.random_range(0..14));
    net.note(format_args!("fault {kind} on {}", hosts[at].host));
    match kind {
        0 | 1 => crash(hosts, vec![at], kind == 1),
        // The whole room loses its power.
        2 => crash(hosts, (0..count).collect(), true),
        // As many as may be lost, and one more.
        3 => {
            let lost = (0..=count / 2).map(|more| (at + more) % count).collect();
            crash(hosts, lost, true)
        }
        4 | 5 => {
            hosts[at].is_paused = hosts[at].runs();
            Fault::Paused {
                at,
                suspended: kind == 5,
            }
        }
        6 => {
            let side: Vec<bool> = net.random(|it| (0..count).map(|_| it.random()).collect());
            between(net, hosts, |a, b| side[a] != side[b], |net, a, b| net.cut(a, b));
            Fault::Network
        }
        7 => {
            between(net, hosts, |a, b| a == at || b == at, |net, a, b| net.cut(a, b));
            Fault::Network
        }
        8 => {
            // It hears, and is not heard; or the other way round.
            let mute: bool = net.random(|it| it.random());
            between(
                net,
                hosts,
                |a, b| if mute { a == at } else { b == at },
                |net, a, b| net.cut(a, b),
            );
            Fault::Network
        }
        9 => {
            let other = (at + 1) % count;
            between(
                net,
                hosts,
                |a, b| [a, b] == [at, other] || [b, a] == [at, other],
                |net, a, b| net.cut(a, b),
            );
            Fault::Network
        }
        10 => {
            let loss = net.random(|it| it.random_range(2..40));
            let extra = net.random(|it| it.random_range(0..80_000));
            between(
                net,
                hosts,
                |a, b| a == at || b == at,
                |net, a, b| net.set_way(a, b, Way { loss, extra }),
            );
            Fault::Network
        }
        11 => {
            hosts[at].ahead += net.random(|it| it.random_range(-100_000_000..100_000_000));
            Fault::Done
        }
        12 => {
            if let Some(node) = hosts[at].node() {
                hosts[at].spawn(async move { drop(node.transfer_leadership(None).await) });
            }
            Fault::Done
        }
        _ => {
            revote(net, hosts, at);
            Fault::Done
        }
    }
}

/// Ends what stands.
pub fn heal(net: &Net, hosts: &mut [SimHost], fault: Fault) {
    net.note(format_args!("healed"));
    match fault {
        Fault::Down(lost) => {
            for at in lost {
                if !hosts[at].runs() {
                    hosts[at].start(Start::Existing);
                }
            }
        }
        Fault::Paused { at, suspended } => {
            if hosts[at].is_paused {
                hosts[at].resume(suspended);
            }
        }
        Fault::Network => net.heal(),
        Fault::Done => {}
    }
}

/// How long a fault stands: often shorter than an election, sometimes longer than a voter is waited for.
pub fn length(net: &Net) -> Micros {
    net.random(|it| match it.random_range(0..10) {
        0..3 => it.random_range(20_000..300_000),
        3..9 => it.random_range(300_000..2_500_000),
        _ => it.random_range(2_500_000..7_000_000),
    })
}

/// Half of the faults hit whoever leads.
fn victim(net: &Net, hosts: &[SimHost]) -> usize {
    let leader = hosts.iter().position(|it| it.node().is_some_and(|it| it.is_leader()));
    let any = net.random(|it| it.random_range(0..hosts.len()));
    let leads: bool = net.random(|it| it.random());
    leader.filter(|_| leads).unwrap_or(any)
}

fn crash(hosts: &mut [SimHost], lost: Vec<usize>, power: bool) -> Fault {
    let lost: Vec<usize> = lost.into_iter().filter(|at| hosts[*at].runs()).collect();
    for at in &lost {
        hosts[*at].crash(power);
    }
    Fault::Down(lost)
}

fn between(net: &Net, hosts: &[SimHost], hits: impl Fn(usize, usize) -> bool, hit: impl Fn(&Net, Host, Host)) {
    for a in 0..hosts.len() {
        for b in 0..hosts.len() {
            if a != b && hits(a, b) {
                hit(net, hosts[a].host, hosts[b].host);
            }
        }
    }
}

/// An operator wants another node to vote, or not to.
fn revote(net: &Net, hosts: &[SimHost], at: usize) {
    let Some(node) = hosts[at].node() else { return };
    let id = NodeId(net.random(|it| it.random_range(1..=hosts.len() as u64)));
    let voting = match net.random(|it| it.random_range(0..3)) {
        0 => Voting::Always,
        1 => Voting::Never,
        _ => Voting::Auto,
    };
    let command = Command::SetVoting(id, NodePatch::default(), voting);
    hosts[at].spawn(async move { drop(node.submit(Actor::System, command).await) });
}
