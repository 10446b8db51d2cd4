//! Three hosts, a service of twelve replicas, and the questions that scenarios ask of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::client::{Client, ClientError};
use crate::cluster::{Cluster, ClusterError, HTTP_PORT, Options, node_name};
use crate::image::{Image, ImageError, Variant};
use crate::lab::{Lab, LabError};
use crate::load::{Aim, Load};
use crate::registry::{Registry, RegistryError};

/// Under which the service is asked for.
pub const HOSTNAME: &str = "web.example.test";
/// How many replicas the service has.
pub const REPLICAS: usize = 12;
const HOSTS: u8 = 3;
const POLL: Duration = Duration::from_millis(10);
/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// A request every 2 ms, one of ten a POST.
const RATE: u32 = 500;
const POST_EVERY: u32 = 10;

/// Why a scenario could not be played.
#[derive(Debug, Error)]
pub enum StageError {
    /// The hosts did not do their part.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The registry did not do its.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// An image could not be made.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The daemons did not do theirs.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The API refused something.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Something did not come about.
    #[error("not within {} s: {what}; last seen: {seen}", PATIENCE.as_secs())]
    NotInTime {
        /// What was waited for.
        what: String,
        /// The last answer.
        seen: String,
    },
    /// The load generator's task ended by itself.
    #[error("the load generator broke")]
    LoadBroke,
}

/// See the module. Dropping it takes everything down.
pub struct Stage {
    /// The daemons.
    pub cluster: Cluster,
    /// Where images come from.
    pub registry: Registry,
    /// The hosts.
    pub lab: Lab,
    /// The id of the service.
    pub service: String,
}

impl Stage {
    /// Makes hosts, daemons and the service, and waits until every replica is ready and every proxy knows it. `flags`
    /// are further ones of every daemon.
    pub async fn set(flags: &[&str]) -> Result<Self, StageError> {
        Self::with(Options {
            flags: flags.iter().map(|&it| it.to_owned()).collect(),
            ..Options::default()
        })
        .await
    }

    /// [`Stage::set`] with daemons that are started in another way.
    pub async fn with(options: Options) -> Result<Self, StageError> {
        let mut lab = Lab::up(HOSTS, None)?;
        let registry = Registry::start(&mut lab).await?;
        let options = Options {
            insecure_registries: vec![registry.address().to_owned()],
            ..options
        };
        let cluster = Cluster::start(&lab, options).await?;
        let mut stage = Self {
            cluster,
            registry,
            lab,
            service: String::new(),
        };
        let image = stage.image("1", &Variant::server("1")).await?;
        let wanted = json!({"name": "web", "image": image, "port": 8080, "replicas_target": REPLICAS});
        let api = stage.api(1)?;
        stage.service = id(&api.post("/api/services/", &wanted).await?);
        let domain = id(&api.post("/api/domains/", &json!({"hostname": HOSTNAME})).await?);
        let route = json!({"path": "/", "domain": domain, "service": stage.service});
        api.post("/api/routes/", &route).await?;
        stage.wait_ready(1, REPLICAS).await?;
        for host in 1..=HOSTS {
            stage.wait_proxy(host).await?;
        }
        Ok(stage)
    }

    /// Pushes an image; its reference.
    pub async fn image(&self, tag: &str, variant: &Variant) -> Result<String, StageError> {
        Ok(self.registry.push("web", tag, &Image::build(variant)?).await?)
    }

    /// The API of the node on a host.
    pub fn api(&self, host: u8) -> Result<Client, StageError> {
        Ok(self.cluster.client(host)?)
    }

    /// All hosts of the cluster.
    pub fn hosts(&self) -> Vec<u8> {
        self.cluster.hosts()
    }

    /// Begins to send requests through the proxies of all hosts.
    pub fn load(&self) -> Load {
        let proxies = self.hosts().into_iter().map(|host| (host, self.proxy(host)));
        Load::start(Aim {
            proxies: proxies.collect(),
            hostname: HOSTNAME.to_owned(),
            rate: RATE,
            post_every: POST_EVERY,
        })
    }

    /// Where the proxy of a host listens.
    pub fn proxy(&self, host: u8) -> SocketAddr {
        SocketAddr::from((self.lab.address(host), HTTP_PORT))
    }

    /// Changes the service through the node on a host.
    pub async fn patch(&self, host: u8, change: &Value) -> Result<Value, StageError> {
        let path = format!("/api/services/{}/", self.service);
        Ok(self.api(host)?.patch(&path, change).await?)
    }

