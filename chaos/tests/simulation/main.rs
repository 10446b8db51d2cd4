//! The seeded simulation: whole nodes of a cluster in one thread, with time, chance, network and disks of their own. See
//! docs/simulation.md.

mod border;
mod bug;
mod checks;
mod clients;
mod disk;
mod failover;
mod faults;
mod host;
mod net;
mod run;
mod seeds;
mod stream;
mod trace;
