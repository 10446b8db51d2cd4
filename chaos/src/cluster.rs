//! A cluster of real daemons: one `goblins server` on each host of a lab.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::client::{Client, ClientError};
use crate::lab::{HostProcess, Lab, LabError, Program, tail};
use crate::paths;

/// Where each daemon listens, on its host's address.
pub const API_PORT: u16 = 7400;
/// Node to node.
pub const PEER_PORT: u16 = 7401;
/// The proxy.
pub const HTTP_PORT: u16 = 8080;

/// How long a daemon may take to be ready to serve, and to end after SIGTERM.
pub const DAEMON_DEADLINE: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(10);

/// Why the cluster is not as asked.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// The lab could not be used.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The daemon's program is missing.
    #[error(transparent)]
    NotBuilt(#[from] paths::NotBuilt),
    /// The API did not do what it should.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A daemon ended, or did not become ready or end in time.
    #[error("the daemon on host {host} {what}; the end of its log:\n{log}")]
    Daemon {
        /// Its host.
        host: u8,
        /// What it did or did not do.
        what: String,
        /// The last lines it printed.
        log: String,
    },
    /// Nobody runs there.
    #[error("no daemon was started on host {0}")]
    NotStarted(u8),
    /// The first node wrote no key.
    #[error("cannot read the first admin's key from {}", .0.display())]
    Key(PathBuf, #[source] io::Error),
    /// The answer lacks a field.
    #[error("the API's answer lacks `{field}`: {answer}")]
    Field {
        /// Its name.
        field: &'static str,
        /// The answer.
        answer: Value,
    },
}

/// Makes the socket on standard input the one that sd_listen_fds(3) speaks of.
const HAND_OVER: &str = r#"exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@""#;

/// How the daemons are started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `HOST:PORT` of registries that speak plain HTTP.
    pub insecure_registries: Vec<String>,
    /// Further flags, the same for every node.
    pub flags: Vec<String>,
    /// Variables of the daemon on each host.
    pub environment: BTreeMap<u8, Vec<(String, String)>>,
    /// The daemon of each host that does not run the one under test.
    pub programs: BTreeMap<u8, PathBuf>,
    /// The proxies' sockets outlive the daemons, as a socket unit of systemd makes them.
    pub keeps_sockets: bool,
}

/// One daemon a host. Dropping it stops nothing: the lab ends its hosts' processes.
#[derive(Debug)]
pub struct Cluster {
    options: Options,
    folder: PathBuf,
    addresses: BTreeMap<u8, Ipv4Addr>,
    daemons: BTreeMap<u8, HostProcess>,
    token: Option<String>,
    key: String,
    /// Those that outlive daemons.
    sockets: BTreeMap<u8, Arc<TcpListener>>,
}

impl Cluster {
    /// Starts a daemon on every running host of the lab: the first makes the cluster, the others join it, and all are
    /// ready when this returns.
    pub async fn start(lab: &Lab, options: Options) -> Result<Self, ClusterError> {
        let mut cluster = Self {
            options,
            folder: lab.state().to_owned(),
            addresses: BTreeMap::new(),
            daemons: BTreeMap::new(),
            token: None,
            key: String::new(),
            sockets: BTreeMap::new(),
        };
        for host in lab.running() {
            cluster.add(lab, host).await?;
        }
        Ok(cluster)
    }

    /// Starts a new node on a host: the first of all makes the cluster, any later one joins.
    pub async fn add(&mut self, lab: &Lab, host: u8) -> Result<(), ClusterError> {
        if !self.key.is_empty() && self.token.is_none() {
            self.token = Some(self.join_token().await?);
        }
        self.addresses.insert(host, lab.address(host));
        self.launch(lab, host)?;
        self.wait_ready(host).await?;
        if self.key.is_empty() {
            let path = key_file(&self.folder);
            let key = fs::read_to_string(&path).map_err(|error| ClusterError::Key(path, error))?;
            self.key = key.trim().to_owned();
        }
        Ok(())
    }

