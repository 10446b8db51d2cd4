//! Everything of ours that reads bytes of others, each behind one function: libFuzzer drives them (`fuzz/`, `make fuzz`),
//! and so do ordinary tests, with seeds and some thousands of mutations of them.

#[cfg(test)]
mod mutate;
mod seeds;
mod targets;

pub use targets::{TARGETS, Target, find, run};

#[cfg(test)]
mod tests;
