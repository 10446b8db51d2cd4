//! One connection to containerd: the namespace on every request, a deadline on every answer.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use containerd_client::services::v1::containers_client::ContainersClient;
use containerd_client::services::v1::content_client::ContentClient;
use containerd_client::services::v1::diff_client::DiffClient;
use containerd_client::services::v1::events_client::EventsClient;
use containerd_client::services::v1::images_client::ImagesClient;
use containerd_client::services::v1::introspection_client::IntrospectionClient;
use containerd_client::services::v1::leases_client::LeasesClient;
use containerd_client::services::v1::snapshots::snapshots_client::SnapshotsClient;
use containerd_client::services::v1::tasks_client::TasksClient;
use containerd_client::services::v1::version_client::VersionClient;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::UnixStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};

use crate::runtime::RuntimeError;

/// Answers that need no work take milliseconds; this is for a host that is out of breath.
pub(crate) const SHORT: Duration = Duration::from_secs(10);
/// For answers that wait for a process or for files.
pub(crate) const LONG: Duration = Duration::from_secs(60);
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// A connection to one containerd and one namespace in it. Connects when it is first used and again when it must.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    channel: Channel,
    socket: PathBuf,
    namespace: String,
    stamp: MetadataValue<Ascii>,
}

/// containerd did not do what it was asked.
#[derive(Debug, Error)]
pub(crate) enum ApiError {
    /// It said why.
    #[error("{0}")]
    Status(String, Code),
    /// It did not answer.
    #[error("no answer within {} s", .0.as_secs())]
    Deadline(Duration),
}

impl ApiError {
    pub(crate) fn is(&self, code: Code) -> bool {
        matches!(self, Self::Status(_, it) if *it == code)
    }

    pub(crate) fn is_unavailable(&self) -> bool {
        match self {
            Self::Status(_, code) => *code == Code::Unavailable,
            Self::Deadline(_) => true,
        }
    }

    pub(crate) fn is_disk_full(&self) -> bool {
        matches!(self, Self::Status(text, _) if text.contains("no space left on device"))
    }
}

impl From<Status> for ApiError {
    fn from(status: Status) -> Self {
        // A broken connection is sometimes called unknown; its cause tells it from an error of containerd itself.
        let broken = std::error::Error::source(&status).is_some();
        let code = if broken { Code::Unavailable } else { status.code() };
        let text = if broken {
            crate::reason::chain(&status)
        } else {
            status.message().to_owned()
        };
        Self::Status(text, code)
    }
}

/// Waits for an answer, but not for ever.
pub(crate) async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, ApiError> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => Ok(answer?.into_inner()),
        Err(_) => Err(ApiError::Deadline(limit)),
    }
}

/// Takes "there is none" for done.
pub(crate) fn or_gone<T>(answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match answer {
        Err(error) if error.is(Code::NotFound) => Ok(None),
        other => other.map(Some),
    }
}

impl Api {
    /// # Errors
    /// When the namespace is not a word that can stand in a header.
    pub(crate) fn new(socket: &Path, namespace: &str) -> Result<Self, tonic::metadata::errors::InvalidMetadataValue> {
        let stamp = namespace.parse()?;
        let path = socket.to_owned();
        let connect = tower::service_fn(move |_| {
            let path = path.clone();
            async move { Ok::<_, std::io::Error>(TokioIo::new(UnixStream::connect(path).await?)) }
        });
        let channel = Endpoint::from_static("http://containerd").connect_with_connector_lazy(connect);
        Ok(Self {
            channel,
            socket: socket.to_owned(),
            namespace: namespace.to_owned(),
            stamp,
        })
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("containerd-namespace", self.stamp.clone());
        request
    }

    /// A request whose results are kept by a lease until something refers to them.
    pub(crate) fn leased<T>(&self, lease: &MetadataValue<Ascii>, message: T) -> Request<T> {
        let mut request = self.request(message);
        request.metadata_mut().insert("containerd-lease", lease.clone());
        request
    }

    /// What to make of an error that nothing more can be said about.
    pub(crate) fn refused(&self, doing: &'static str, error: ApiError) -> RuntimeError {
        if error.is_unavailable() {
            RuntimeError::Unavailable {
                socket: self.socket.display().to_string(),
                source: error.into(),
            }
        } else {
            RuntimeError::Refused {
                doing,
                source: error.into(),
            }
        }
    }

    /// containerd's version.
    pub(crate) async fn version(&self) -> Result<String, ApiError> {
        let mut client = VersionClient::new(self.channel.clone());
        Ok(within(SHORT, client.version(self.request(()))).await?.version)
    }

    pub(crate) fn containers(&self) -> ContainersClient<Channel> {
        ContainersClient::new(self.channel.clone()).max_decoding_message_size(LARGEST_ANSWER)
    }

    pub(crate) fn content(&self) -> ContentClient<Channel> {
        ContentClient::new(self.channel.clone()).max_decoding_message_size(LARGEST_ANSWER)
    }

    pub(crate) fn diff(&self) -> DiffClient<Channel> {
        DiffClient::new(self.channel.clone())
    }

    pub(crate) fn events(&self) -> EventsClient<Channel> {
        EventsClient::new(self.channel.clone())
    }

    pub(crate) fn images(&self) -> ImagesClient<Channel> {
        ImagesClient::new(self.channel.clone())
    }

    pub(crate) fn introspection(&self) -> IntrospectionClient<Channel> {
        IntrospectionClient::new(self.channel.clone()).max_decoding_message_size(LARGEST_ANSWER)
    }

    pub(crate) fn leases(&self) -> LeasesClient<Channel> {
        LeasesClient::new(self.channel.clone())
    }

    pub(crate) fn snapshots(&self) -> SnapshotsClient<Channel> {
        SnapshotsClient::new(self.channel.clone())
    }

    pub(crate) fn tasks(&self) -> TasksClient<Channel> {
        TasksClient::new(self.channel.clone())
    }
}
