//! containerd's content store: blobs by digest, names of images, and the lease that keeps both until they are linked.

use std::collections::HashMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use containerd_client::services::v1::{
    AbortRequest, CreateImageRequest, GetImageRequest, Image, Info, InfoRequest, ReadContentRequest,
    ReadContentResponse, UpdateImageRequest, UpdateRequest, WriteAction, WriteContentRequest, WriteContentResponse,
};
use containerd_client::types;
use futures::StreamExt;
use prost_types::FieldMask;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Streaming};

use super::PullError;
use super::manifest::Descriptor;
use super::registry::Blob;
use crate::containerd::api::{Api, ApiError, LONG, SHORT, or_gone, within};

const PIECE: usize = 512 * 1024;
const LEASE: Duration = Duration::from_secs(2 * 60 * 60);

/// What is being pulled, for error texts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    /// As the service writes it.
    pub image: &'a str,
    /// Host and port.
    pub registry: &'a str,
}

/// Keeps everything that is made under it. One that is never given back runs out by itself.
pub(super) struct Lease {
    api: Api,
    id: String,
    /// For requests that make something.
    pub stamp: MetadataValue<Ascii>,
}

impl Lease {
    pub(super) async fn take(api: &Api) -> Result<Self, PullError> {
        let id = format!("goblins-{}", uuid::Uuid::new_v4());
        let expire = jiff::Timestamp::now()
            .checked_add(LEASE)
            .unwrap_or(jiff::Timestamp::MAX);
        let expire = jiff::fmt::strtime::format("%Y-%m-%dT%H:%M:%SZ", expire).unwrap_or_default();
        let labels = HashMap::from([("containerd.io/gc.expire".to_owned(), expire)]);
        let request = containerd_client::services::v1::CreateRequest { id: id.clone(), labels };
        within(SHORT, api.leases().create(api.request(request)))
            .await
            .map_err(|error| PullError::asking("take a lease", error))?;
        let stamp = MetadataValue::try_from(&id).map_err(|error| PullError::Containerd {
            doing: "name a lease",
            unavailable: false,
            source: error.into(),
        })?;
        Ok(Self {
            api: api.clone(),
            id,
            stamp,
        })
    }

    pub(super) async fn release(self) {
        let request = containerd_client::services::v1::DeleteRequest {
            id: self.id,
            sync: false,
        };
        if let Err(error) = within(SHORT, self.api.leases().delete(self.api.request(request))).await {
            tracing::debug!(%error, "a lease was not given back; it runs out by itself");
        }
    }
}

/// Whether a blob is here, whole.
pub(super) async fn has(api: &Api, digest: &str) -> Result<bool, PullError> {
    let request = InfoRequest {
        digest: digest.to_owned(),
    };
    let answer = or_gone(within(SHORT, api.content().info(api.request(request))).await);
    Ok(answer
        .map_err(|error| PullError::asking("look up a blob", error))?
        .is_some())
}

