//! How a node is told what to do: flags, then `GOBLINS_*` variables, then a TOML file, then defaults.

pub(crate) mod addresses;
mod args;
mod file;
mod read_lease;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use agent::{Limits, Subnet};
use anyhow::{Context, Result, bail};

pub(crate) use args::{DevArgs, LogFormat, RateLimit, ServerArgs};
pub(crate) use read_lease::ReadLease;

/// Where a node keeps everything unless it is told otherwise.
const DATA_DIR: &str = "/var/lib/goblins";
/// Changes an hour and account where nobody says.
const RATE_LIMIT: u32 = 100;
/// Changes from one snapshot to the next where nobody says, and the fewest that make sense.
const SNAPSHOT_ENTRIES: u64 = 50_000;
const SNAPSHOT_ENTRIES_MIN: u64 = 100;
/// Kept of what each replica prints where nobody says.
const LOG_MIB: u64 = 50;
const API_PORT: u16 = 7400;
const PEER_PORT: u16 = 7401;
const HTTP_PORT: u16 = 8080;
/// Only an example in an error text: HTTPS is served where it is asked for.
const HTTPS_PORT: u16 = 8443;

/// How this node takes part if its folder is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Birth {
    /// It founds a cluster.
    Found,
    /// It joins one.
    Join { addr: String, token: String },
}

/// Everything a node is told, checked.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) data_dir: PathBuf,
    pub(crate) node_name: String,
    pub(crate) api_addr: SocketAddr,
    pub(crate) peer_addr: SocketAddr,
    pub(crate) http_addr: SocketAddr,
    pub(crate) https_addr: Option<SocketAddr>,
    /// What others are told instead of an address that is not one host's, such as `0.0.0.0`.
    pub(crate) advertise: Option<IpAddr>,
    pub(crate) birth: Birth,
    pub(crate) containers: Option<Containers>,
    pub(crate) api_rate_limit: RateLimit,
    /// Entries from one snapshot to the next.
    pub(crate) snapshot_entries: u64,
    pub(crate) read_lease: ReadLease,
    pub(crate) bootstrap_key_file: Option<PathBuf>,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    /// Say on standard output where everything is, for a person.
    pub(crate) greet: bool,
}

/// How containers are run on this host.
#[derive(Clone, Debug)]
pub(crate) struct Containers {
    /// `None`: a containerd of our own.
    pub(crate) socket: Option<PathBuf>,
    pub(crate) insecure_registries: Vec<String>,
    pub(crate) bridge: String,
    /// How long connections that changed their protocol are left open when their container is to stop.
    pub(crate) drain_tunnels: Duration,
    pub(crate) subnet: Subnet,
    /// Kept of what each replica prints.
    pub(crate) log_bytes: u64,
}

impl Settings {
    /// Checks what `goblins server` was given.
    pub(crate) fn from_server(args: ServerArgs) -> Result<Self> {
        let args = args.with_file()?;
        let birth = match (args.join, args.token) {
            (Some(addr), Some(token)) => Birth::Join {
                addr: addresses::peer("--join", &addr)?,
                token,
            },
            (None, None) => Birth::Found,
            (Some(_), None) => bail!("--join needs --token; make one with `goblins token create` on any node"),
            (None, Some(_)) => bail!("--token needs --join IP:PORT, the peer address of any node of the cluster"),
        };
        let ip = args.advertise_addr;
        let default = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let settings = Self {
            data_dir: args.data_dir.unwrap_or_else(|| DATA_DIR.into()),
            node_name: node_name(args.node_name)?,
            api_addr: addresses::local("--api-addr", args.api_addr.as_deref(), default(API_PORT))?,
            peer_addr: addresses::local("--peer-addr", args.peer_addr.as_deref(), default(PEER_PORT))?,
            http_addr: addresses::local("--http-addr", args.http_addr.as_deref(), default(HTTP_PORT))?,
            https_addr: args
                .https_addr
                .as_deref()
                .map(|text| addresses::local("--https-addr", Some(text), default(HTTPS_PORT)))
                .transpose()?,
            advertise: ip,
            birth,
            containers: if args.no_agent {
                None
            } else {
                Some(Containers {
                    socket: args.containerd_socket,
                    insecure_registries: registries(args.insecure_registry)?,
                    bridge: args.bridge.unwrap_or_else(|| "gob0".to_owned()),
                    drain_tunnels: args
                        .websocket_drain
                        .map_or(Limits::default().drain_tunnels, |it| Duration::from_secs(it.into())),
                    subnet: subnet(args.container_subnet.as_deref())?,
                    log_bytes: log_bytes(args.container_log_mib)?,
                })
            },
            api_rate_limit: args.api_rate_limit.unwrap_or(RateLimit::PerHour(RATE_LIMIT)),
            snapshot_entries: snapshot_entries(args.snapshot_entries)?,
            read_lease: args.read_lease.unwrap_or_default(),
            bootstrap_key_file: args.bootstrap_key_file,
            log: args.log.unwrap_or_else(|| "info,openraft=error".to_owned()),
            log_format: args.log_format.unwrap_or_default(),
            greet: false,
        };
        addresses::distinct(&settings)?;
        Ok(settings)
    }

