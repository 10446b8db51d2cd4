//! The system tests: real daemons, real containers, hosts of their own. They need root; see `make test`.

mod backup;
mod bad_flags;
mod bad_input;
mod bad_members;
mod common;
mod departed;
mod deploys;
mod faults;
mod fixture;
mod full_disk;
mod health;
mod hosting;
mod images;
mod lab;
mod main_job;
mod recover;
mod secrets;
mod streams;
mod tunnels;
mod upgrade;
