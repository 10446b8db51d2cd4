//! containerd driven raw over gRPC: the same containers as ours, by nothing but the calls that cannot be left out. What
//! a runtime costs, and so what nobody who uses it can go below.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use containerd_client::services::v1::containers_client::ContainersClient;
use containerd_client::services::v1::namespaces_client::NamespacesClient;
use containerd_client::services::v1::snapshots::snapshots_client::SnapshotsClient;
use containerd_client::services::v1::snapshots::{PrepareSnapshotRequest, RemoveSnapshotRequest, StatSnapshotRequest};
use containerd_client::services::v1::tasks_client::TasksClient;
use containerd_client::services::v1::{
    Container, CreateContainerRequest, CreateTaskRequest, DeleteContainerRequest, DeleteTaskRequest, KillRequest,
    ListContainersRequest, ListNamespacesRequest, StartRequest, WaitRequest,
};
use futures::future::try_join_all;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use thiserror::Error;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

/// As many at once as our own agent starts: more only wait for the CPU.
const AT_ONCE: usize = 8;
const SIGTERM: u32 = 15;
/// The first process of a container is not even killed by a signal that it does not listen for yet.
const AGAIN: Duration = Duration::from_millis(100);

/// Why containerd was not driven.
#[derive(Debug, Error)]
pub enum RawError {
    /// It said no.
    #[error("containerd at {} refused to {doing}", .socket.display())]
    Refused {
        /// Where it listens.
        socket: PathBuf,
        /// What.
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<Status>,
    },
    /// There is no container to take as an example.
    #[error("containerd at {} runs none of our containers to take as an example", .0.display())]
    NoExample(PathBuf),
}

/// One containerd, and a container of ours to make others like.
pub(super) struct Raw {
    socket: PathBuf,
    channel: Channel,
    namespace: String,
    example: Container,
    spec: Value,
    parent: String,
}

/// How long it took to start and to stop containers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Took {
    pub start: Duration,
    pub stop: Duration,
}

/// Starts `count` containers, spread over these containerds, and stops them again.
pub(super) async fn start_and_stop(all: &[Arc<Raw>], count: usize) -> Result<Took, RawError> {
    let turns: Vec<_> = all.iter().map(|_| Arc::new(Semaphore::new(AT_ONCE))).collect();
    let places = || (0..count).map(|n| (n, Arc::clone(&all[n % all.len()]), Arc::clone(&turns[n % all.len()])));
    let began = Instant::now();
    try_join_all(places().map(|(n, raw, turn)| async move {
        let _turn = turn.acquire().await;
        raw.start(&format!("raw-{n}")).await
    }))
    .await?;
    let start = began.elapsed();
    let began = Instant::now();
    try_join_all(places().map(|(n, raw, _)| async move { raw.stop(&format!("raw-{n}")).await })).await?;
    let stop = began.elapsed();
    Ok(Took { start, stop })
}

impl Raw {
    pub(super) async fn connect(socket: &Path) -> Result<Self, RawError> {
        let path = socket.to_owned();
        let connect = tower::service_fn(move |_| {
            let path = path.clone();
            async move { Ok::<_, std::io::Error>(TokioIo::new(UnixStream::connect(path).await?)) }
        });
        let channel = Endpoint::from_static("http://containerd").connect_with_connector_lazy(connect);
        let mut raw = Self {
            socket: socket.to_owned(),
            channel,
            namespace: String::new(),
            example: Container::default(),
            spec: Value::Null,
            parent: String::new(),
        };
        raw.find_example().await?;
        Ok(raw)
    }

    async fn find_example(&mut self) -> Result<(), RawError> {
        let list = ListNamespacesRequest { filter: String::new() };
        let namespaces = NamespacesClient::new(self.channel.clone())
            .list(Request::new(list))
            .await;
        let namespaces = namespaces
            .map_err(|it| self.refused("list namespaces", it))?
            .into_inner()
            .namespaces;
        for namespace in namespaces {
            self.namespace = namespace.name;
            let list = self.request(ListContainersRequest { filters: Vec::new() });
            let found = ContainersClient::new(self.channel.clone()).list(list).await;
            let found = found
                .map_err(|it| self.refused("list containers", it))?
                .into_inner()
                .containers;
            if let Some(example) = found.into_iter().next() {
                let stat = self.request(StatSnapshotRequest {
                    snapshotter: example.snapshotter.clone(),
                    key: example.snapshot_key.clone(),
                });
                let stat = SnapshotsClient::new(self.channel.clone()).stat(stat).await;
                let info = stat
                    .map_err(|it| self.refused("look up a snapshot", it))?
                    .into_inner()
                    .info;
                self.parent = info.map(|it| it.parent).unwrap_or_default();
                let spec = example.spec.as_ref().map(|it| it.value.as_slice()).unwrap_or_default();
                self.spec = serde_json::from_slice(spec).unwrap_or_default();
                self.example = example;
                return Ok(());
            }
        }
        Err(RawError::NoExample(self.socket.clone()))
    }

