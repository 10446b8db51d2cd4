//! Which survivor to keep, and what that may lose.

use std::collections::BTreeSet;

use model::{ClusterId, NodeId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Point, Survivor};

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// The survivor with the newest log.
    pub keep: NodeId,
    /// Whether the survivors are a majority: then nothing is to be founded anew, they only have to be started.
    pub is_quorum: bool,
    /// Voters that nothing was heard of.
    pub missing: Vec<NodeId>,
    /// What may be lost for good.
    pub loss: Loss,
    /// Entries of the one to keep that it does not know to be acknowledged. They are kept: a write that was never answered
    /// may take effect.
    pub unconfirmed: u64,
    /// The other survivors, compared with the one to keep.
    pub behind: Vec<Behind>,
}

/// What may be lost for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Loss {
    /// Nothing that was acknowledged: a survivor has each entry that a majority had, and the one to keep has all those.
    Nothing,
    /// What the missing voters had acknowledged among themselves after this entry.
    After(Point),
}

/// A survivor that is not to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    /// Which one.
    pub node: NodeId,
    /// Its last entry.
    pub last: Point,
    /// How many entries it lacks; zero if it has as many, perhaps others.
    pub lacks: u64,
    /// Its last entries are of an older term: some of them may be others than those of the one to keep, and were then
    /// never acknowledged.
    pub is_older: bool,
    /// It is of an epoch that is over: it was out already.
    pub is_lost: bool,
}

/// Why survivors cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Mismatch {
    /// Nothing was given.
    #[error("there is no survivor to compare")]
    Nobody,
    /// They are of different clusters.
    #[error("node {node} ({name}) is of cluster {found}, not of {expected}: leave its file out")]
    OtherCluster {
        /// Which one.
        node: NodeId,
        /// Its name.
        name: String,
        /// Its cluster.
        found: ClusterId,
        /// That of the first.
        expected: ClusterId,
    },
    /// One was given twice.
    #[error("node {0} was given twice: give the newest file of each survivor once")]
    Twice(NodeId),
}

/// Compares survivors.
pub fn advise(survivors: &[Survivor]) -> Result<Advice, Mismatch> {
    let first = survivors.first().ok_or(Mismatch::Nobody)?;
    let mut seen = BTreeSet::new();
    for it in survivors {
        if it.cluster != first.cluster {
            return Err(Mismatch::OtherCluster {
                node: it.node,
                name: it.name.clone(),
                found: it.cluster,
                expected: first.cluster,
            });
        }
        if !seen.insert(it.node) {
            return Err(Mismatch::Twice(it.node));
        }
    }
    let rank = |it: &Survivor| (it.epoch, it.last, it.committed, std::cmp::Reverse(it.node));
    let keep = survivors.iter().max_by_key(|it| rank(it)).unwrap_or(first);
    let present: BTreeSet<NodeId> = survivors
        .iter()
        .filter(|it| it.epoch == keep.epoch)
        .map(|it| it.node)
        .collect();
    let voters: BTreeSet<NodeId> = keep.voters.iter().flatten().copied().collect();
    let missing: BTreeSet<NodeId> = voters.difference(&present).copied().collect();
    let is_quorum = decides(&keep.voters, &present);
    let loss = if decides(&keep.voters, &missing) {
        Loss::After(keep.last)
    } else {
        Loss::Nothing
    };
    let others = survivors.iter().filter(|it| it.node != keep.node);
    Ok(Advice {
        keep: keep.node,
        is_quorum,
        missing: missing.into_iter().collect(),
        loss,
        unconfirmed: keep.last.index.saturating_sub(keep.committed.unwrap_or(0)),
        behind: others.map(|it| compared(it, keep)).collect(),
    })
}

fn compared(it: &Survivor, keep: &Survivor) -> Behind {
    Behind {
        node: it.node,
        last: it.last,
        lacks: keep.last.index.saturating_sub(it.last.index),
        is_older: it.last.term < keep.last.term,
        is_lost: it.epoch < keep.epoch,
    }
}

/// Whether these nodes can decide by themselves: they are a majority of each set of voters.
fn decides(voters: &[Vec<NodeId>], nodes: &BTreeSet<NodeId>) -> bool {
    let majority = |set: &Vec<NodeId>| set.iter().filter(|id| nodes.contains(id)).count() > set.len() / 2;
    !voters.is_empty() && voters.iter().all(majority)
}

#[cfg(test)]
mod tests;
