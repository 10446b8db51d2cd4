//! The TOML file: the same settings under the names of the flags. What a flag or a variable says wins.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::ReadLease;
use super::args::{LogFormat, ServerArgs};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    data_dir: Option<PathBuf>,
    node_name: Option<String>,
    api_addr: Option<String>,
    peer_addr: Option<String>,
    http_addr: Option<String>,
    https_addr: Option<String>,
    advertise_addr: Option<IpAddr>,
    containerd_socket: Option<PathBuf>,
    #[serde(default)]
    no_agent: bool,
    #[serde(default)]
    insecure_registry: Vec<String>,
    container_subnet: Option<String>,
    bridge: Option<String>,
    websocket_drain: Option<u32>,
    container_log_mib: Option<u64>,
    join: Option<String>,
    token: Option<String>,
    api_rate_limit: Option<Limit>,
    snapshot_entries: Option<u64>,
    read_lease: Option<ReadLease>,
    bootstrap_key_file: Option<PathBuf>,
    log: Option<String>,
    log_format: Option<LogFormat>,
}

/// `api-rate-limit = 100` or `api-rate-limit = "off"`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Limit {
    Number(u32),
    Text(String),
}

impl ServerArgs {
    /// Fills in from the file, if one is named, what neither a flag nor a variable says.
    pub(super) fn with_file(self) -> Result<Self> {
        let file = match &self.config {
            Some(path) => read(path)?,
            None => File::default(),
        };
        let limit = file.api_rate_limit.map(|it| match it {
            Limit::Number(n) => n.to_string(),
            Limit::Text(text) => text,
        });
        let limit = limit.map(|it| it.parse()).transpose();
        let limit = limit.map_err(|error| anyhow::anyhow!("api-rate-limit in the file given by --config: {error}"))?;
        Ok(Self {
            config: self.config,
            data_dir: self.data_dir.or(file.data_dir),
            node_name: self.node_name.or(file.node_name),
            api_addr: self.api_addr.or(file.api_addr),
            peer_addr: self.peer_addr.or(file.peer_addr),
            http_addr: self.http_addr.or(file.http_addr),
            https_addr: self.https_addr.or(file.https_addr),
            advertise_addr: self.advertise_addr.or(file.advertise_addr),
            containerd_socket: self.containerd_socket.or(file.containerd_socket),
            no_agent: self.no_agent || file.no_agent,
            insecure_registry: if self.insecure_registry.is_empty() {
                file.insecure_registry
            } else {
                self.insecure_registry
            },
            container_subnet: self.container_subnet.or(file.container_subnet),
            bridge: self.bridge.or(file.bridge),
            websocket_drain: self.websocket_drain.or(file.websocket_drain),
            container_log_mib: self.container_log_mib.or(file.container_log_mib),
            join: self.join.or(file.join),
            token: self.token.or(file.token),
            api_rate_limit: self.api_rate_limit.or(limit),
            snapshot_entries: self.snapshot_entries.or(file.snapshot_entries),
            read_lease: self.read_lease.or(file.read_lease),
            bootstrap_key_file: self.bootstrap_key_file.or(file.bootstrap_key_file),
            log: self.log.or(file.log),
            log_format: self.log_format.or(file.log_format),
        })
    }
}

fn read(path: &Path) -> Result<File> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read --config {}", path.display()))?;
    match toml::from_str(&text) {
        Ok(file) => Ok(file),
        Err(error) => bail!("{} is not a configuration of ours: {error}", path.display()),
    }
}