    /// How many containers there are, ours and those made like them.
    pub(super) async fn count(&self) -> Result<usize, RawError> {
        let list = self.request(ListContainersRequest { filters: Vec::new() });
        let found = ContainersClient::new(self.channel.clone()).list(list).await;
        let found = found.map_err(|it| self.refused("list containers", it))?;
        Ok(found.into_inner().containers.len())
    }

    /// The example's description with a cgroup and a network namespace of its own.
    fn spec(&self, id: &str) -> Vec<u8> {
        let mut spec = self.spec.clone();
        spec["linux"]["cgroupsPath"] = Value::from(format!("/goblins-raw/{id}"));
        if let Some(namespaces) = spec["linux"]["namespaces"].as_array_mut() {
            for namespace in namespaces.iter_mut().filter(|it| it["type"] == "network") {
                *namespace = serde_json::json!({"type": "network"});
            }
        }
        spec.to_string().into_bytes()
    }

    async fn start(&self, id: &str) -> Result<(), RawError> {
        let mut container = Container {
            id: id.to_owned(),
            snapshot_key: id.to_owned(),
            // Ours are told by their labels; these are none.
            labels: HashMap::new(),
            ..self.example.clone()
        };
        if let Some(spec) = &mut container.spec {
            spec.value = self.spec(id);
        }
        let options = container.runtime.as_ref().and_then(|it| it.options.clone());
        let snapshotter = container.snapshotter.clone();
        let create = self.request(CreateContainerRequest {
            container: Some(container),
        });
        let made = ContainersClient::new(self.channel.clone()).create(create).await;
        made.map_err(|it| self.refused("create a container", it))?;
        let prepare = self.request(PrepareSnapshotRequest {
            snapshotter,
            key: id.to_owned(),
            parent: self.parent.clone(),
            labels: HashMap::new(),
        });
        let prepared = SnapshotsClient::new(self.channel.clone()).prepare(prepare).await;
        let rootfs = prepared
            .map_err(|it| self.refused("prepare a snapshot", it))?
            .into_inner()
            .mounts;
        let mut tasks = TasksClient::new(self.channel.clone());
        let task = self.request(CreateTaskRequest {
            container_id: id.to_owned(),
            rootfs,
            options,
            ..CreateTaskRequest::default()
        });
        tasks
            .create(task)
            .await
            .map_err(|it| self.refused("create a task", it))?;
        let (container_id, exec_id) = (id.to_owned(), String::new());
        let start = self.request(StartRequest { container_id, exec_id });
        tasks
            .start(start)
            .await
            .map_err(|it| self.refused("start a task", it))?;
        Ok(())
    }

    async fn stop(&self, id: &str) -> Result<(), RawError> {
        let mut tasks = TasksClient::new(self.channel.clone());
        let (container_id, exec_id) = (id.to_owned(), String::new());
        let wait = self.request(WaitRequest { container_id, exec_id });
        let mut waiting = tasks.clone();
        let mut ended = pin!(waiting.wait(wait));
        let ended = loop {
            let kill = self.request(KillRequest {
                container_id: id.to_owned(),
                exec_id: String::new(),
                signal: SIGTERM,
                all: false,
            });
            match tasks.kill(kill).await {
                Err(status) if status.code() != Code::NotFound => return Err(self.refused("send a signal", status)),
                _ => {}
            }
            if let Ok(ended) = timeout(AGAIN, &mut ended).await {
                break ended;
            }
        };
        ended.map_err(|it| self.refused("see a task end", it))?;
        let container_id = id.to_owned();
        let delete = self.request(DeleteTaskRequest { container_id });
        tasks
            .delete(delete)
            .await
            .map_err(|it| self.refused("delete a task", it))?;
        let remove = self.request(RemoveSnapshotRequest {
            snapshotter: self.example.snapshotter.clone(),
            key: id.to_owned(),
        });
        let removed = SnapshotsClient::new(self.channel.clone()).remove(remove).await;
        removed.map_err(|it| self.refused("remove a snapshot", it))?;
        let delete = self.request(DeleteContainerRequest { id: id.to_owned() });
        let deleted = ContainersClient::new(self.channel.clone()).delete(delete).await;
        deleted.map_err(|it| self.refused("delete a container", it))?;
        Ok(())
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Ok(namespace) = self.namespace.parse() {
            request.metadata_mut().insert("containerd-namespace", namespace);
        }
        request
    }

    fn refused(&self, doing: &'static str, source: Status) -> RawError {
        RawError::Refused {
            socket: self.socket.clone(),
            doing,
            source: Box::new(source),
        }
    }
}
