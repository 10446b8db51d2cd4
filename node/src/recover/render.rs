//! A plan in words.

use std::fmt::Write as _;

use model::NodeId;
use raft::{Advice, Behind, Loss, Survivor};

/// What each survivor holds, which one to keep, and what may be lost.
pub(super) fn plan(survivors: &[Survivor], advice: &Advice) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_plan(&mut text, survivors, advice);
    text
}

fn write_plan(text: &mut String, survivors: &[Survivor], advice: &Advice) -> std::fmt::Result {
    let Some(keep) = survivors.iter().find(|it| it.node == advice.keep) else {
        return Ok(());
    };
    writeln!(text, "cluster {}", keep.cluster)?;
    for it in survivors {
        let number = |it: Option<u64>| it.map_or_else(|| "none".to_owned(), |it| it.to_string());
        writeln!(
            text,
            "\n{} (node {})\n  epoch {}  term {}\n  last entry {} of term {}, known to be acknowledged up to {}, applied up to {}",
            it.name,
            it.node,
            it.epoch,
            it.term,
            it.last.index,
            it.last.term,
            number(it.committed),
            number(it.applied),
        )?;
        for set in &it.voters {
            writeln!(text, "  voters: {}", names(keep, set))?;
        }
    }
    writeln!(text)?;
    if advice.is_quorum {
        writeln!(
            text,
            "These survivors are a majority of the voters: start their daemons, and nothing is lost. There is nothing to \
             recover."
        )?;
        return Ok(());
    }
    writeln!(
        text,
        "Keep {} (node {}): its log is the newest of those given.",
        keep.name, keep.node
    )?;
    writeln!(text, "Nothing was given of {}.", names(keep, &advice.missing))?;
    match advice.loss {
        Loss::Nothing => writeln!(
            text,
            "Nothing that was acknowledged is lost: the voters that are missing cannot have decided anything without one of \
             the survivors."
        )?,
        Loss::After(point) => writeln!(
            text,
            "What may be lost: writes after entry {} of term {} that were acknowledged by the missing voters alone. They are \
             enough for that, so nobody here can say whether there are any. If one of their disks can still be read, run \
             --plan on it first.",
            point.index, point.term
        )?,
    }
    if advice.unconfirmed > 0 {
        writeln!(
            text,
            "The last {} entries of {} are not known to be acknowledged. They are kept: writes that nobody was answered may \
             take effect.",
            advice.unconfirmed, keep.name
        )?;
    }
    for it in &advice.behind {
        writeln!(text, "{}", behind(survivors, it))?;
    }
    writeln!(
        text,
        "\nOn {}, with its daemon stopped: goblins recover --force-new-cluster --data-dir DIR",
        keep.name
    )
}

fn behind(survivors: &[Survivor], it: &Behind) -> String {
    let name = survivors
        .iter()
        .find(|one| one.node == it.node)
        .map_or("", |one| &one.name);
    let what = match it {
        Behind { is_lost: true, .. } => "is of an epoch that is over, and was out already".to_owned(),
        Behind {
            lacks, is_older: true, ..
        } => format!(
            "ends with entry {} of an older term, {}: it lacks {lacks} entries, and some of its last ones may be others",
            it.last.index, it.last.term
        ),
        Behind { lacks: 0, .. } => "holds the same".to_owned(),
        Behind { lacks, .. } => format!("lacks the last {lacks} entries"),
    };
    format!(
        "{name} (node {}) {what}. It has to join anew with an empty data folder.",
        it.node
    )
}

fn names(keep: &Survivor, nodes: &[NodeId]) -> String {
    let named = nodes.iter().map(|it| format!("{} (node {it})", keep.name_of(*it)));
    let named: Vec<_> = named.collect();
    if named.is_empty() {
        "nobody".to_owned()
    } else {
        named.join(", ")
    }
}

/// A survivor of five voters.
#[cfg(test)]
pub(super) fn example(node: u64) -> Survivor {
    Survivor {
        cluster: model::ClusterId(uuid::Uuid::from_u128(7)),
        node: NodeId(node),
        name: format!("n{node}"),
        epoch: 0,
        term: 3,
        last: raft::Point { term: 3, index: 90 },
        committed: Some(88),
        applied: Some(80),
        voters: vec![(1..=5).map(NodeId).collect()],
        members: (1..=5)
            .map(|id| raft::Voter {
                id: NodeId(id),
                name: format!("n{id}"),
                address: format!("10.0.0.{id}:7401"),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use raft::advise;

    use super::*;

    #[test]
    fn a_plan_says_whom_to_keep_and_what_may_be_lost() {
        let mut other = example(4);
        other.last.index = 70;
        let survivors = [example(2), other];
        let text = plan(&survivors, &advise(&survivors).expect("comparable"));
        for expected in [
            "Keep n2 (node 2)",
            "Nothing was given of n1 (node 1), n3 (node 3), n5 (node 5).",
            "writes after entry 90 of term 3",
            "The last 2 entries of n2",
            "n4 (node 4) lacks the last 20 entries",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        let three = [1, 2, 3].map(example);
        let text = plan(&three, &advise(&three).expect("comparable"));
        assert!(
            text.contains("There is nothing to recover") && !text.contains("Keep"),
            "{text}"
        );
    }
}
