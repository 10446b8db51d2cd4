//! A containerd of our own, for hosts that have none: started, watched, started again, and left running when this
//! daemon stops, so that its containers stay manageable and the next daemon finds it.

mod leftovers;
mod processes;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::containerd::api::Api;

const START: Duration = Duration::from_secs(9);
/// For it to be gone after SIGKILL.
const DEATH: Duration = Duration::from_millis(2250);
const ASK_AGAIN: Duration = Duration::from_millis(25);
const WATCH: Duration = Duration::from_secs(1);
/// An adopted containerd that does not answer this often in a row is ended and started again.
const SILENCES: u32 = 15;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The kernel takes no longer socket paths.
const LONGEST_SOCKET: usize = 100;
/// What all programs are called that have to be there.
const PROGRAMS: [&str; 3] = ["containerd", "containerd-shim-runc-v2", "runc"];

/// Where a containerd of our own lives.
#[derive(Clone, Debug)]
pub struct SuperviseConfig {
    /// The daemon's data folder; containerd gets `containerd/` in it.
    pub data_dir: PathBuf,
    /// For what need not outlive a boot, such as `/run/goblins`; gets a folder for each data folder.
    pub run_dir: PathBuf,
}

/// containerd cannot be run.
#[derive(Debug, Error)]
pub enum SuperviseError {
    /// Its programs are not installed.
    #[error(
        "{missing} not found in $PATH; install the Debian packages `containerd` and `runc`, or name the socket of a \
         running containerd with --containerd-socket"
    )]
    NotInstalled {
        /// Which programs.
        missing: String,
    },
    /// A folder or file of it cannot be written.
    #[error("cannot write {path} for containerd")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It could not be started.
    #[error("containerd cannot be started")]
    Spawn(#[source] io::Error),
    /// It ended, or did not answer.
    #[error("containerd {what}; its last lines in {log}: {tail}")]
    Failed {
        /// What it did.
        what: String,
        /// Its log.
        log: PathBuf,
        /// The end of it.
        tail: String,
    },
}

/// A containerd that is kept running.
#[derive(Debug)]
pub struct Supervisor {
    places: Places,
    stop: CancellationToken,
}

#[derive(Clone, Debug)]
struct Places {
    root: PathBuf,
    state: PathBuf,
    config: PathBuf,
    socket: PathBuf,
    log: PathBuf,
    pid: PathBuf,
}

/// The containerd that is being watched.
enum Running {
    /// Started by this daemon.
    Ours(Child),
    /// Started by an earlier one.
    Adopted,
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Supervisor {
    /// Finds the containerd that an earlier daemon left, or starts one, and waits until it answers. From then on it is
    /// started again whenever it dies, until this is dropped; then it is left running.
    ///
    /// # Errors
    /// When it is not installed or does not come up, within 10 s.
    pub async fn start(config: &SuperviseConfig) -> Result<Self, SuperviseError> {
        let places = Places::new(config);
        let running = match places.adopt().await {
            Some(running) => running,
            None => {
                installed()?;
                leftovers::end(&places).await;
                places.launch().await?
            }
        };
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(watch(places.clone(), running)));
        Ok(Self { places, stop })
    }

    /// Ends the containerd, for when no container of it is left.
    pub async fn end(self) {
        self.stop.cancel();
        if let Some(pid) = self.places.left_over().await {
            processes::end_by(Signal::SIGKILL, &[pid], DEATH).await;
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.places.socket
    }

    /// Where runc is to keep the state of its containers.
    #[must_use]
    pub fn runc_root(&self) -> PathBuf {
        self.places.runc()
    }
}

fn installed() -> Result<(), SuperviseError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let missing: Vec<_> = PROGRAMS
        .into_iter()
        .filter(|program| !folders.iter().any(|folder| folder.join(program).is_file()))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(SuperviseError::NotInstalled {
            missing: missing.join(", "),
        })
    }
}

async fn watch(places: Places, mut running: Running) {
    let mut pause = FIRST_PAUSE;
    loop {
        let since = Instant::now();
        match &mut running {
            Running::Ours(child) => match child.wait().await {
                Ok(status) => tracing::error!(%status, "containerd ended; it is started again, containers live on"),
                Err(error) => tracing::error!(%error, "containerd cannot be watched; it is started again"),
            },
            Running::Adopted => places.until_silent().await,
        }
        if since.elapsed() > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        running = loop {
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            match places.launch().await {
                Ok(running) => break running,
                Err(error) => {
                    let error = crate::reason::chain(&error);
                    tracing::error!(%error, "containerd did not come up; trying again in {pause:?}");
                }
            }
        };
    }
}

