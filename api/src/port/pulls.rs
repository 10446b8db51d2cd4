//! How far hosts have come with fetching images.

use std::collections::BTreeMap;

use model::ReplicaId;

/// How far the image of a replica has come to its host, in bytes of its layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PullProgress {
    /// There already.
    pub done: u64,
    /// In all.
    pub total: u64,
}

/// The replicas whose image is on its way, as far as their hosts tell.
pub type Pulls = BTreeMap<ReplicaId, PullProgress>;
