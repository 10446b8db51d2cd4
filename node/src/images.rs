//! Content of images between nodes: what this node gives to others, and what it asks them for.

mod collector;
mod peers;
mod proto;
mod service;

pub(crate) use collector::run as collect;
pub(crate) use peers::Others;
pub(crate) use service::Shelf;
