//! Which code answers which path.

use http::StatusCode;
use http::request::Parts;
use model::State;
use tokio::time::Instant;

use super::handlers::{create, delete, list_all, retrieve, update};
use super::list::list;
use super::paths::Endpoint;
use crate::answer::Answer;
use crate::auth::Asker;
use crate::errors::ApiError;
use crate::fields::show;
use crate::port::ControlPlane;
use crate::request::{Incoming, Query};
use crate::resource::{Create, Delete, Resource, Update};
use crate::resources::{
    ApiKeys, Deployments, Domains, JoinTokens, Nodes, Projects, Replicas, Routes, Services, cluster,
};

/// A request that passed the checks up to its method.
pub struct Call<'a> {
    pub control: &'a dyn ControlPlane,
    pub parts: &'a Parts,
    pub query: Query,
    /// The id in the path, as it was meant; empty where there is none.
    pub id: String,
    pub asker: Asker,
    pub state: State,
    pub deadline: Instant,
}

impl Call<'_> {
    fn method(&self) -> &str {
        self.parts.method.as_str()
    }
}

/// Answers the call.
///
/// # Errors
/// Whatever is wrong from the id on.
pub async fn call(endpoint: Endpoint, call: Call<'_>, body: &mut Incoming) -> Result<Answer, ApiError> {
    match endpoint {
        Endpoint::Projects => collection::<Projects>(&call, body).await,
        Endpoint::Project => object::<Projects>(&call, body).await,
        Endpoint::Services => collection::<Services>(&call, body).await,
        Endpoint::Service => object::<Services>(&call, body).await,
        Endpoint::ServiceDeployments => {
            of_service::<Deployments>(&call, |state, service| state.deployments_of(service).collect())
        }
        Endpoint::ServiceReplicas => {
            of_service::<Replicas>(&call, |state, service| state.replicas_of(service).collect())
        }
        Endpoint::Domains => collection::<Domains>(&call, body).await,
        Endpoint::Domain => object::<Domains>(&call, body).await,
        Endpoint::Routes => collection::<Routes>(&call, body).await,
        Endpoint::Route => object::<Routes>(&call, body).await,
        Endpoint::Deployments => list_all::<Deployments>(&call),
        Endpoint::Deployment => retrieve::<Deployments>(&call),
        Endpoint::ApiKeys => collection::<ApiKeys>(&call, body).await,
        Endpoint::ApiKey if call.method() == "DELETE" => delete::<ApiKeys>(&call).await,
        Endpoint::ApiKey => retrieve::<ApiKeys>(&call),
        Endpoint::Nodes => list_all::<Nodes>(&call),
        Endpoint::Node if call.method() == "PATCH" => update::<Nodes>(&call, body).await,
        Endpoint::Node => retrieve::<Nodes>(&call),
        Endpoint::Cluster => Ok(Answer::json(
            StatusCode::OK,
            show(cluster::FIELDS, &cluster::view(&call.realm())),
        )),
        Endpoint::JoinTokens => collection::<JoinTokens>(&call, body).await,
    }
}

async fn collection<R: Create>(call: &Call<'_>, body: &mut Incoming) -> Result<Answer, ApiError> {
    match call.method() {
        "POST" => create::<R>(call, body).await,
        _ => list_all::<R>(call),
    }
}

async fn object<R: Update + Delete>(call: &Call<'_>, body: &mut Incoming) -> Result<Answer, ApiError> {
    match call.method() {
        "PATCH" => update::<R>(call, body).await,
        "DELETE" => delete::<R>(call).await,
        _ => retrieve::<R>(call),
    }
}

/// A list of what belongs to the service in the path.
fn of_service<R: Resource>(
    call: &Call<'_>,
    rows: impl for<'a> Fn(&'a State, model::ServiceId) -> Vec<&'a R::Model>,
) -> Result<Answer, ApiError> {
    let realm = call.realm();
    let service = Services::find(&realm, &call.id).ok_or(ApiError::NotFound)?.id;
    list::<R>(&realm, rows(&call.state, service), call.parts, &call.query)
}
