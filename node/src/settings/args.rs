//! The flags of the daemon.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgAction, Args, ValueEnum};
use serde::Deserialize;

use super::ReadLease;

/// Flags of `goblins server`. Each can also be a `GOBLINS_*` variable or a line of the TOML file; flags win, then
/// variables.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServerArgs {
    /// TOML file with the same settings: the flag names without the dashes in front, such as node-name = "a"
    #[arg(long, env = "GOBLINS_CONFIG", value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,
    /// Holds everything this node remembers [default: /var/lib/goblins]
    #[arg(long, env = "GOBLINS_DATA_DIR", value_name = "PATH")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Unique in the cluster [default: this host's name]
    #[arg(long, env = "GOBLINS_NODE_NAME", value_name = "NAME")]
    pub(crate) node_name: Option<String>,
    /// Where the REST API listens [default: 127.0.0.1:7400]
    #[arg(long, env = "GOBLINS_API_ADDR", value_name = "IP:PORT")]
    pub(crate) api_addr: Option<String>,
    /// Where other nodes reach this one [default: 127.0.0.1:7401]
    #[arg(long, env = "GOBLINS_PEER_ADDR", value_name = "IP:PORT")]
    pub(crate) peer_addr: Option<String>,
    /// Where the routing proxy listens for http, also from other nodes' proxies [default: 127.0.0.1:8080]
    #[arg(long, env = "GOBLINS_HTTP_ADDR", value_name = "IP:PORT")]
    pub(crate) http_addr: Option<String>,
    /// Where the routing proxy listens for https, with a self-signed certificate [default: nowhere]
    #[arg(long, env = "GOBLINS_HTTPS_ADDR", value_name = "IP:PORT")]
    pub(crate) https_addr: Option<String>,
    /// The IP that others are told where an address above is 0.0.0.0 or [::]
    #[arg(long, env = "GOBLINS_ADVERTISE_ADDR", value_name = "IP")]
    pub(crate) advertise_addr: Option<IpAddr>,
    /// Use the containerd behind this socket [default: one of our own, started and watched by this daemon]
    #[arg(long, env = "GOBLINS_CONTAINERD_SOCKET", value_name = "PATH")]
    pub(crate) containerd_socket: Option<PathBuf>,
    /// Run no containers here: a control-plane node, which needs no containerd
    #[arg(long, env = "GOBLINS_NO_AGENT")]
    pub(crate) no_agent: bool,
    /// A registry that speaks plain http; can be given several times
    #[arg(long, env = "GOBLINS_INSECURE_REGISTRY", value_name = "HOST:PORT", action = ArgAction::Append, value_delimiter = ',')]
    pub(crate) insecure_registry: Vec<String>,
    /// Addresses of this host's containers; need not be routed [default: 10.213.0.0/20]
    #[arg(long, env = "GOBLINS_CONTAINER_SUBNET", value_name = "CIDR")]
    pub(crate) container_subnet: Option<String>,
    /// Name of the bridge that containers hang on [default: gob0]
    #[arg(long, env = "GOBLINS_BRIDGE", value_name = "NAME")]
    pub(crate) bridge: Option<String>,
    /// How many seconds a WebSocket, or another connection that changed its protocol, is left open when its container is
    /// to stop, before it is cut [default: 300]
    #[arg(long, env = "GOBLINS_WEBSOCKET_DRAIN", value_name = "SECONDS")]
    pub(crate) websocket_drain: Option<u32>,
    /// MiB kept of what each replica prints [default: 50]
    #[arg(long, env = "GOBLINS_CONTAINER_LOG_MIB", value_name = "N")]
    pub(crate) container_log_mib: Option<u64>,
    /// On an empty folder: join the cluster of the node that has this peer address
    #[arg(long, env = "GOBLINS_JOIN", value_name = "IP:PORT")]
    pub(crate) join: Option<String>,
    /// The join token, from `goblins token create`
    #[arg(long, env = "GOBLINS_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Changes, and reads of secret values, that an account may make an hour, or off [default: 100]
    #[arg(long, env = "GOBLINS_API_RATE_LIMIT", value_name = "N|off")]
    pub(crate) api_rate_limit: Option<RateLimit>,
    /// Take a snapshot of the state each time this many changes were made, or a quarter of all there is where that is more, and
    /// forget the log before it [default: 50000]
    #[arg(long, env = "GOBLINS_SNAPSHOT_ENTRIES", value_name = "N")]
    pub(crate) snapshot_entries: Option<u64>,
    /// Whether a leader on this host answers reads without asking a majority again when one answered within the last 100 ms;
    /// auto: unless in a virtual machine, which can be stopped with its clocks [default: auto]
    #[arg(long, env = "GOBLINS_READ_LEASE", value_name = "WHEN")]
    pub(crate) read_lease: Option<ReadLease>,
    /// Where the first node writes the first admin's API key, with mode 0600 [default: it is printed once]
    #[arg(long, env = "GOBLINS_BOOTSTRAP_KEY_FILE", value_name = "PATH")]
    pub(crate) bootstrap_key_file: Option<PathBuf>,
    /// What to log, such as warn or info,raft=debug [default: info,openraft=error]
    #[arg(long, env = "GOBLINS_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// How to log [default: text]
    #[arg(long, env = "GOBLINS_LOG_FORMAT", value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}

/// Flags of `goblins dev`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DevArgs {
    /// Holds everything [default: goblins-dev in your state folder]
    #[arg(long, value_name = "PATH")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Port of the REST API on loopback; the next one is for peers
    #[arg(long, value_name = "PORT", default_value_t = 7400)]
    pub(crate) port: u16,
    /// Port of the routing proxy on loopback
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub(crate) http_port: u16,
    /// Use the containerd behind this socket instead of one of our own
    #[arg(long, value_name = "PATH")]
    pub(crate) containerd_socket: Option<PathBuf>,
    /// Run no containers: only the API and the proxy
    #[arg(long)]
    pub(crate) no_agent: bool,
    /// A registry that speaks plain http; can be given several times
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) insecure_registry: Vec<String>,
    /// Addresses of the containers
    #[arg(long, value_name = "CIDR")]
    pub(crate) container_subnet: Option<String>,
    /// What to log, such as info or info,raft=debug
    #[arg(long, value_name = "FILTER", default_value = "warn")]
    pub(crate) log: String,
}

/// How to log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Writes an hour and account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RateLimit {
    Off,
    PerHour(u32),
}

impl FromStr for RateLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            number => match number.parse() {
                Ok(n) if n > 0 => Ok(Self::PerHour(n)),
                _ => Err("give a number of writes an hour, such as 100, or off".to_owned()),
            },
        }
    }
}
