//! What to do next: pure functions from the state to plans. They read no clock and do no I/O, and the same input gives
//! the same plan, so that every plan can be tested, printed and compared.
//!
//! On the leader: [`liveness`] judges nodes, [`plan_service`] rolls out and schedules, [`rebalance`] evens out. On every
//! host: [`converge`] drives its containers, [`routes`] and [`reroute`] feed its proxy. [`check`] says what must hold of
//! every plan.

mod capacity;
pub mod check;
mod collect;
mod converge;
mod explain;
mod liveness;
mod placement;
mod rollout;
mod route_table;
mod routes;
mod standby;
#[cfg(test)]
mod testing;

pub use capacity::{Loads, Work};
pub use collect::{CollectLimits, Disk, HeldImage, Removal, Why, collect, needed_images};
pub use converge::{
    Cause, ContainerState, Failure, Health, ImageState, Instance, Limits, LookUp, LookUpStage, Moment, Observed, Plan,
    Step, converge, pull_delay, restart_delay,
};
pub use explain::{Candidate, Change, Explanation, Needs, Placed, Remedy, explain};
pub use liveness::{LastSeen, liveness};
pub use placement::{Obstacle, Placement, place};
pub use rollout::{Balancing, MOST_MOVES, Move, Rebalance, ServicePlan, plan_service, rebalance};
pub use route_table::{Backend, HostRoutes, PathRoute, RouteTable, Target};
pub use routes::{normalise_prefix, reroute, routes};
pub use standby::standby;
