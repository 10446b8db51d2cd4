//! Services and workers, found by name or id.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::client::Client;
use crate::table::plain;

/// Which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Service,
    Worker,
}

impl Kind {
    const ALL: [Self; 2] = [Self::Service, Self::Worker];

    /// The part of the path that it has in the API.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Service => "services",
            Self::Worker => "workers",
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Worker => "worker",
        }
    }
}

/// A service or worker as the API shows it.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) kind: Kind,
    pub(crate) shown: Value,
}

impl Workload {
    pub(crate) fn id(&self) -> String {
        plain(&self.shown["id"])
    }

    pub(crate) fn name(&self) -> String {
        plain(&self.shown["name"])
    }

    /// Its path in the API, with a slash at the end.
    pub(crate) fn path(&self) -> String {
        format!("/api/{}/{}/", self.kind.path(), self.id())
    }
}

/// All services, then all workers.
pub(crate) async fn all(client: &Client) -> Result<Vec<Workload>> {
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let shown = client.list(&format!("/api/{}/?ordering=name", kind.path())).await?;
        found.extend(shown.into_iter().map(|shown| Workload { kind, shown }));
    }
    Ok(found)
}

/// The one of this name or id.
pub(crate) async fn find(client: &Client, wanted: &str) -> Result<Workload> {
    pick(all(client).await?, wanted)
}

/// The one of this name or id, if there is one.
pub(crate) fn pick(all: Vec<Workload>, wanted: &str) -> Result<Workload> {
    let names: Vec<_> = all.iter().map(Workload::name).collect();
    let mut fits = all.into_iter().filter(|it| it.name() == wanted || it.id() == wanted);
    match (fits.next(), fits.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => bail!("{wanted} is the name of a service and of a worker: use the id"),
        (None, _) if names.is_empty() => bail!("there is no service or worker {wanted}; there are none at all"),
        (None, _) => bail!(
            "there is no service or worker {wanted}; there are: {}",
            names.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_workload_is_found_by_name_or_id_if_there_is_one() {
        let one = |kind, id: &str, name: &str| Workload {
            kind,
            shown: json!({"id": id, "name": name}),
        };
        let all = || {
            vec![
                one(Kind::Service, "1", "web"),
                one(Kind::Service, "2", "both"),
                one(Kind::Worker, "3", "both"),
            ]
        };
        assert_eq!(pick(all(), "web").unwrap().path(), "/api/services/1/");
        assert_eq!(pick(all(), "3").unwrap().path(), "/api/workers/3/");
        assert!(pick(all(), "both").unwrap_err().to_string().contains("use the id"));
        assert!(
            pick(all(), "none")
                .unwrap_err()
                .to_string()
                .contains("there are: web, both, both")
        );
        assert!(pick(Vec::new(), "x").unwrap_err().to_string().contains("none at all"));
    }
}