    /// Starts the daemon of a host without waiting for it: anew, or again on the folder it left.
    pub fn launch(&mut self, lab: &Lab, host: u8) -> Result<&HostProcess, ClusterError> {
        let address = lab.address(host);
        let disk = lab.disk(host);
        let goblins = match self.options.programs.get(&host) {
            Some(other) => other.clone(),
            None => paths::goblins()?,
        };
        let mut program = self.program(lab, host, goblins)?.args(["server"]);
        program = program.args(["--data-dir".as_ref(), disk.join("data").as_os_str()]);
        program = program.args(["--node-name", &node_name(host), "--api-rate-limit", "off"]);
        for (flag, port) in [
            ("--api-addr", API_PORT),
            ("--peer-addr", PEER_PORT),
            ("--http-addr", HTTP_PORT),
        ] {
            program = program.args([flag, &format!("{address}:{port}")]);
        }
        for registry in &self.options.insecure_registries {
            program = program.args(["--insecure-registry", registry]);
        }
        let first = self.addresses.keys().next().copied();
        match (&self.token, first) {
            (Some(token), Some(first)) if first != host => {
                let join = format!("{}:{PEER_PORT}", lab.address(first));
                program = program.args(["--join", &join, "--token", token]);
            }
            _ => {
                let file = key_file(&self.folder);
                program = program.args(["--bootstrap-key-file".as_ref(), file.as_os_str()]);
            }
        }
        program = program.args(&self.options.flags);
        for name in ["GOBLINS_LOG", "GOBLINS_READ_LEASE", "RUST_BACKTRACE"] {
            if let Some(value) = std::env::var_os(name) {
                program = program.env(name, value);
            }
        }
        for (name, value) in self.options.environment.get(&host).into_iter().flatten() {
            program = program.env(name, value);
        }
        let daemon = lab.spawn(host, &program)?;
        self.daemons.insert(host, daemon);
        self.daemon(host)
    }

    /// The daemon's program, handed the socket that it is to use where sockets are kept.
    fn program(&mut self, lab: &Lab, host: u8, goblins: PathBuf) -> Result<Program, ClusterError> {
        let log = self.log(host);
        if !self.options.keeps_sockets {
            return Ok(Program::new(goblins, log));
        }
        let socket = match self.sockets.get(&host) {
            Some(kept) => Arc::clone(kept),
            None => Arc::new(lab.listen(host, HTTP_PORT)?),
        };
        self.sockets.insert(host, Arc::clone(&socket));
        let program = Program::new("sh", log).input(socket);
        Ok(program.args(["-c".as_ref(), HAND_OVER.as_ref(), "sh".as_ref(), goblins.as_os_str()]))
    }

    /// Whether the proxies' sockets outlive the daemons.
    pub fn keeps_sockets(&self) -> bool {
        self.options.keeps_sockets
    }

    /// What the host is to run from its next start on; `None` is the daemon under test.
    pub fn install(&mut self, host: u8, other: Option<PathBuf>) {
        match other {
            Some(path) => self.options.programs.insert(host, path),
            None => self.options.programs.remove(&host),
        };
    }

    /// Waits until the node on `host` serves linearizable reads.
    pub async fn wait_ready(&self, host: u8) -> Result<(), ClusterError> {
        let client = self.client(host)?;
        let end = Instant::now() + DAEMON_DEADLINE;
        loop {
            let asked = client
                .send(reqwest::Method::GET, "/readyz", &[], None, Duration::from_secs(2))
                .await;
            let state = match asked {
                Ok(answer) if answer.status.is_success() => return Ok(()),
                Ok(answer) => format!(
                    "was not ready within {DAEMON_DEADLINE:?} (/readyz: {})",
                    answer.body.trim()
                ),
                Err(_) => format!("did not answer /readyz within {DAEMON_DEADLINE:?}"),
            };
            if let Some(exit) = self.daemon(host)?.exited() {
                return Err(self.failure(host, format!("ended ({exit})")));
            }
            if Instant::now() > end {
                return Err(self.failure(host, state));
            }
            sleep(POLL).await;
        }
    }