/// A document by its digest; `None` where it is not here or is no such document.
pub(super) async fn read_json<T: DeserializeOwned>(api: &Api, digest: &str) -> Result<Option<T>, PullError> {
    let all = async {
        let mut stream = reader(api, digest).await?;
        let mut all = BytesMut::new();
        while let Some(piece) = next(&mut stream).await? {
            all.extend_from_slice(&piece.data);
        }
        Ok(all)
    };
    match or_gone(all.await).map_err(|error| PullError::asking("read a blob", error))? {
        Some(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        None => Ok(None),
    }
}

/// A blob, in the pieces that containerd reads it in.
pub(super) async fn read(api: &Api, digest: &str) -> Result<Blob, PullError> {
    let stream = reader(api, digest).await;
    let stream = stream.map_err(|error| PullError::asking("read a blob", error))?;
    let pieces = futures::stream::try_unfold(stream, |mut stream| async move {
        let piece = next(&mut stream).await.map_err(std::io::Error::other)?;
        Ok(piece.map(|it| (Bytes::from(it.data), stream)))
    });
    Ok(pieces.boxed())
}

async fn reader(api: &Api, digest: &str) -> Result<Streaming<ReadContentResponse>, ApiError> {
    let request = ReadContentRequest {
        digest: digest.to_owned(),
        offset: 0,
        size: 0,
    };
    within(SHORT, api.content().read(api.request(request))).await
}

async fn next<T>(stream: &mut Streaming<T>) -> Result<Option<T>, ApiError> {
    tokio::time::timeout(LONG, stream.message())
        .await
        .map_err(|_| ApiError::Deadline(LONG))?
        .map_err(ApiError::from)
}

/// Stores a document that is in memory.
pub(super) async fn write_small(
    api: &Api,
    lease: &Lease,
    origin: Origin<'_>,
    blob: &Descriptor,
    labels: HashMap<String, String>,
    bytes: Bytes,
) -> Result<(), PullError> {
    let stream = futures::stream::once(async move { Ok(bytes) }).boxed();
    write(api, lease, origin, blob, labels, stream).await
}

/// Stores a blob as it comes in. One that is here already only gets the labels.
pub(super) async fn write(
    api: &Api,
    lease: &Lease,
    origin: Origin<'_>,
    blob: &Descriptor,
    labels: HashMap<String, String>,
    bytes: Blob,
) -> Result<(), PullError> {
    let reference = format!("goblins-{}", blob.digest);
    let abort = AbortRequest {
        r#ref: reference.clone(),
    };
    let doing = "store a blob";
    let storing = |error| PullError::storing(origin.image, doing, error);
    // What an interrupted pull left is dropped: its position would have to be trusted.
    or_gone(within(SHORT, api.content().abort(api.request(abort))).await).map_err(storing)?;

    let (send, receive) = mpsc::channel(4);
    let feed = tokio::spawn(feed(bytes, blob.clone(), reference, labels.clone(), send));
    let answered = async {
        let call = api.leased(&lease.stamp, ReceiverStream::new(receive));
        let mut answers = within(LONG, api.content().write(call)).await?;
        while let Some(answer) = next(&mut answers).await? {
            if is_committed(&answer, blob) {
                break;
            }
        }
        Ok::<_, ApiError>(())
    };
    let stored = answered.await;
    if let Err(error) = &stored
        && error.is(Code::AlreadyExists)
    {
        feed.abort();
        return label(api, lease, &blob.digest, labels).await.map_err(storing);
    }
    // A registry that fails while it sends cuts the stream short; its error says more than containerd's.
    match feed.await {
        Ok(Err(source)) => Err(PullError::Registry {
            image: origin.image.to_owned(),
            registry: origin.registry.to_owned(),
            source: source.into(),
        }),
        _ => stored.map_err(storing),
    }
}

fn is_committed(answer: &WriteContentResponse, blob: &Descriptor) -> bool {
    answer.action == i32::from(WriteAction::Commit) && answer.digest == blob.digest
}

/// Sends a blob in pieces of even size, then asks for it to be kept. Ends early when containerd hangs up.
async fn feed(
    mut bytes: Blob,
    blob: Descriptor,
    reference: String,
    labels: HashMap<String, String>,
    send: mpsc::Sender<WriteContentRequest>,
) -> Result<(), std::io::Error> {
    let request = |action: WriteAction, offset: usize, data: Bytes, labels| WriteContentRequest {
        action: action.into(),
        r#ref: reference.clone(),
        total: blob.size,
        expected: blob.digest.clone(),
        offset: offset as i64,
        data: data.into(),
        labels,
    };
    let mut offset = 0;
    let mut piece = BytesMut::new();
    loop {
        let more = bytes.next().await.transpose()?;
        let ended = more.is_none();
        piece.extend_from_slice(&more.unwrap_or_default());
        if piece.len() >= PIECE || (ended && !piece.is_empty()) {
            let data = piece.split().freeze();
            let length = data.len();
            if send
                .send(request(WriteAction::Write, offset, data, HashMap::new()))
                .await
                .is_err()
            {
                return Ok(());
            }
            offset += length;
        }
        if ended {
            // An error here means that containerd hung up; it has said why.
            let _ = send
                .send(request(WriteAction::Commit, offset, Bytes::new(), labels))
                .await;
            return Ok(());
        }
    }
}

async fn label(api: &Api, lease: &Lease, digest: &str, labels: HashMap<String, String>) -> Result<(), ApiError> {
    if labels.is_empty() {
        return Ok(());
    }
    let paths = labels.keys().map(|key| format!("labels.{key}")).collect();
    let info = Info {
        digest: digest.to_owned(),
        labels,
        ..Info::default()
    };
    let request = UpdateRequest {
        info: Some(info),
        update_mask: Some(FieldMask { paths }),
    };
    within(SHORT, api.content().update(api.leased(&lease.stamp, request)))
        .await
        .map(drop)
}

/// The digest that a name stands for.
pub(super) async fn image_target(api: &Api, name: &str) -> Result<Option<String>, PullError> {
    let request = GetImageRequest { name: name.to_owned() };
    let answer = or_gone(within(SHORT, api.images().get(api.request(request))).await);
    let answer = answer.map_err(|error| PullError::asking("look up an image", error))?;
    Ok(answer
        .and_then(|it| it.image)
        .and_then(|image| image.target)
        .map(|target| target.digest))
}

/// Gives an image its name, taking it from another one.
pub(super) async fn name_image(api: &Api, name: &str, target: &Descriptor) -> Result<(), PullError> {
    let target = types::Descriptor {
        media_type: target.media_type.clone(),
        digest: target.digest.clone(),
        size: target.size,
        annotations: HashMap::new(),
    };
    let image = Image {
        name: name.to_owned(),
        target: Some(target),
        ..Image::default()
    };
    let create = CreateImageRequest {
        image: Some(image.clone()),
        source_date_epoch: None,
    };
    let answer = within(SHORT, api.images().create(api.request(create))).await;
    let answer = match answer {
        Err(error) if error.is(Code::AlreadyExists) => {
            let update = UpdateImageRequest {
                image: Some(image),
                update_mask: None,
                source_date_epoch: None,
            };
            within(SHORT, api.images().update(api.request(update))).await.map(drop)
        }
        other => other.map(drop),
    };
    answer.map_err(|error| PullError::asking("name an image", error))
}