    /// Checks what `goblins dev` was given.
    pub(crate) fn from_dev(args: DevArgs) -> Result<Self> {
        let base = args.port;
        let local = |offset| -> Result<SocketAddr> {
            let port = base
                .checked_add(offset)
                .with_context(|| format!("--port {base} is too high"))?;
            Ok(SocketAddr::from(([127, 0, 0, 1], port)))
        };
        let data_dir = args
            .data_dir
            .or_else(default_dev_dir)
            .context("name a folder with --data-dir")?;
        let settings = Self {
            data_dir,
            node_name: "dev".to_owned(),
            api_addr: local(0)?,
            peer_addr: local(1)?,
            http_addr: SocketAddr::from(([127, 0, 0, 1], args.http_port)),
            https_addr: None,
            advertise: None,
            birth: Birth::Found,
            containers: (!args.no_agent).then_some(Containers {
                socket: args.containerd_socket,
                insecure_registries: registries(args.insecure_registry)?,
                bridge: "gobdev0".to_owned(),
                drain_tunnels: Limits::default().drain_tunnels,
                subnet: subnet(args.container_subnet.as_deref())?,
                log_bytes: log_bytes(None)?,
            }),
            api_rate_limit: RateLimit::Off,
            snapshot_entries: SNAPSHOT_ENTRIES,
            read_lease: ReadLease::default(),
            bootstrap_key_file: None,
            log: args.log,
            log_format: LogFormat::Text,
            greet: true,
        };
        addresses::distinct(&settings)?;
        Ok(settings)
    }

    /// What others are told: `addr`, with the advertised IP in place of one that is no single host's.
    pub(crate) fn advertised(&self, addr: SocketAddr) -> SocketAddr {
        match self.advertise {
            Some(ip) if addr.ip().is_unspecified() => SocketAddr::new(ip, addr.port()),
            _ => addr,
        }
    }
}

fn default_dev_dir() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state")));
    state.map(|it| it.join("goblins-dev"))
}

/// The name that was given, or this host's.
pub(crate) fn node_name(given: Option<String>) -> Result<String> {
    let name = match given {
        Some(name) => name,
        None => nix::unistd::gethostname()
            .context("cannot read this host's name; give one with --node-name")?
            .to_string_lossy()
            .into_owned(),
    };
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if name.is_empty() || name.len() > 63 || !name.chars().all(good) {
        bail!("--node-name {name:?}: use 1 to 63 letters, digits, dashes, dots and underscores");
    }
    Ok(name)
}

fn snapshot_entries(given: Option<u64>) -> Result<u64> {
    let entries = given.unwrap_or(SNAPSHOT_ENTRIES);
    if entries < SNAPSHOT_ENTRIES_MIN {
        bail!(
            "--snapshot-entries {entries}: give at least {SNAPSHOT_ENTRIES_MIN}, or every few changes cost a snapshot"
        );
    }
    Ok(entries)
}

fn registries(given: Vec<String>) -> Result<Vec<String>> {
    for registry in &given {
        if registry.contains('/') || registry.is_empty() {
            bail!("--insecure-registry {registry:?}: give HOST:PORT alone, such as registry.example:5000");
        }
    }
    Ok(given)
}

/// Whole files are dropped, a fifth at a time.
fn log_bytes(given: Option<u64>) -> Result<u64> {
    match given.unwrap_or(LOG_MIB) {
        mib @ 1..=1_000_000 => Ok(mib << 20),
        other => bail!("--container-log-mib {other}: give MiB a replica, from 1 to 1000000, such as {LOG_MIB}"),
    }
}

fn subnet(given: Option<&str>) -> Result<Subnet> {
    match given {
        None => Ok(Subnet::default()),
        Some(text) => text.parse().with_context(|| format!("--container-subnet {text:?}")),
    }
}

#[cfg(test)]
mod tests;
