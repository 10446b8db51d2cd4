//! Every path there is, in one table.

use std::collections::HashMap;
use std::sync::LazyLock;

use percent_encoding::percent_decode_str;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Projects,
    Project,
    Services,
    Service,
    ServiceDeployments,
    ServiceReplicas,
    ServiceLogs,
    ServiceExec,
    ServiceExplain,
    ServiceRestart,
    Workers,
    Worker,
    WorkerDeployments,
    WorkerReplicas,
    WorkerLogs,
    WorkerExec,
    WorkerExplain,
    WorkerRestart,
    Domains,
    Domain,
    Routes,
    Route,
    Configs,
    Config,
    ConfigItems,
    ConfigItem,
    Secrets,
    Secret,
    SecretItems,
    SecretItem,
    Deployments,
    Deployment,
    Rollback,
    ApiKeys,
    ApiKey,
    Users,
    User,
    Login,
    Logout,
    Me,
    Nodes,
    Node,
    Cluster,
    Backup,
    ClusterHealth,
    ClusterAuthority,
    ClusterAuthorityRotate,
    ClusterLeader,
    JoinTokens,
    Keyring,
    KeyringRotate,
    KeyringLock,
    KeyringUnlock,
    KeyringRemoveLock,
    Events,
    Schema,
    Docs,
}

/// Who may use a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody, without credentials.
    Open,
    /// Whoever has credentials.
    Known,
    /// Whoever has credentials, but only admins change something.
    AdminsChange,
    /// Only admins.
    Admins,
}

/// A path and what may be done with it.
#[derive(Debug)]
pub struct Path {
    /// With `{parent}` and `{id}` in the place of ids.
    pub pattern: &'static str,
    /// What it leads to.
    pub endpoint: Endpoint,
    /// Without HEAD and OPTIONS, which follow from them.
    pub methods: &'static [&'static str],
    /// Who may use it.
    pub access: Access,
}

const COLLECTION: &[&str] = &["GET", "POST"];
const OBJECT: &[&str] = &["GET", "PATCH", "DELETE"];
const READ: &[&str] = &["GET"];
const ACTION: &[&str] = &["POST"];