    /// The service as the node on a host shows it.
    pub async fn shown(&self, host: u8) -> Result<Value, StageError> {
        Ok(self.api(host)?.get(&format!("/api/services/{}/", self.service)).await?)
    }

    /// Changes a node, through the node on `by`.
    pub async fn patch_node(&self, by: u8, host: u8, change: &Value) -> Result<(), StageError> {
        let api = self.api(by)?;
        let nodes = api.get("/api/nodes/").await?;
        let all = nodes["results"].as_array().cloned().unwrap_or_default();
        let number = all
            .iter()
            .find(|it| it["name"] == node_name(host))
            .map(|it| it["id"].to_string());
        api.patch(&format!("/api/nodes/{}/", number.unwrap_or_default()), change)
            .await?;
        Ok(())
    }

    /// Waits until this many replicas are ready, none of another version is, and nothing is under way.
    pub async fn wait_ready(&self, host: u8, replicas: usize) -> Result<(), StageError> {
        self.wait("all replicas are ready and nothing is under way", async || {
            let shown = self.shown(host).await.map_err(|error| error.to_string())?;
            let good = shown["status"] == "ready" && shown["replicas_running"] == replicas;
            if good { Ok(()) } else { Err(shown.to_string()) }
        })
        .await?;
        self.wait("nothing else is left", async || {
            let states = self.replicas(host).await.map_err(|error| error.to_string())?;
            let good = states.len() == replicas && states.iter().all(|it| it.state == "ready");
            if good { Ok(()) } else { Err(format!("{states:?}")) }
        })
        .await
    }

    /// The replicas of the service, also those that are on their way out.
    pub async fn replicas(&self, host: u8) -> Result<Vec<Replica>, StageError> {
        let path = format!("/api/services/{}/replicas/", self.service);
        Ok(self.all(host, &path).await?.iter().map(Replica::read).collect())
    }

    /// All pages of a list.
    pub async fn all(&self, host: u8, path: &str) -> Result<Vec<Value>, StageError> {
        let (api, mut all) = (self.api(host)?, Vec::new());
        for page in 1.. {
            let list = api.get(&format!("{path}?page={page}")).await?;
            all.extend(list["results"].as_array().cloned().unwrap_or_default());
            if list["next"].is_null() {
                break;
            }
        }
        Ok(all)
    }

    /// How many are ready on each host that runs any.
    pub async fn spread(&self, host: u8) -> Result<BTreeMap<String, usize>, StageError> {
        let mut spread = BTreeMap::new();
        for replica in self.replicas(host).await? {
            if replica.state == "ready" {
                *spread.entry(replica.node).or_default() += 1;
            }
        }
        Ok(spread)
    }

    /// Waits until the proxy of a host answers for the service.
    pub async fn wait_proxy(&self, host: u8) -> Result<(), StageError> {
        let proxy = self.cluster.proxy(host)?;
        self.wait("the proxy answers", async || {
            let headers = [("Host", HOSTNAME)];
            match proxy
                .send(Method::GET, "/", &headers, None, Duration::from_secs(1))
                .await
            {
                Ok(answer) if answer.status.is_success() => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await
    }

    /// Asks again and again until it is good, or says what was seen last.
    pub async fn wait(&self, what: &str, mut asked: impl AsyncFnMut() -> Result<(), String>) -> Result<(), StageError> {
        let end = Instant::now() + PATIENCE;
        loop {
            match asked().await {
                Ok(()) => return Ok(()),
                Err(seen) if Instant::now() > end => {
                    let what = what.to_owned();
                    return Err(StageError::NotInTime { what, seen });
                }
                Err(_) => sleep(POLL).await,
            }
        }
    }
}

/// A replica as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// Its id.
    pub id: String,
    /// What it is doing.
    pub state: String,
    /// The name of its node.
    pub node: String,
    /// The version that it runs.
    pub version: u64,
}

impl Replica {
    fn read(shown: &Value) -> Self {
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        Self {
            id: text(&shown["id"]),
            state: text(&shown["state"]),
            node: text(&shown["node"]["name"]),
            version: shown["version"].as_u64().unwrap_or_default(),
        }
    }
}

fn id(object: &Value) -> String {
    object["id"].as_str().unwrap_or_default().to_owned()
}
