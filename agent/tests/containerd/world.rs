//! A host of its own for each test: namespaces, containerd, registry, agent.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use agent::{
    Agent, AgentConfig, BridgeNetwork, Containerd, ContainerdConfig, Limits, LogLimits, Logs, NetworkConfig, NoPeers,
    SuperviseConfig, Supervisor,
};
use model::{Intent, NodeId, Phase, ReplicaId, ReplicaReport};
use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::cluster::{FakeCluster, replica};
use crate::image::{self, Variant};

const INSIDE: &str = "GOBLINS_TEST_WORLD";
/// Made at the end of a scenario.
const RAN: &str = "ran";
const PATIENCE: Duration = Duration::from_secs(60);
/// Where values of secrets are mounted: those of node 1.
pub const SECRETS: &str = "/run/goblins/secrets-1";
const REGISTRY: &str = "127.0.0.1:5000";
const PROGRAMS: [&str; 7] = [
    "containerd",
    "runc",
    "docker-registry",
    "skopeo",
    "nft",
    "ip",
    "unshare",
];

/// Runs a scenario in namespaces that end with it. `name` is that of the test, with its modules.
pub fn isolated(name: &str, scenario: impl AsyncFnOnce(PathBuf)) {
    if let Some(data) = std::env::var_os(INSIDE) {
        let none: Option<&str> = None;
        mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), none).unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let data = PathBuf::from(data);
        runtime.block_on(scenario(data.clone()));
        return std::fs::write(data.join(RAN), "").unwrap();
    }
    if let Some(why) = cannot_run() {
        assert!(std::env::var_os("CI").is_none(), "{name} cannot be skipped here: {why}");
        eprintln!("{name} is skipped: {why}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let status = std::process::Command::new("unshare")
        .args([
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--propagation",
            "private",
        ])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, folder.path())
        .status()
        .unwrap();
    remove_cgroups(&cgroup(folder.path()));
    assert!(status.success(), "see above");
    let ran = folder.path().join(RAN).exists();
    assert!(ran, "no test has the name {name}; it is written with its modules");
}