    /// The daemon on a host.
    pub fn daemon(&self, host: u8) -> Result<&HostProcess, ClusterError> {
        self.daemons.get(&host).ok_or(ClusterError::NotStarted(host))
    }

    /// The hosts that have a node.
    pub fn hosts(&self) -> Vec<u8> {
        self.addresses.keys().copied().collect()
    }

    /// The first admin's API key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// A client of the API of the node on `host`, with the first admin's key.
    pub fn client(&self, host: u8) -> Result<Client, ClusterError> {
        let key = (!self.key.is_empty()).then_some(self.key.as_str());
        Ok(Client::new(self.url(host, API_PORT)?, key)?)
    }

    /// A client of the proxy of the node on `host`.
    pub fn proxy(&self, host: u8) -> Result<Client, ClusterError> {
        Ok(Client::new(self.url(host, HTTP_PORT)?, None)?)
    }

    /// `http://ADDRESS:PORT` of a host.
    pub fn url(&self, host: u8, port: u16) -> Result<String, ClusterError> {
        let address = self.addresses.get(&host).ok_or(ClusterError::NotStarted(host))?;
        Ok(format!("http://{address}:{port}"))
    }

    /// The host of the leader, as the node on `asked` knows it; `None` while there is no leader.
    pub async fn leader(&self, asked: u8) -> Result<Option<u8>, ClusterError> {
        let cluster = self.client(asked)?.get("/api/cluster/").await?;
        let name = cluster["leader"]["name"].as_str();
        Ok(self
            .hosts()
            .into_iter()
            .find(|host| Some(node_name(*host).as_str()) == name))
    }

    /// SIGTERM, and waits for the daemon's end. Its containers run on.
    pub fn stop(&self, host: u8) -> Result<(), ClusterError> {
        self.end(host, Signal::SIGTERM)
    }

    /// SIGKILL to the daemon alone. Its containers run on.
    pub fn kill(&self, host: u8) -> Result<(), ClusterError> {
        self.end(host, Signal::SIGKILL)
    }

    fn end(&self, host: u8, signal: Signal) -> Result<(), ClusterError> {
        let daemon = self.daemon(host)?;
        daemon.signal(signal);
        match daemon.wait(DAEMON_DEADLINE) {
            Some(_) => Ok(()),
            None => Err(self.failure(host, format!("did not end within {DAEMON_DEADLINE:?} of {signal}"))),
        }
    }

    /// The file that the daemon on `host` prints to.
    pub fn log(&self, host: u8) -> PathBuf {
        self.folder.join(format!("h{host}")).join("goblins.log")
    }

    /// The last lines of every daemon's log, for an error text.
    pub fn tails(&self, lines: usize) -> String {
        let tails = self.hosts().into_iter().map(|host| {
            let log = self.log(host);
            format!("--- {}\n{}\n", log.display(), tail(&log, lines))
        });
        tails.collect()
    }

    async fn join_token(&self) -> Result<String, ClusterError> {
        let first = self.hosts().into_iter().next().unwrap_or(1);
        let answer = self
            .client(first)?
            .post("/api/join-tokens/", &json!({"uses": u8::MAX}))
            .await?;
        let token = answer["token"].as_str().map(str::to_owned);
        token.ok_or(ClusterError::Field { field: "token", answer })
    }

    fn failure(&self, host: u8, what: String) -> ClusterError {
        ClusterError::Daemon {
            host,
            what,
            log: tail(&self.log(host), 30),
        }
    }
}

/// What the node on `host` is called.
pub fn node_name(host: u8) -> String {
    format!("node-{host}")
}

fn key_file(folder: &Path) -> PathBuf {
    folder.join("admin.key")
}
