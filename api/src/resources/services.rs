//! `/api/services/`

use model::ServiceKind;

use super::workloads::{OF_SERVICES, View, Workload, Workloads};
use crate::fields::Field;

/// It listens on a port.
pub struct WithPort;

/// Container images whose replicas listen on a port.
pub type Services = Workloads<WithPort>;

impl Workload for WithPort {
    const KIND: ServiceKind = ServiceKind::Service;
    const FIELDS: &'static [Field<View>] = &OF_SERVICES;
}