fn cannot_run() -> Option<String> {
    if !geteuid().is_root() {
        return Some("it needs root".to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let missing = PROGRAMS
        .iter()
        .find(|program| !folders.iter().any(|folder| folder.join(program).is_file()));
    missing.map(|program| format!("the program {program} is not installed"))
}

fn cgroup(data: &Path) -> String {
    let name = data.file_name().unwrap().to_string_lossy().replace('.', "");
    format!("/goblins-test-{name}")
}

/// Empty by now: their processes ended with the pid namespace.
fn remove_cgroups(name: &str) {
    let root = Path::new("/sys/fs/cgroup");
    let folders = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .filter_map(|it| Some(it.ok()?.path()));
    for top in folders.chain([root.to_owned()]).map(|folder| folder.join(&name[1..])) {
        let inner = std::fs::read_dir(&top)
            .into_iter()
            .flatten()
            .filter_map(|it| Some(it.ok()?.path()));
        for folder in inner.filter(|path| path.is_dir()).chain([top.clone()]) {
            // What cannot be removed is not there, or is removed by the kernel in a moment.
            let _ = std::fs::remove_dir(folder);
        }
    }
}

pub struct World {
    data: PathBuf,
    limits: Limits,
    supervisor: Supervisor,
    pub runtime: Arc<Containerd>,
    pub network: Arc<BridgeNetwork>,
    cluster: Arc<FakeCluster>,
    agent: Agent,
    read: BTreeMap<u128, usize>,
    registry: Child,
}

impl World {
    pub async fn start(data: &Path, limits: Limits) -> Self {
        image::run(Command::new("ip").args(["link", "set", "lo", "up"])).await;
        let registry = registry(data).await;
        let cluster = Arc::new(FakeCluster::new());
        Self::assemble(data, limits, cluster, registry, BTreeMap::new()).await
    }

    async fn assemble(
        data: &Path,
        limits: Limits,
        cluster: Arc<FakeCluster>,
        registry: Child,
        read: BTreeMap<u128, usize>,
    ) -> Self {
        let config = SuperviseConfig {
            data_dir: data.into(),
            run_dir: "/run/goblins".into(),
        };
        let supervisor = Supervisor::start(&config)
            .await
            .unwrap_or_else(|error| panic!("{error:?}"));
        let config = ContainerdConfig {
            socket: supervisor.socket().into(),
            namespace: "goblins-test".to_owned(),
            node: NodeId(1),
            snapshotter: "overlayfs".to_owned(),
            cgroup_parent: cgroup(data),
            runc_root: Some(supervisor.runc_root()),
            runtime_binary: None,
            logs: Logs::new(data.join("logs"), LogLimits::default()),
            files: data.join("containers"),
            secrets: "/run/goblins/secrets".into(),
            insecure_registries: [REGISTRY, "127.0.0.1:9", "127.0.0.1:5001"].map(str::to_owned).to_vec(),
        };
        let runtime = Containerd::new(config, Arc::new(NoPeers), cluster.clone());
        let runtime = Arc::new(runtime.unwrap());
        let network = Arc::new(BridgeNetwork::new(NetworkConfig::default()));
        let agent = Agent::start(
            AgentConfig {
                node_name: "n1".to_owned(),
                limits,
            },
            runtime.clone(),
            network.clone(),
            cluster.wanted.subscribe(),
            cluster.clone(),
            cluster.clone(),
            cluster.clone(),
        );
        let agent = agent.await.unwrap_or_else(|error| panic!("{error:?}"));
        Self {
            data: data.into(),
            limits,
            supervisor,
            runtime,
            network,
            cluster,
            agent,
            read,
            registry,
        }
    }

    /// As if the daemon was stopped and started.
    pub async fn restart(self) -> Self {
        let Self {
            data,
            limits,
            supervisor,
            cluster,
            agent,
            read,
            registry,
            ..
        } = self;
        agent.stop().await;
        drop(supervisor);
        Self::assemble(&data, limits, cluster, registry, read).await
    }

    pub async fn stop(self) {
        self.agent.stop().await;
    }

    pub async fn push(&self, name: &str, variant: &Variant) {
        let folder = self.data.join("layouts").join(name.replace(':', "-"));
        std::fs::create_dir_all(&folder).unwrap();
        let program = image::program(&self.data, variant).await;
        image::layout(&folder, &program, variant).await;
        let mut copy = Command::new("skopeo");
        copy.args(["copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false"]);
        image::run(
            copy.arg(format!("oci:{}:1", folder.display()))
                .arg(format!("docker://{REGISTRY}/{name}")),
        )
        .await;
    }

    /// Gives these items to every replica that is wanted from now on.
    pub fn seal(&self, items: &[(&str, &str)]) {
        self.cluster.seal(items);
    }

    /// Where the values of a replica are mounted.
    pub fn vault(&self, n: u128) -> PathBuf {
        Path::new(SECRETS).join(replica(n).to_string())
    }

    /// As a daemon does that is killed before its container is made.
    pub async fn leave_vault_behind(&self, n: u128) -> PathBuf {
        let place = self.vault(n);
        std::fs::create_dir(&place).unwrap();
        mount(Some("tmpfs"), &place, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        std::fs::write(place.join("TOKEN"), "left over").unwrap();
        place
    }

    /// What a replica printed in its first life.
    pub fn log(&self, n: u128) -> PathBuf {
        agent::log_path(&self.data.join("logs"), replica(n), 0)
    }

    pub fn want(&self, replicas: &[(u128, Intent, &str, u16)]) {
        self.cluster.want(replicas);
    }

    /// The first report of this phase among those that no earlier call has passed over for the same replica.
    pub async fn until(&mut self, n: u128, phase: Phase) -> ReplicaReport {
        let mut changes = self.cluster.wanted.subscribe();
        let found = async {
            loop {
                let told = self.cluster.told.lock().unwrap().clone();
                let fits = |it: &&ReplicaReport| it.replica == replica(n) && it.phase == phase;
                let from = self.read.get(&n).copied().unwrap_or_default();
                if let Some((at, report)) = told.iter().enumerate().skip(from).find(|(_, it)| fits(it)) {
                    self.read.insert(n, at + 1);
                    return report.clone();
                }
                changes.changed().await.unwrap();
            }
        };
        match timeout(PATIENCE, found).await {
            Ok(report) => report,
            Err(_) => panic!("{n} never gets {phase:?}: {:#?}", self.cluster.told.lock().unwrap()),
        }
    }

    /// Long enough for an adopted container to be asked, and found wanting if it were.
    pub async fn until_probed(&self) {
        sleep(Duration::from_secs(4)).await;
    }

    pub fn told(&self) -> Vec<ReplicaReport> {
        self.cluster.told.lock().unwrap().clone()
    }

    pub fn drained(&self) -> Vec<ReplicaId> {
        self.cluster.drained.lock().unwrap().clone()
    }

    pub fn containerd_pid(&self) -> i32 {
        std::fs::read_to_string(self.data.join("containerd/pid"))
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    }

    pub async fn kill_registry(&mut self) {
        self.registry.kill().await.unwrap();
    }

    pub async fn kill_containerd(&self) {
        kill(Pid::from_raw(self.containerd_pid()), Signal::SIGKILL).unwrap();
    }

    pub async fn until_containerd_answers(&self) {
        let answers = async {
            while self.runtime.version().await.is_err() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, answers).await.expect("containerd never comes back");
    }
}

/// Writes everything that this process would log, however little it matters.
pub fn write_log(data: &Path) -> PathBuf {
    let path = data.join("daemon.log");
    let file = std::fs::File::create(&path).unwrap();
    let log = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::TRACE);
    log.with_ansi(false).with_writer(file).init();
    path
}

/// A registry that wants credentials for everything.
pub async fn deny_everything(address: &'static str) {
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream
                .write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .await;
        }
    });
}

