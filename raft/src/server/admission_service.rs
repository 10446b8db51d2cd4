//! What strangers ask of anybody.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::cluster::Core;
use crate::join;
use crate::proto;
use crate::proto::admission_server::Admission;

/// Answers those who want to join.
pub(super) struct AdmissionService {
    core: Arc<Core>,
}

impl AdmissionService {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }
}

#[tonic::async_trait]
impl Admission for AdmissionService {
    async fn join(&self, request: Request<proto::JoinRequest>) -> Result<Response<proto::JoinReply>, Status> {
        let caller = request.extensions().get().copied();
        join::admit(&self.core, caller, request.into_inner())
            .await
            .map(Response::new)
    }
}
