//! Which replica gets the next request.

use std::net::SocketAddr;

use model::ReplicaId;
use planner::{Backend, Target};

use crate::handle::Shared;

/// Where a backend is sent to.
pub(crate) fn address(target: Target) -> SocketAddr {
    match target {
        Target::Local(addr) | Target::Remote(addr) => addr,
    }
}

/// The backend with the fewest requests in flight that has not been tried; of equals, the one whose turn it is. Those
/// that refused connections lately come last.
pub(crate) fn pick(shared: &Shared, backends: &[Backend], tried: &[ReplicaId], turn: usize) -> Option<Backend> {
    let rank = |(n, it): &(usize, &Backend)| {
        let behind = (n + backends.len() - turn % backends.len()) % backends.len();
        (
            shared.ejections.is_ejected(address(it.target)),
            shared.flights.count(it.replica),
            behind,
        )
    };
    let open = backends
        .iter()
        .enumerate()
        .filter(|(_, it)| !tried.contains(&it.replica));
    open.min_by_key(rank).map(|(_, it)| *it)
}
