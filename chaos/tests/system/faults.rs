//! Faults by a seed, while clients write down what they see: the short run of `make test`. `make chaos` goes on longer.

use std::time::Duration;

use chaos::fault::Kind;
use chaos::history::{Outcome, violations};
use chaos::run::{Plan, carry_out, report};

use crate::common::{self, can_make_hosts};

/// All that is asked of the cluster at the same time as clients work; clocks need a package of their own.
const KINDS: [Kind; 8] = [
    Kind::Kill,
    Kind::Restart,
    Kind::Pause,
    Kind::Partition,
    Kind::OneWay,
    Kind::Loss,
    Kind::Power,
    Kind::Disk,
];

#[tokio::test(flavor = "multi_thread")]
async fn clients_see_one_order_of_events_whatever_happens_to_the_nodes() {
    if !can_make_hosts() {
        return;
    }
    common::install_crypto();
    let plan = Plan {
        seed: 11,
        length: Duration::from_secs(60),
        kinds: KINDS.to_vec(),
        ..Plan::default()
    };
    let mut run = carry_out(&plan).await.unwrap();
    let folder = report::default_folder().join("test");
    report::write(&folder, &plan, &run).unwrap();
    let text = report::text(&plan, &run);
    assert!(run.violations.is_empty(), "{text}\n{}\n{}", folder.display(), run.logs);
    assert!(run.history.faults.len() >= 6, "{text}");
    for file in ["report.json", "history.json", "timeline.svg"] {
        assert!(folder.join(file).metadata().unwrap().len() > 0, "{file}");
    }

    // The same history with one read gone stale, or one write lost, does not pass: the judge is awake.
    let mut stale = run.history.clone();
    let is_write = |event: &&chaos::history::Event| {
        matches!(
            (&event.op, &event.outcome),
            (chaos::history::Op::Write { .. }, Outcome::Ok { .. })
        )
    };
    let first = run
        .history
        .events
        .iter()
        .filter(is_write)
        .min_by_key(|event| event.ended)
        .unwrap();
    let chaos::history::Op::Write { register, value } = first.op else {
        unreachable!("only writes were kept");
    };
    let read =
        stale.events.iter_mut().rev().find(|event| {
            event.op == chaos::history::Op::Read { register } && matches!(event.outcome, Outcome::Ok { .. })
        });
    read.unwrap().outcome = Outcome::Ok {
        value: Some(value),
        id: None,
    };
    assert!(violations(&stale).iter().any(|it| it.check == "linearizability"));
    let lost = run.history.ends[0].names.pop();
    assert!(lost.is_some() && violations(&run.history).iter().any(|it| it.check == "unique creates"));
}