impl Places {
    fn new(config: &SuperviseConfig) -> Self {
        let data = std::path::absolute(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
        let folder = data.join("containerd");
        let short = &hex::encode(Sha256::digest(data.as_os_str().as_encoded_bytes()))[..8];
        let state = config.run_dir.join(short);
        let socket = folder.join("containerd.sock");
        let socket = if socket.as_os_str().len() > LONGEST_SOCKET {
            state.join("containerd.sock")
        } else {
            socket
        };
        Self {
            root: folder.join("root"),
            config: folder.join("config.toml"),
            log: folder.join("log"),
            pid: folder.join("pid"),
            state,
            socket,
        }
    }

    /// Version 2 of the format is what 1.6 reads and 2.x still reads. Only what we use is left in: no CRI, no
    /// snapshotters that want devices.
    fn settings(&self) -> String {
        let text = |path: &Path| toml_string(path.as_os_str());
        format!(
            "# Written by goblins at each start of its containerd.\n\
             version = 2\n\
             root = {}\n\
             state = {}\n\
             disabled_plugins = [\n  \
             \"io.containerd.grpc.v1.cri\",\n  \"io.containerd.internal.v1.opt\",\n  \
             \"io.containerd.internal.v1.tracing\",\n  \"io.containerd.tracing.processor.v1.otlp\",\n  \
             \"io.containerd.snapshotter.v1.aufs\",\n  \"io.containerd.snapshotter.v1.btrfs\",\n  \
             \"io.containerd.snapshotter.v1.devmapper\",\n  \"io.containerd.snapshotter.v1.zfs\",\n]\n\n\
             [grpc]\naddress = {}\n",
            text(&self.root),
            text(&self.state),
            text(&self.socket),
        )
    }

    /// The state of runc, with a folder for each of containerd's namespaces.
    fn runc(&self) -> PathBuf {
        self.state.join("runc")
    }

    fn api(&self) -> Option<Api> {
        Api::new(&self.socket, "goblins").ok()
    }

    async fn answers(&self) -> bool {
        match self.api() {
            Some(api) => matches!(timeout(Duration::from_secs(2), api.version()).await, Ok(Ok(_))),
            None => false,
        }
    }

    /// The process that was started for this data folder, if it still is one.
    async fn left_over(&self) -> Option<Pid> {
        let pid: i32 = tokio::fs::read_to_string(&self.pid).await.ok()?.trim().parse().ok()?;
        let line = tokio::fs::read(format!("/proc/{pid}/cmdline")).await.ok()?;
        let config = self.config.as_os_str().as_encoded_bytes();
        let ours = line.split(|byte| *byte == 0).any(|word| word == config);
        ours.then(|| Pid::from_raw(pid))
    }

    async fn adopt(&self) -> Option<Running> {
        if self.answers().await {
            return Some(Running::Adopted);
        }
        // It may be starting just now; one that never answers is in the way.
        let pid = self.left_over().await?;
        let end = Instant::now() + START / 2;
        while Instant::now() < end && self.left_over().await.is_some() {
            if self.answers().await {
                return Some(Running::Adopted);
            }
            sleep(ASK_AGAIN).await;
        }
        end_silent(pid).await;
        None
    }

    /// Returns when an adopted containerd is gone.
    async fn until_silent(&self) {
        let mut silences = 0;
        loop {
            sleep(WATCH).await;
            silences = if self.answers().await { 0 } else { silences + 1 };
            if silences == 0 {
                continue;
            }
            match self.left_over().await {
                None => return tracing::error!("containerd is gone; it is started again, containers live on"),
                Some(pid) if silences >= SILENCES => return end_silent(pid).await,
                Some(_) => {}
            }
        }
    }

    async fn launch(&self) -> Result<Running, SuperviseError> {
        for folder in [&self.root, &self.state] {
            tokio::fs::create_dir_all(folder).await.map_err(file_error(folder))?;
        }
        tokio::fs::write(&self.config, self.settings())
            .await
            .map_err(file_error(&self.config))?;
        // A power cut can leave it empty, which containerd does not survive.
        let uuid = self.root.join("io.containerd.grpc.v1.introspection/uuid");
        if tokio::fs::metadata(&uuid).await.is_ok_and(|it| it.len() == 0) {
            tokio::fs::remove_file(&uuid).await.map_err(file_error(&uuid))?;
        }
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(file_error(&self.log))?;
        let log_too = log.try_clone().map_err(file_error(&self.log))?;
        // A session of its own: what ends this daemon's session or terminal does not end containerd.
        let mut child = Command::new("setsid")
            .arg("containerd")
            .arg("--config")
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_too)
            .current_dir("/")
            .spawn()
            .map_err(SuperviseError::Spawn)?;
        if let Some(pid) = child.id() {
            tokio::fs::write(&self.pid, format!("{pid}\n"))
                .await
                .map_err(file_error(&self.pid))?;
        }
        let end = Instant::now() + START;
        while Instant::now() < end {
            if self.answers().await {
                return Ok(Running::Ours(child));
            }
            if let Ok(Some(status)) = child.try_wait() {
                return Err(self.failed(format!("ended at its start with {status}")).await);
            }
            sleep(ASK_AGAIN).await;
        }
        if let Err(error) = child.kill().await {
            tracing::warn!(%error, "a containerd that does not answer could not be ended");
        }
        Err(self
            .failed(format!("did not answer within {} s", START.as_secs()))
            .await)
    }

    async fn failed(&self, what: String) -> SuperviseError {
        let tail = crate::logs::end_of(&self.log, 3).await.join(" | ");
        SuperviseError::Failed {
            what,
            log: self.log.clone(),
            tail,
        }
    }
}

async fn end_silent(pid: Pid) {
    tracing::warn!(%pid, "a containerd that does not answer is ended; its containers live on");
    processes::end_by(Signal::SIGKILL, &[pid], DEATH).await;
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> SuperviseError {
    let path = path.to_owned();
    move |source| SuperviseError::File { path, source }
}

fn toml_string(text: &OsStr) -> String {
    let text = text.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_data_folder_has_its_own_places_and_socket_paths_stay_short() {
        let places = |data: &str| {
            Places::new(&SuperviseConfig {
                data_dir: data.into(),
                run_dir: "/run/goblins".into(),
            })
        };
        let (one, two) = (places("/srv/a"), places("/srv/b"));
        assert_ne!(one.state, two.state);
        assert_eq!(one.socket, Path::new("/srv/a/containerd/containerd.sock"));
        let deep = places(&format!("/srv/{}", "x".repeat(100)));
        assert!(deep.socket.starts_with("/run/goblins") && deep.socket.as_os_str().len() < LONGEST_SOCKET);
        assert!(
            one.settings()
                .contains("address = \"/srv/a/containerd/containerd.sock\"")
        );
    }
}
