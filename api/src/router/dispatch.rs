//! Which code answers which path.

use http::StatusCode;

use super::call::Call;
use super::handlers::{create, delete, list_all, restart, retrieve, reveal_secret, roll_back, update};
use super::paths::Endpoint;
use super::{authority, backup, keyring};
use crate::answer::Answer;
use crate::auth::login;
use crate::errors::ApiError;
use crate::fields::show;
use crate::request::Incoming;
use crate::resource::{Create, Delete, Resource as _, Update};
use crate::resources::{
    ApiKeys, Background, ConfigItems, Configs, Deployments, Domains, JoinTokens, Nodes, Projects, ReplicasOf, Routes,
    SecretItems, Secrets, ServiceDeployments, Services, Users, WithPort, WorkerDeployments, Workers, Workload,
    Workloads, cluster, explain, health,
};
use crate::{docs, events, exec, logs, schema};

/// Answers the call.
///
/// # Errors
/// Whatever is wrong from the id on.
pub async fn call(endpoint: Endpoint, call: &Call<'_>, body: &mut Incoming) -> Result<Answer, ApiError> {
    match endpoint {
        Endpoint::Projects => collection::<Projects>(call, body).await,
        Endpoint::Project => object::<Projects>(call, body).await,
        Endpoint::Services => collection::<Services>(call, body).await,
        Endpoint::Service => object::<Services>(call, body).await,
        Endpoint::ServiceDeployments => list_all::<ServiceDeployments>(call),
        Endpoint::ServiceReplicas => replicas::<WithPort>(call).await,
        Endpoint::ServiceRestart => restart::<WithPort>(call, body).await,
        Endpoint::ServiceExplain => explained::<WithPort>(call),
        Endpoint::ServiceExec => exec::answer::<WithPort>(call).await,
        Endpoint::ServiceLogs => logs::answer::<WithPort>(call).await,
        Endpoint::Workers => collection::<Workers>(call, body).await,
        Endpoint::Worker => object::<Workers>(call, body).await,
        Endpoint::WorkerDeployments => list_all::<WorkerDeployments>(call),
        Endpoint::WorkerReplicas => replicas::<Background>(call).await,
        Endpoint::WorkerRestart => restart::<Background>(call, body).await,
        Endpoint::WorkerExplain => explained::<Background>(call),
        Endpoint::WorkerExec => exec::answer::<Background>(call).await,
        Endpoint::WorkerLogs => logs::answer::<Background>(call).await,
        Endpoint::Domains => collection::<Domains>(call, body).await,
        Endpoint::Domain => object::<Domains>(call, body).await,
        Endpoint::Routes => collection::<Routes>(call, body).await,
        Endpoint::Route => object::<Routes>(call, body).await,
        Endpoint::Configs => collection::<Configs>(call, body).await,
        Endpoint::Config => object::<Configs>(call, body).await,
        Endpoint::ConfigItems => collection::<ConfigItems>(call, body).await,
        Endpoint::ConfigItem => object::<ConfigItems>(call, body).await,
        Endpoint::Secrets => collection::<Secrets>(call, body).await,
        Endpoint::Secret => object::<Secrets>(call, body).await,
        Endpoint::SecretItems => collection::<SecretItems>(call, body).await,
        Endpoint::SecretItem if ["GET", "HEAD"].contains(&call.method()) => reveal_secret(call).await,
        Endpoint::SecretItem => object::<SecretItems>(call, body).await,
        Endpoint::Deployments => list_all::<Deployments>(call),
        Endpoint::Deployment => retrieve::<Deployments>(call),
        Endpoint::Rollback => roll_back(call, body).await,
        Endpoint::ApiKeys => collection::<ApiKeys>(call, body).await,
        Endpoint::ApiKey if call.method() == "DELETE" => delete::<ApiKeys>(call).await,
        Endpoint::ApiKey => retrieve::<ApiKeys>(call),
        Endpoint::Users => collection::<Users>(call, body).await,
        Endpoint::User => object::<Users>(call, body).await,
        Endpoint::Logout => login::logout(call).await,
        Endpoint::Me => Ok(login::me(call)),
        Endpoint::Nodes => list_all::<Nodes>(call),
        Endpoint::Node => object::<Nodes>(call, body).await,
        Endpoint::Cluster => Ok(Answer::json(
            StatusCode::OK,
            show(cluster::FIELDS, &cluster::view(&call.realm())),
        )),
        Endpoint::Backup => backup::answer(call, body).await,
        Endpoint::ClusterHealth => health(call).await,
        Endpoint::ClusterAuthority => authority::show(call).await,
        Endpoint::ClusterAuthorityRotate => authority::rotate(call).await,
        Endpoint::ClusterLeader => authority::transfer(call, body).await,
        Endpoint::JoinTokens => collection::<JoinTokens>(call, body).await,
        Endpoint::Keyring => keyring::show(call).await,
        Endpoint::KeyringRotate => keyring::rotate(call).await,
        Endpoint::KeyringLock => keyring::lock(call, body).await,
        Endpoint::KeyringUnlock => keyring::unlock(call, body).await,
        Endpoint::KeyringRemoveLock => keyring::remove_lock(call, body).await,
        Endpoint::Events => events::answer(call),
        // Answered before anybody is asked for credentials.
        Endpoint::Login | Endpoint::Schema | Endpoint::Docs => Err(ApiError::NotFound),
    }
}

/// Answers what anybody may ask; `None` if the endpoint is not of that kind.
pub fn open(endpoint: Endpoint) -> Option<Answer> {
    match endpoint {
        Endpoint::Schema => Some(schema::answer()),
        Endpoint::Docs => Some(docs::answer()),
        _ => None,
    }
}

/// Why a service or worker stands as it does.
fn explained<K: Workload>(call: &Call<'_>) -> Result<Answer, ApiError> {
    let realm = call.realm();
    let service = Workloads::<K>::find(&realm, realm.parent).ok_or(ApiError::NotFound)?;
    let none = || ApiError::Unavailable("This node cannot explain that.".to_owned());
    let explanation = call.control.explain(realm.state, service.id).ok_or_else(none)?;
    let shown = show(explain::FIELDS, &explain::view(explanation, realm.state));
    Ok(Answer::json(StatusCode::OK, shown))
}

/// Asks all nodes, for how they are and for their keys at once.
async fn health(call: &Call<'_>) -> Result<Answer, ApiError> {
    let keyrings = async {
        match call.control.keyrings() {
            Some(keyrings) => Some(keyrings.show().await),
            None => None,
        }
    };
    let (seen, keys) = futures::join!(call.control.health(), keyrings);
    let state = call.control.local();
    let realm = call.realm_of(&state, &call.terms());
    let shown = show(health::FIELDS, &health::view(&realm, seen, keys));
    Ok(Answer::json(StatusCode::OK, shown))
}

/// Asks the hosts how far they are, if any of them fetches an image.
async fn replicas<K: Workload>(call: &Call<'_>) -> Result<Answer, ApiError> {
    let waiting = ReplicasOf::<K>::waiting(&call.realm());
    if !waiting.is_empty() {
        let pulls = call.control.pulls(call.state, &waiting).await;
        // Nobody else sets it.
        let _ = call.pulls.set(pulls);
    }
    list_all::<ReplicasOf<K>>(call)
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
