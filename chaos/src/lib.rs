//! The harness: clusters of real daemons, each on a host of its own (namespaces of this machine), on real images from a
//! real registry; and on top of it the demo and the system tests.
//!
//! A [`Harness`] is a cluster that things are done to ([`Fault`]); [`run`] does them by a seed while clients work, and
//! [`history`] judges what those saw.
//!
//! A [`Lab`] is N hosts on one network; a [`Registry`] serves [`Image`]s in it; a [`Cluster`] runs one `goblins server`
//! a host, and [`Client`] speaks to any of them over the public API.
//!
//! Needs root, Linux, iproute2 and util-linux. Nothing leaves the lab's own network.

#[cfg(not(target_os = "linux"))]
compile_error!("the harness builds hosts from Linux namespaces");

pub mod bench;
pub mod client;
pub mod cluster;
pub mod command;
pub mod demo;
pub mod deploys;
pub mod fault;
pub mod harness;
pub mod history;
pub mod image;
pub mod lab;
pub mod load;
pub mod paths;
pub mod pid;
pub mod registry;
pub mod run;
pub mod schedule;
pub mod workload;

pub use client::Client;
pub use cluster::Cluster;
pub use fault::Fault;
pub use harness::Harness;
pub use image::Image;
pub use lab::Lab;
pub use registry::Registry;
