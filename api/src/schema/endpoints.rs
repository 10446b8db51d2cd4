//! What each endpoint is about. The match is exhaustive: a new endpoint does not compile without its line here.

use super::components::Table;
use crate::auth::login;
use crate::resource::Resource;
use crate::resources::keyring::{LOCK, PASSPHRASE, SEALED_BY, VIEW};
use crate::resources::{
    ApiKeys, ConfigItems, Configs, Deployments, Domains, Events, JoinTokens, Nodes, Projects, Replicas, Routes,
    SecretItems, Secrets, ServiceDeployments, Services, Users, WorkerDeployments, WorkerReplicas, Workers, authority,
    cluster, explain, health, rollback,
};
use crate::router::paths::Endpoint;

/// What an endpoint is about.
pub struct About {
    /// The group it is shown in.
    pub tag: &'static str,
    /// The component that it answers with.
    pub name: &'static str,
    /// How it answers.
    pub kind: Kind,
}

/// How an endpoint answers.
pub enum Kind {
    /// Pages of a resource, and perhaps new ones.
    Collection(Table),
    /// Pages of a resource; new ones are answered with a field that is never shown again: its name and meaning.
    Revealing(Table, &'static str, &'static str),
    /// One of a resource.
    Object(Table),
    /// One object that is no resource.
    Single(Table),
    /// Something that is done: what is sent, and the status it is answered with.
    Action(Table, u16),
    /// Something that is done and answered with nothing.
    Silent,
    /// Bytes in a format of their own; with POST, what is sent for it.
    File(Table),
    /// Lines as they come, in one of several formats.
    Lines,
    /// A WebSocket.
    Socket,
    /// This document, as the media type names it.
    Document(&'static str),
}

fn table<R: Resource>() -> Table {
    Table::of(R::FIELDS)
}

/// What `endpoint` is about.
pub fn about(endpoint: Endpoint) -> About {
    use Kind::{Action, Collection, Document, File, Lines, Object, Revealing, Silent, Single, Socket};
    let me = || Table::of(login::ME);
    let (tag, name, kind) = match endpoint {
        Endpoint::Projects => ("Projects", "Project", Collection(table::<Projects>())),
        Endpoint::Project => ("Projects", "Project", Object(table::<Projects>())),
        Endpoint::Services => ("Services", "Service", Collection(table::<Services>())),
        Endpoint::Service => ("Services", "Service", Object(table::<Services>())),
        Endpoint::ServiceDeployments => ("Services", "Deployment", Collection(table::<ServiceDeployments>())),
        Endpoint::ServiceReplicas => ("Services", "Replica", Collection(table::<Replicas>())),
        Endpoint::ServiceRestart => ("Services", "Deployment", Action(Table::of(rollback::FIELDS), 201)),
        Endpoint::ServiceExplain => ("Services", "Explanation", Single(Table::of(explain::FIELDS))),
        Endpoint::ServiceExec => ("Services", "Exec", Socket),
        Endpoint::ServiceLogs => ("Services", "Log", Lines),
        Endpoint::Workers => ("Workers", "Worker", Collection(table::<Workers>())),
        Endpoint::Worker => ("Workers", "Worker", Object(table::<Workers>())),
        Endpoint::WorkerDeployments => ("Workers", "Deployment", Collection(table::<WorkerDeployments>())),
        Endpoint::WorkerReplicas => ("Workers", "Replica", Collection(table::<WorkerReplicas>())),
        Endpoint::WorkerRestart => ("Workers", "Deployment", Action(Table::of(rollback::FIELDS), 201)),
        Endpoint::WorkerExplain => ("Workers", "Explanation", Single(Table::of(explain::FIELDS))),
        Endpoint::WorkerExec => ("Workers", "Exec", Socket),
        Endpoint::WorkerLogs => ("Workers", "Log", Lines),
        Endpoint::Domains => ("Domains", "Domain", Collection(table::<Domains>())),
        Endpoint::Domain => ("Domains", "Domain", Object(table::<Domains>())),
        Endpoint::Routes => ("Routes", "Route", Collection(table::<Routes>())),
        Endpoint::Route => ("Routes", "Route", Object(table::<Routes>())),
        Endpoint::Configs => ("Configs", "Config", Collection(table::<Configs>())),
        Endpoint::Config => ("Configs", "Config", Object(table::<Configs>())),
        Endpoint::ConfigItems => ("Configs", "ConfigItem", Collection(table::<ConfigItems>())),
        Endpoint::ConfigItem => ("Configs", "ConfigItem", Object(table::<ConfigItems>())),
        Endpoint::Secrets => ("Secrets", "Secret", Collection(table::<Secrets>())),
        Endpoint::Secret => ("Secrets", "Secret", Object(table::<Secrets>())),
        Endpoint::SecretItems => ("Secrets", "SecretItem", Collection(table::<SecretItems>())),
        Endpoint::SecretItem => ("Secrets", "SecretItem", Object(table::<SecretItems>())),
        Endpoint::Deployments => ("Deployments", "Deployment", Collection(table::<Deployments>())),
        Endpoint::Deployment => ("Deployments", "Deployment", Object(table::<Deployments>())),
        Endpoint::Rollback => ("Deployments", "Deployment", Action(Table::of(rollback::FIELDS), 201)),
        Endpoint::ApiKeys => {
            let key = "The key itself, shown only now.";
            ("Access", "ApiKey", Revealing(table::<ApiKeys>(), "key", key))
        }
        Endpoint::ApiKey => ("Access", "ApiKey", Object(table::<ApiKeys>())),
        Endpoint::Users => ("Access", "User", Collection(table::<Users>())),
        Endpoint::User => ("Access", "User", Object(table::<Users>())),
        Endpoint::Login => ("Access", "Me", Action(Table::of(login::FIELDS), 200)),
        Endpoint::Logout => ("Access", "Me", Silent),
        Endpoint::Me => ("Access", "Me", Single(me())),
        Endpoint::Nodes => ("Cluster", "Node", Collection(table::<Nodes>())),
        Endpoint::Node => ("Cluster", "Node", Object(table::<Nodes>())),
        Endpoint::Cluster => ("Cluster", "Cluster", Single(Table::of(cluster::FIELDS))),
        Endpoint::Backup => ("Cluster", "Backup", File(Table::of(SEALED_BY))),
        Endpoint::ClusterAuthority => ("Cluster", "Authority", Single(Table::of(authority::VIEW))),
        Endpoint::ClusterAuthorityRotate => ("Cluster", "Authority", Action(Table::of::<()>(&[]), 202)),
        Endpoint::ClusterLeader => ("Cluster", "Cluster", Action(Table::of(cluster::LEADER), 200)),
        Endpoint::ClusterHealth => ("Cluster", "ClusterHealth", Single(Table::of(health::FIELDS))),
        Endpoint::JoinTokens => {
            let token = "The token itself, shown only now.";
            ("Cluster", "JoinToken", Revealing(table::<JoinTokens>(), "token", token))
        }
        Endpoint::Keyring => ("Keyring", "Keyring", Single(Table::of(VIEW))),
        Endpoint::KeyringRotate => ("Keyring", "Keyring", Action(Table::of::<()>(&[]), 202)),
        Endpoint::KeyringLock => ("Keyring", "Keyring", Action(Table::of(LOCK), 200)),
        Endpoint::KeyringUnlock | Endpoint::KeyringRemoveLock => {
            ("Keyring", "Keyring", Action(Table::of(PASSPHRASE), 200))
        }
        Endpoint::Events => ("Events", "Event", Collection(table::<Events>())),
        Endpoint::Schema => ("About", "Schema", Document("application/json")),
        Endpoint::Docs => ("About", "Docs", Document("text/html")),
    };
    About { tag, name, kind }
}
