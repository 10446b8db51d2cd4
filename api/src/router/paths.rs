//! Every path there is, in one table.

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
    Domains,
    Domain,
    Routes,
    Route,
    Deployments,
    Deployment,
    ApiKeys,
    ApiKey,
    Nodes,
    Node,
    Cluster,
    JoinTokens,
}

/// Who has to be an admin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admins {
    /// Nobody.
    NotNeeded,
    /// Whoever changes something.
    ToChange,
    /// Everybody.
    Always,
}

/// A path and what may be done with it.
#[derive(Debug)]
pub struct Path {
    pattern: &'static str,
    /// What it leads to.
    pub endpoint: Endpoint,
    methods: &'static [&'static str],
    /// Who has to be an admin.
    pub admins: Admins,
}

const COLLECTION: &[&str] = &["GET", "POST"];
const OBJECT: &[&str] = &["GET", "PATCH", "DELETE"];
const READ: &[&str] = &["GET"];

const fn path(pattern: &'static str, endpoint: Endpoint, methods: &'static [&'static str]) -> Path {
    Path {
        pattern,
        endpoint,
        methods,
        admins: Admins::NotNeeded,
    }
}

static PATHS: &[Path] = &[
    path("/api/projects/", Endpoint::Projects, COLLECTION),
    path("/api/projects/{id}/", Endpoint::Project, OBJECT),
    path("/api/services/", Endpoint::Services, COLLECTION),
    path("/api/services/{id}/", Endpoint::Service, OBJECT),
    path("/api/services/{id}/deployments/", Endpoint::ServiceDeployments, READ),
    path("/api/services/{id}/replicas/", Endpoint::ServiceReplicas, READ),
    path("/api/domains/", Endpoint::Domains, COLLECTION),
    path("/api/domains/{id}/", Endpoint::Domain, OBJECT),
    path("/api/routes/", Endpoint::Routes, COLLECTION),
    path("/api/routes/{id}/", Endpoint::Route, OBJECT),
    path("/api/deployments/", Endpoint::Deployments, READ),
    path("/api/deployments/{id}/", Endpoint::Deployment, READ),
    path("/api/api-keys/", Endpoint::ApiKeys, COLLECTION),
    path("/api/api-keys/{id}/", Endpoint::ApiKey, &["GET", "DELETE"]),
    path("/api/nodes/", Endpoint::Nodes, READ),
    Path {
        admins: Admins::ToChange,
        ..path("/api/nodes/{id}/", Endpoint::Node, &["GET", "PATCH"])
    },
    path("/api/cluster/", Endpoint::Cluster, READ),
    Path {
        admins: Admins::Always,
        ..path("/api/join-tokens/", Endpoint::JoinTokens, COLLECTION)
    },
];

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

    /// The id in `path`, if this is its pattern. An id is any text but one with `/` or `.`, even an impossible one.
    fn matches(&self, path: &str) -> Option<Option<String>> {
        let mut id = None;
        let (mut pattern, mut path) = (self.pattern.split('/'), path.split('/'));
        loop {
            match (pattern.next(), path.next()) {
                (None, None) => return Some(id),
                (Some("{id}"), Some(text)) if !text.is_empty() && !text.contains('.') => id = Some(text.to_owned()),
                (Some(word), Some(text)) if word == text => {}
                _ => return None,
            }
        }
    }
}

/// Where a path leads.
#[derive(Debug)]
pub enum Resolved {
    /// To this, with the id that it holds.
    Found(&'static Path, String),
    /// Nowhere, but with a slash at its end it would.
    NeedsSlash,
    /// Nowhere.
    Unknown,
}

/// Looks a path up, percent-encoded as it was sent.
#[must_use]
pub fn resolve(raw: &str) -> Resolved {
    // A slash that was encoded is no separator, and nothing we know has one inside.
    if raw.contains("%2F") || raw.contains("%2f") {
        return Resolved::Unknown;
    }
    let path = percent_decode_str(raw).decode_utf8_lossy();
    let find = |path: &str| PATHS.iter().find_map(|known| Some((known, known.matches(path)?)));
    match find(&path) {
        Some((known, id)) => Resolved::Found(known, id.unwrap_or_default()),
        None if !path.ends_with('/') && find(&format!("{path}/")).is_some() => Resolved::NeedsSlash,
        None => Resolved::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_in_any_encoding() {
        for (raw, endpoint, id) in [
            ("/api/services/", Endpoint::Services, ""),
            ("/api/services/a%2Db/", Endpoint::Service, "a-b"),
            ("/api/services/%7Bx%7D/", Endpoint::Service, "{x}"),
            ("/api/services/%00/", Endpoint::Service, "\0"),
            (
                "/api/services/%FF/deployments/",
                Endpoint::ServiceDeployments,
                "\u{fffd}",
            ),
        ] {
            match resolve(raw) {
                Resolved::Found(path, found) => assert_eq!((path.endpoint, found.as_str()), (endpoint, id)),
                other => panic!("{raw}: {other:?}"),
            }
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
    }
}