const fn path(pattern: &'static str, endpoint: Endpoint, methods: &'static [&'static str]) -> Path {
    Path {
        pattern,
        endpoint,
        methods,
        access: Access::Known,
    }
}

impl Path {
    const fn for_(self, access: Access) -> Self {
        Self { access, ..self }
    }
}

/// Every path of the API.
pub static PATHS: &[Path] = &[
    path("/api/projects/", Endpoint::Projects, COLLECTION),
    path("/api/projects/{id}/", Endpoint::Project, OBJECT),
    path("/api/services/", Endpoint::Services, COLLECTION),
    path("/api/services/{id}/", Endpoint::Service, OBJECT),
    path(
        "/api/services/{parent}/deployments/",
        Endpoint::ServiceDeployments,
        READ,
    ),
    path("/api/services/{parent}/replicas/", Endpoint::ServiceReplicas, READ),
    path("/api/services/{parent}/logs/", Endpoint::ServiceLogs, READ),
    path("/api/services/{parent}/exec/", Endpoint::ServiceExec, READ),
    path("/api/services/{parent}/explain/", Endpoint::ServiceExplain, READ),
    path("/api/services/{parent}/restart/", Endpoint::ServiceRestart, ACTION),
    path("/api/workers/", Endpoint::Workers, COLLECTION),
    path("/api/workers/{id}/", Endpoint::Worker, OBJECT),
    path("/api/workers/{parent}/deployments/", Endpoint::WorkerDeployments, READ),
    path("/api/workers/{parent}/replicas/", Endpoint::WorkerReplicas, READ),
    path("/api/workers/{parent}/logs/", Endpoint::WorkerLogs, READ),
    path("/api/workers/{parent}/exec/", Endpoint::WorkerExec, READ),
    path("/api/workers/{parent}/explain/", Endpoint::WorkerExplain, READ),
    path("/api/workers/{parent}/restart/", Endpoint::WorkerRestart, ACTION),
    path("/api/domains/", Endpoint::Domains, COLLECTION),
    path("/api/domains/{id}/", Endpoint::Domain, OBJECT),
    path("/api/routes/", Endpoint::Routes, COLLECTION),
    path("/api/routes/{id}/", Endpoint::Route, OBJECT),
    path("/api/configs/", Endpoint::Configs, COLLECTION),
    path("/api/configs/{id}/", Endpoint::Config, OBJECT),
    path("/api/configs/{parent}/items/", Endpoint::ConfigItems, COLLECTION),
    path("/api/configs/{parent}/items/{id}/", Endpoint::ConfigItem, OBJECT),
    path("/api/secrets/", Endpoint::Secrets, COLLECTION),
    path("/api/secrets/{id}/", Endpoint::Secret, OBJECT),
    path("/api/secrets/{parent}/items/", Endpoint::SecretItems, COLLECTION),
    path("/api/secrets/{parent}/items/{id}/", Endpoint::SecretItem, OBJECT),
    path("/api/deployments/", Endpoint::Deployments, READ),
    path("/api/deployments/{id}/", Endpoint::Deployment, READ),
    path("/api/deployments/{id}/rollback/", Endpoint::Rollback, ACTION),
    path("/api/api-keys/", Endpoint::ApiKeys, COLLECTION),
    path("/api/api-keys/{id}/", Endpoint::ApiKey, &["GET", "DELETE"]),
    path("/api/users/", Endpoint::Users, COLLECTION),
    path("/api/users/{id}/", Endpoint::User, OBJECT),
    path("/api/auth/login/", Endpoint::Login, ACTION).for_(Access::Open),
    path("/api/auth/logout/", Endpoint::Logout, ACTION),
    path("/api/auth/me/", Endpoint::Me, READ),
    path("/api/nodes/", Endpoint::Nodes, READ),
    path("/api/nodes/{id}/", Endpoint::Node, OBJECT).for_(Access::AdminsChange),
    path("/api/cluster/", Endpoint::Cluster, READ),
    path("/api/cluster/backup/", Endpoint::Backup, COLLECTION).for_(Access::Admins),
    path("/api/cluster/health/", Endpoint::ClusterHealth, READ),
    path("/api/cluster/ca/", Endpoint::ClusterAuthority, READ).for_(Access::Admins),
    path("/api/cluster/ca/rotate/", Endpoint::ClusterAuthorityRotate, ACTION).for_(Access::Admins),
    path("/api/cluster/leader/", Endpoint::ClusterLeader, ACTION).for_(Access::Admins),
    path("/api/join-tokens/", Endpoint::JoinTokens, COLLECTION).for_(Access::Admins),
    path("/api/keyring/", Endpoint::Keyring, READ).for_(Access::Admins),
    path("/api/keyring/rotate/", Endpoint::KeyringRotate, ACTION).for_(Access::Admins),
    path("/api/keyring/lock/", Endpoint::KeyringLock, ACTION).for_(Access::Admins),
    path("/api/keyring/unlock/", Endpoint::KeyringUnlock, ACTION).for_(Access::Admins),
    path("/api/keyring/remove-lock/", Endpoint::KeyringRemoveLock, ACTION).for_(Access::Admins),
    path("/api/events/", Endpoint::Events, READ),
    path("/api/schema/", Endpoint::Schema, READ).for_(Access::Open),
    path("/api/docs/", Endpoint::Docs, READ).for_(Access::Open),
];

/// The ids in a path, as they were meant; empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    /// Of what the object belongs to.
    pub parent: String,
    /// Of the object.
    pub id: String,
}

impl Path {
    /// The methods in the order of the Allow header.
    fn allowed(&self) -> impl Iterator<Item = &'static str> {
        let head = self.methods.contains(&"GET").then_some("HEAD");
        self.methods.iter().copied().chain(head).chain(["OPTIONS"])
    }

    /// Whether this method means anything here.
    #[must_use]
    pub fn allows(&self, method: &str) -> bool {
        self.allowed().any(|known| known == method)
    }

    /// The Allow header.
    #[must_use]
    pub fn allow_header(&self) -> String {
        self.allowed().collect::<Vec<_>>().join(", ")
    }

    /// The ids in `path`, if this is its pattern. An id is any text but one with `/` or `.`, even an impossible one.
    fn matches(&self, path: &str) -> Option<Ids> {
        let mut ids = Ids::default();
        let (mut pattern, mut path) = (self.pattern.split('/'), path.split('/'));
        loop {
            let is_id = |text: &str| !text.is_empty() && !text.contains('.');
            match (pattern.next(), path.next()) {
                (None, None) => return Some(ids),
                (Some("{id}"), Some(text)) if is_id(text) => text.clone_into(&mut ids.id),
                (Some("{parent}"), Some(text)) if is_id(text) => text.clone_into(&mut ids.parent),
                (Some(word), Some(text)) if word == text => {}
                _ => return None,
            }
        }
    }
}

