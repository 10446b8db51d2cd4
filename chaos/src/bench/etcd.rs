//! The peer: etcd from Debian, a member a host, asked through its JSON gateway.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::BenchError;
use super::http::request;
use crate::client::Client;
use crate::lab::{HostProcess, Lab, Program, tail};

const PORT: u16 = 2379;
const PEER_PORT: u16 = 2380;
const DEADLINE: Duration = Duration::from_secs(30);
/// As in the figures that are to be reached.
const VALUE: usize = 256;

/// Members on the hosts of a lab, which ends them.
#[derive(Debug)]
pub(super) struct Etcd {
    members: Vec<(u8, HostProcess)>,
    programs: Vec<Program>,
    servers: Vec<String>,
}

impl Etcd {
    /// Starts a member on each host; all are healthy when this returns.
    pub async fn start(lab: &Lab) -> Result<Self, BenchError> {
        let hosts = lab.running();
        let peer = |host: &u8| format!("e{host}=http://{}:{PEER_PORT}", lab.address(*host));
        let initial = hosts.iter().map(peer).collect::<Vec<_>>().join(",");
        let mut etcd = Self {
            members: Vec::new(),
            programs: Vec::new(),
            servers: hosts
                .iter()
                .map(|host| format!("{}:{PORT}", lab.address(*host)))
                .collect(),
        };
        for host in hosts {
            let disk = lab.disk(host);
            let (client, peer) = (
                format!("http://{}:{PORT}", lab.address(host)),
                format!("http://{}:{PEER_PORT}", lab.address(host)),
            );
            let program = Program::new("etcd", disk.join("etcd.log"))
                .args(["--data-dir".as_ref(), disk.join("etcd").as_os_str()])
                .args(["--name", &format!("e{host}"), "--initial-cluster", &initial])
                .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
                .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
                // A bench of more than 2 GiB of revisions would otherwise stop half way.
                .args([
                    "--quota-backend-bytes",
                    "8589934592",
                    "--logger",
                    "zap",
                    "--log-level",
                    "warn",
                ]);
            etcd.members.push((host, lab.spawn(host, &program)?));
            etcd.programs.push(program);
        }
        for index in 0..etcd.members.len() {
            etcd.wait_healthy(index).await?;
        }
        Ok(etcd)
    }

    /// `ADDRESS:PORT` of each member.
    pub fn servers(&self) -> &[String] {
        &self.servers
    }

    /// Resident memory of each member in bytes.
    pub fn memory(&self) -> Vec<u64> {
        self.members
            .iter()
            .filter_map(|(_, member)| member.id().resident_bytes())
            .collect()
    }

    /// Which member leads.
    pub async fn leader(&self) -> Result<Option<usize>, BenchError> {
        for index in 0..self.members.len() {
            let Ok(status) = self.client(index)?.post("/v3/maintenance/status", &json!({})).await else {
                continue;
            };
            if status["leader"].is_string() && status["leader"] == status["header"]["member_id"] {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    pub fn kill(&self, index: usize) {
        let (_, member) = &self.members[index];
        member.signal(Signal::SIGKILL);
        member.wait(DEADLINE);
    }

    pub async fn restart(&mut self, lab: &Lab, index: usize) -> Result<(), BenchError> {
        let host = self.members[index].0;
        self.members[index].1 = lab.spawn(host, &self.programs[index])?;
        self.wait_healthy(index).await
    }

    async fn wait_healthy(&self, index: usize) -> Result<(), BenchError> {
        let (host, member) = &self.members[index];
        let client = self.client(index)?;
        let end = Instant::now() + DEADLINE;
        loop {
            let answer = client
                .send(Method::GET, "/health", &[], None, Duration::from_secs(2))
                .await;
            if answer.is_ok_and(|answer| answer.json()["health"] == "true") {
                return Ok(());
            }
            let failure = |what| BenchError::Etcd {
                host: *host,
                what,
                log: tail(member.log(), 10),
            };
            if member.exited().is_some() {
                return Err(failure("ended"));
            }
            if Instant::now() > end {
                return Err(failure("is not healthy"));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn client(&self, index: usize) -> Result<Client, BenchError> {
        Ok(Client::new(format!("http://{}", self.servers[index]), None)?)
    }
}

/// A put of a value of 256 bytes.
pub(super) fn put(server: &str, key: &str) -> Vec<u8> {
    let body = json!({"key": STANDARD.encode(key), "value": STANDARD.encode([b'x'; VALUE])});
    post(server, "/v3/kv/put", &body)
}

/// A linearizable get of one key.
pub(super) fn get(server: &str, key: &str) -> Vec<u8> {
    post(server, "/v3/kv/range", &json!({"key": STANDARD.encode(key)}))
}

/// 20 keys of all that begin with `prefix`.
pub(super) fn list(server: &str, prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    let body = json!({"key": STANDARD.encode(prefix), "range_end": STANDARD.encode(end), "limit": 20});
    post(server, "/v3/kv/range", &body)
}

fn post(server: &str, path: &str, body: &Value) -> Vec<u8> {
    request("POST", path, server, None, &body.to_string())
}
