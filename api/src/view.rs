//! What is derived when something is shown.

pub mod service_status;