/// Where a path leads.
#[derive(Debug)]
pub enum Resolved {
    /// To this, with the ids that it holds.
    Found(&'static Path, Ids),
    /// Nowhere, but with a slash at its end it would.
    NeedsSlash,
    /// Nowhere.
    Unknown,
}

/// The paths by what comes after `/api/`: every request looks one up.
static COLLECTIONS: LazyLock<HashMap<&str, Vec<&Path>>> = LazyLock::new(|| {
    let mut all = HashMap::<_, Vec<_>>::new();
    for path in PATHS {
        if let Some(name) = collection(path.pattern) {
            all.entry(name).or_default().push(path);
        }
    }
    all
});

/// The word after `/api/`.
fn collection(path: &str) -> Option<&str> {
    path.strip_prefix("/api/")?.split('/').next()
}

/// Looks a path up, percent-encoded as it was sent.
#[must_use]
pub fn resolve(raw: &str) -> Resolved {
    // A slash that was encoded is no separator, and nothing we know has one inside.
    if raw.contains("%2F") || raw.contains("%2f") {
        return Resolved::Unknown;
    }
    let path = percent_decode_str(raw).decode_utf8_lossy();
    let find = |path: &str| {
        let known = COLLECTIONS.get(collection(path)?)?;
        known.iter().find_map(|known| Some((*known, known.matches(path)?)))
    };
    match find(&path) {
        Some((known, ids)) => Resolved::Found(known, ids),
        None if !path.ends_with('/') && find(&format!("{path}/")).is_some() => Resolved::NeedsSlash,
        None => Resolved::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_in_any_encoding() {
        for (raw, endpoint, parent, id) in [
            ("/api/services/", Endpoint::Services, "", ""),
            ("/api/services/a%2Db/", Endpoint::Service, "", "a-b"),
            ("/api/services/%7Bx%7D/", Endpoint::Service, "", "{x}"),
            ("/api/services/%00/", Endpoint::Service, "", "\0"),
            (
                "/api/services/%FF/deployments/",
                Endpoint::ServiceDeployments,
                "\u{fffd}",
                "",
            ),
            ("/api/secrets/a/items/b/", Endpoint::SecretItem, "a", "b"),
        ] {
            match resolve(raw) {
                Resolved::Found(path, Ids { parent: p, id: i }) => {
                    assert_eq!((path.endpoint, p.as_str(), i.as_str()), (endpoint, parent, id));
                }
                other => panic!("{raw}: {other:?}"),
            }
        }
    }

    #[test]
    fn every_path_is_found() {
        for known in PATHS {
            let raw = known.pattern.replace(['{', '}'], "");
            let Resolved::Found(found, _) = resolve(&raw) else {
                panic!("{raw} leads nowhere");
            };
            assert_eq!(found.endpoint, known.endpoint, "{raw}");
        }
    }

    #[test]
    fn a_missing_slash_is_told_from_a_path_that_is_not_there() {
        for raw in [
            "/api/services",
            "/api/services/not-an-id",
            "/api/services/x/deployments",
        ] {
            assert!(matches!(resolve(raw), Resolved::NeedsSlash), "{raw}");
        }
        for raw in [
            "/",
            "",
            "/api",
            "/api/",
            "/api/nothing/",
            "/api/nothing",
            "/api/services/a.b/",
            "/api/services/a.b",
            "/api/services/a%2Eb/",
            "/api/services/a%2Fb/",
            "/api/services//",
            "/API/services/",
            "/api/services/x/y/",
            "//api/services/",
            "/api/services/x%2fdeployments/",
        ] {
            assert!(matches!(resolve(raw), Resolved::Unknown), "{raw}");
        }
    }

    #[test]
    fn allow_headers() {
        let header = |endpoint| {
            PATHS
                .iter()
                .find(|p| p.endpoint == endpoint)
                .map(Path::allow_header)
                .unwrap()
        };
        assert_eq!(header(Endpoint::Services), "GET, POST, HEAD, OPTIONS");
        assert_eq!(header(Endpoint::Service), "GET, PATCH, DELETE, HEAD, OPTIONS");
        assert_eq!(header(Endpoint::Deployment), "GET, HEAD, OPTIONS");
        assert_eq!(header(Endpoint::Rollback), "POST, OPTIONS");
    }
}
