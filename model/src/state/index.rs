//! Keeping the indexes in step with the tables: each resource enters and leaves its own indexes in one place.

use std::sync::Arc;

use super::State;
use crate::{
    ApiKey, ApiKeyId, Deployment, DeploymentId, Domain, DomainId, Node, NodeId, Operation, OperationId, Project,
    ProjectId, Replica, ReplicaId, Route, RouteId, Service, ServiceId,
};

impl State {
    pub(super) fn put_project(&mut self, it: Project) {
        self.index.project_by_name.insert((it.account, it.name.clone()), it.id);
        self.index.projects_by_account.insert((it.account, it.id));
        self.projects.insert(it.id, Arc::new(it));
    }

    pub(super) fn delete_project(&mut self, id: ProjectId) {
        let Some(it) = self.projects.remove(&id) else { return };
        self.index.project_by_name.remove(&(it.account, it.name.clone()));
        self.index.projects_by_account.remove(&(it.account, it.id));
    }

    pub(super) fn put_api_key(&mut self, it: ApiKey) {
        self.index.api_key_by_hash.insert(it.hash, it.id);
        self.index.api_keys_by_account.insert((it.account, it.id));
        self.api_keys.insert(it.id, Arc::new(it));
    }

    pub(super) fn delete_api_key(&mut self, id: ApiKeyId) {
        let Some(it) = self.api_keys.remove(&id) else { return };
        self.index.api_key_by_hash.remove(&it.hash);
        self.index.api_keys_by_account.remove(&(it.account, it.id));
    }

    pub(super) fn put_node(&mut self, it: Node) {
        self.index.node_by_name.insert(it.name.clone(), it.id);
        self.nodes.insert(it.id, Arc::new(it));
    }

    pub(super) fn delete_node(&mut self, id: NodeId) {
        let Some(it) = self.nodes.remove(&id) else { return };
        self.index.node_by_name.remove(&it.name.clone());
    }

    pub(super) fn put_service(&mut self, it: Service) {
        self.index.service_by_name.insert((it.account, it.name.clone()), it.id);
        self.index.services_by_account.insert((it.account, it.id));
        self.index.services_by_project.insert((it.project, it.id));
        self.services.insert(it.id, Arc::new(it));
    }

    pub(super) fn delete_service(&mut self, id: ServiceId) {
        let Some(it) = self.services.remove(&id) else { return };
        self.index.service_by_name.remove(&(it.account, it.name.clone()));
        self.index.services_by_account.remove(&(it.account, it.id));
        self.index.services_by_project.remove(&(it.project, it.id));
    }

    pub(super) fn put_domain(&mut self, it: Domain) {
        self.index.domain_by_hostname.insert(it.hostname.clone(), it.id);
        self.index
            .domain_by_lower_hostname
            .insert((it.hostname.to_lowercase(), it.id));
        self.index.domains_by_account.insert((it.account, it.id));
        self.index.domains_by_project.insert((it.project, it.id));
        self.domains.insert(it.id, Arc::new(it));
    }

    pub(super) fn delete_domain(&mut self, id: DomainId) {
        let Some(it) = self.domains.remove(&id) else { return };
        self.index.domain_by_hostname.remove(&it.hostname.clone());
        self.index
            .domain_by_lower_hostname
            .remove(&(it.hostname.to_lowercase(), it.id));
        self.index.domains_by_account.remove(&(it.account, it.id));
        self.index.domains_by_project.remove(&(it.project, it.id));
    }

    pub(super) fn put_route(&mut self, it: Route) {
        self.index.routes_by_account.insert((it.account, it.id));
        self.index.routes_by_domain.insert((it.domain, it.id));
        self.index.routes_by_service.insert((it.service, it.id));
        self.routes.insert(it.id, Arc::new(it));
    }

    pub(super) fn delete_route(&mut self, id: RouteId) {
        let Some(it) = self.routes.remove(&id) else { return };
        self.index.routes_by_account.remove(&(it.account, it.id));
        self.index.routes_by_domain.remove(&(it.domain, it.id));
        self.index.routes_by_service.remove(&(it.service, it.id));
    }

    pub(super) fn put_deployment(&mut self, it: Deployment) {
        self.index.deployments_by_account.insert((it.account, it.id));
        self.index.deployments_by_service.insert((it.service, it.id));
        self.deployments.insert(it.id, Arc::new(it));
    }

    pub(super) fn delete_deployment(&mut self, id: DeploymentId) {
        let Some(it) = self.deployments.remove(&id) else { return };
        self.index.deployments_by_account.remove(&(it.account, it.id));
        self.index.deployments_by_service.remove(&(it.service, it.id));
    }

    pub(super) fn put_replica(&mut self, it: Replica) {
        self.index.replicas_by_node.insert((it.node, it.id));
        self.index.replicas_by_service.insert((it.service, it.id));
        self.replicas.insert(it.id, Arc::new(it));
    }

    pub(super) fn delete_replica(&mut self, id: ReplicaId) {
        let Some(it) = self.replicas.remove(&id) else { return };
        self.index.replicas_by_node.remove(&(it.node, it.id));
        self.index.replicas_by_service.remove(&(it.service, it.id));
    }

    pub(super) fn put_operation(&mut self, it: Operation) {
        self.index.operations_by_age.insert((it.revision, it.id));
        self.operations.insert(it.id, Arc::new(it));
    }

    pub(super) fn delete_operation(&mut self, id: OperationId) {
        let Some(it) = self.operations.remove(&id) else { return };
        self.index.operations_by_age.remove(&(it.revision, it.id));
    }
}
