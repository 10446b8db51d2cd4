//! `/api/workers/`

use model::ServiceKind;

use super::workloads::{OF_WORKERS, View, Workload, Workloads};
use crate::fields::Field;

/// It works in the background; nothing can be routed to it.
pub struct Background;

/// Container images that work in the background.
pub type Workers = Workloads<Background>;

impl Workload for Background {
    const KIND: ServiceKind = ServiceKind::Worker;
    const FIELDS: &'static [Field<View>] = &OF_WORKERS;
}
