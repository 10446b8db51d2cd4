//! Docker Swarm from Debian on hosts of the same kind: three managers, the image present, an overlay network, as a small
//! team would have it.

use std::time::Duration;

use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use crate::image::{Image, Variant};
use crate::lab::{Lab, Program};
use crate::registry::Registry;

const HOSTS: [u8; 3] = [1, 2, 3];
const COMMAND: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(50);

/// A swarm, and the image that it has.
pub(super) struct Swarm {
    lab: Lab,
    image: String,
    _registry: Registry,
}

impl Swarm {
    /// Why not, where it cannot run.
    pub(super) async fn start() -> Result<Self, String> {
        if !std::path::Path::new("/usr/sbin/dockerd").exists() {
            return Err("dockerd is not installed (apt-get install docker.io)".to_owned());
        }
        let mut lab = Lab::up(3, None).map_err(|error| error.to_string())?;
        let registry = Registry::start(&mut lab).await.map_err(|error| error.to_string())?;
        let image = Image::build(&Variant::server("1")).map_err(|error| error.to_string())?;
        let image = registry
            .push("web", "1", &image)
            .await
            .map_err(|error| error.to_string())?;
        for host in HOSTS {
            let disk = lab.disk(host);
            let program = Program::new("dockerd", disk.join("dockerd.log"));
            let program = program.args(["--data-root".as_ref(), disk.join("docker").as_os_str()]);
            let program = program.args(["--exec-root", "/run/docker", "--pidfile", "/run/docker.pid"]);
            let program = program.args(["--host", "unix:///run/docker.sock"]);
            let program = program.args(["--insecure-registry", registry.address()]);
            lab.spawn(host, &program).map_err(|error| error.to_string())?;
        }
        let swarm = Self {
            lab,
            image,
            _registry: registry,
        };
        for host in HOSTS {
            swarm.until(host, &["info"], |_| true).await?;
            swarm.docker(host, &["pull", "--quiet", &swarm.image])?;
        }
        let first = swarm.lab.address(HOSTS[0]).to_string();
        swarm.docker(HOSTS[0], &["swarm", "init", "--advertise-addr", &first])?;
        let token = swarm.docker(HOSTS[0], &["swarm", "join-token", "--quiet", "manager"])?;
        for host in &HOSTS[1..] {
            let own = swarm.lab.address(*host).to_string();
            let manager = format!("{first}:2377");
            swarm.docker(
                *host,
                &[
                    "swarm",
                    "join",
                    "--advertise-addr",
                    &own,
                    "--token",
                    token.trim(),
                    &manager,
                ],
            )?;
        }
        swarm.docker(HOSTS[0], &["network", "create", "--driver", "overlay", "lan"])?;
        Ok(swarm)
    }

    /// A service of so many replicas comes up and goes; how long each took.
    pub(super) async fn start_and_stop(&self, replicas: usize) -> Result<(Duration, Duration), String> {
        let began = Instant::now();
        let count = replicas.to_string();
        let create = [
            "service",
            "create",
            "--detach",
            "--quiet",
            "--name",
            "web",
            "--network",
            "lan",
            "--replicas",
        ];
        let words: Vec<&str> = create
            .into_iter()
            .chain([count.as_str(), "--no-resolve-image", &self.image])
            .collect();
        self.docker(HOSTS[0], &words)?;
        let all = format!("{replicas}/{replicas}");
        let list = ["service", "ls", "--format", "{{.Replicas}}"];
        self.until(HOSTS[0], &list, |said| said.trim() == all).await?;
        let start = began.elapsed();
        let began = Instant::now();
        self.docker(HOSTS[0], &["service", "rm", "web"])?;
        for host in HOSTS {
            self.until(host, &["ps", "--quiet"], |said| said.trim().is_empty())
                .await?;
        }
        Ok((start, began.elapsed()))
    }

    fn docker(&self, host: u8, words: &[&str]) -> Result<String, String> {
        let words: Vec<&str> = ["docker"].iter().chain(words).copied().collect();
        let output = block_in_place(|| self.lab.exec(host, &words, COMMAND)).map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("`{}`: {}", words.join(" "), said.trim()))
    }

    async fn until(&self, host: u8, words: &[&str], good: impl Fn(&str) -> bool) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.docker(host, words) {
                Ok(said) if good(&said) => return Ok(()),
                other if Instant::now() > end => {
                    let log = self.lab.disk(host).join("dockerd.log");
                    return Err(format!(
                        "not within {} s: {words:?} ({other:?}); dockerd's last words:\n{}",
                        PATIENCE.as_secs(),
                        crate::lab::tail(&log, 5)
                    ));
                }
                _ => sleep(POLL).await,
            }
        }
    }
}