/// Puts containerd's files on a disk of this many MiB.
pub fn small_disk(data: &Path, mib: u32) {
    let folder = data.join("containerd");
    std::fs::create_dir_all(&folder).unwrap();
    let size = format!("size={mib}m");
    mount(
        Some("tmpfs"),
        &folder,
        Some("tmpfs"),
        MsFlags::empty(),
        Some(size.as_str()),
    )
    .unwrap();
}

async fn registry(data: &Path) -> Child {
    let folder = data.join("registry");
    std::fs::create_dir_all(&folder).unwrap();
    let config = folder.join("config.yml");
    let text = format!(
        "version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"{REGISTRY}\"}}\n",
        folder.join("data").display()
    );
    std::fs::write(&config, text).unwrap();
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let child = Command::new("docker-registry")
        .arg("serve")
        .arg(&config)
        .stdout(Stdio::from(log.try_clone().unwrap()))
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let listens = async {
        while TcpStream::connect(REGISTRY).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, listens).await.expect("the registry never listens");
    child
}

/// Where this host looks for a container.
pub async fn on_the_wire(address: impl ToString) -> String {
    let mut show = Command::new("ip");
    let shown = show
        .args(["neigh", "show", &address.to_string()])
        .output()
        .await
        .unwrap();
    String::from_utf8_lossy(&shown.stdout).into_owned()
}

/// What is told next.
pub async fn next<T>(events: &mut mpsc::Receiver<T>) -> T {
    let next = timeout(PATIENCE, events.recv()).await;
    next.expect("something is told").expect("telling goes on")
}

/// The whole answer to a request, head and body.
pub async fn get(address: SocketAddr, path: &str) -> String {
    let answer = ask(address, path).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

/// As [`get`], whatever comes back.
pub async fn ask(address: SocketAddr, path: &str) -> String {
    let answer = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok::<_, std::io::Error>(text)
    };
    timeout(PATIENCE, answer).await.expect("no answer").unwrap_or_default()
}
