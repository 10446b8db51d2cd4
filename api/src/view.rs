//! What is derived when something is shown.

pub mod arrival;
pub mod service_status;
