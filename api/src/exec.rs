//! `/api/services/{id}/exec/` and the same of workers: a command beside a replica, over a WebSocket (RFC 6455).

mod ask;
mod channel;
mod session;

use axum::extract::FromRequestParts as _;
use axum::extract::ws::WebSocketUpgrade;
use http::StatusCode;
use http::header::{CONNECTION, HeaderName, ORIGIN, UPGRADE};
use model::{Command, Replica, Scope};

use crate::answer::Answer;
use crate::auth::Proof;
use crate::errors::ApiError;
use crate::output::Out;
use crate::port::ExecFault;
use crate::resource::Resource as _;
use crate::resources::{Workload, Workloads};
use crate::router::call::Call;
use crate::texts;
use session::Session;

/// The protocol that clients may name.
pub const PROTOCOL: &str = "exec.goblins.v1";
/// A client that sends larger messages is disconnected.
const MESSAGE_MAX: usize = 1 << 20;

/// Runs the command and answers with a WebSocket to it. On record before it starts.
///
/// # Errors
/// No such service; a key without the right; a request that is no WebSocket's; no replica that runs; a program that does
/// not start.
pub async fn answer<K: Workload>(call: &Call<'_>) -> Result<Answer, ApiError> {
    // What runs there can read the values of secrets.
    if call.asker.scope != Scope::Full {
        return Err(ApiError::Forbidden);
    }
    require_own_page(call)?;
    let (service, replica, ask) = {
        let realm = call.realm();
        let service = Workloads::<K>::find(&realm, realm.parent).ok_or(ApiError::NotFound)?;
        let ask = ask::Ask::read(call.query)?;
        let replicas: Vec<_> = realm.state.replicas_of(service.id).collect();
        let is_up = |it: &Replica| realm.state.node(it.node).is_some_and(model::Node::is_up);
        let replica = ask.choose(&replicas, is_up)?.clone();
        (service.id, replica, ask)
    };
    let mut parts = call.parts.clone();
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(_) => return Ok(needs_websocket()),
    };
    let none = || ApiError::Unavailable("This node cannot run commands.".to_owned());
    let execs = call.control.execs().ok_or_else(none)?;
    let note = Command::NoteExec {
        service,
        replica: replica.id,
        program: ask.program(),
    };
    call.submit(note, &call.terms()).await?;
    let running = match execs.exec(ask.request(&replica)).await {
        Ok(running) => running,
        Err(fault) => return Ok(refused(fault)),
    };
    let session = Session {
        control: std::sync::Arc::clone(&call.control),
        credentials: call.credentials.clone(),
        stop: call.stop.clone(),
        running,
    };
    let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(MESSAGE_MAX);
    Ok(Answer::whole(upgrade.on_upgrade(move |socket| session.run(socket))))
}

/// Browsers send cookies along with the WebSockets that other sites open, and no token: the page has to be ours.
fn require_own_page(call: &Call<'_>) -> Result<(), ApiError> {
    if !matches!(call.asker.proof, Proof::Session(_)) {
        return Ok(());
    }
    let text = |name: HeaderName| call.parts.headers.get(name).and_then(|it| it.to_str().ok());
    let origin = text(ORIGIN).and_then(|it| it.split_once("://")).map(|(_, host)| host);
    if origin.is_some() && origin == text(http::header::HOST) {
        return Ok(());
    }
    Err(ApiError::CsrfFailed(texts::FOREIGN_ORIGIN))
}

fn needs_websocket() -> Answer {
    Answer::detail(StatusCode::UPGRADE_REQUIRED, texts::NEEDS_WEBSOCKET)
        .with(UPGRADE, "websocket")
        .with(CONNECTION, "upgrade")
}

fn refused(fault: ExecFault) -> Answer {
    let text = fault.to_string();
    match fault {
        ExecFault::NotRunning(_) => Answer::detail(StatusCode::CONFLICT, text),
        ExecFault::NotStarted { code, .. } => {
            let body = Out::object([("detail", text.into()), ("exit_code", code.into())]);
            Answer::json(StatusCode::BAD_REQUEST, body)
        }
        ExecFault::Unavailable(_) => ApiError::Unavailable(text).into_answer(),
    }
}
