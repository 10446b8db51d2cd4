//! How soon a leader is replaced that is gone, in simulated time: where clocks are even, nothing else decides.

use raft::Start;

use crate::border;
use crate::bug::Bug;
use crate::host::SimHost;
use crate::net::{Micros, Net};
use crate::run::World;

/// A follower that has to miss its leader waits for this long at least: its lease and the shortest time to an election.
const MISSED: Micros = 450_000;
const TIMES: usize = 5;

impl World {
    /// Ends the leader's process and waits for the next leader, then for the whole cluster. Answers how long the first took.
    fn replace_leader(&mut self, power: bool) -> Option<Micros> {
        let leads = |it: &SimHost| it.node().is_some_and(|it| it.leadership().borrow().is_self);
        let at = self.hosts.iter().position(leads)?;
        self.hosts[at].crash(power);
        let begun = self.net.now();
        let elected = self.until("a successor", |it| it.hosts.iter().any(leads));
        let took = self.net.now() - begun;
        self.hosts[at].start(Start::Existing);
        let whole = self.until("one cluster", |it| it.is_one());
        (elected && whole).then_some(took)
    }
}

fn outages(seed: u64) -> [Vec<Micros>; 2] {
    border::enter(seed, SimHost::usual_clocks(0));
    let mut world = World::new(Net::new(seed), Bug::None);
    world.hosts.iter_mut().for_each(SimHost::set_right);
    assert!(world.found().is_some(), "a cluster is founded");
    assert!(world.until("one cluster", |it| it.is_one()));
    [false, true].map(|power| {
        let took = (0..TIMES).map(|_| world.replace_leader(power).expect("it is replaced"));
        took.collect()
    })
}

#[test]
fn a_leader_whose_process_is_gone_is_replaced_before_it_would_be_missed() {
    for seed in [1, 2, 3] {
        let thread = std::thread::Builder::new().stack_size(16 << 20);
        let run = thread.spawn(move || outages(seed)).expect("a thread");
        let [killed, off] = run.join().expect("the run ends");
        println!("seed {seed}: microseconds until a successor led: killed {killed:?}, without power {off:?}");
        assert!(killed.iter().all(|it| *it < MISSED), "{killed:?}");
        // A host without power refuses nothing, and its leader has to be missed: else this would show nothing.
        assert!(off.iter().all(|it| *it >= MISSED), "{off:?}");
    }
}
