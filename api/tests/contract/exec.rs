//! Commands beside replicas: who may, beside which, and what stands in the way. The WebSocket itself is opened over HTTP.

use std::sync::Mutex;

use api::{ExecFault, ExecInput, ExecOutput, ExecRequest, ExecSession};
use async_trait::async_trait;
use futures::{SinkExt as _, StreamExt as _};
use model::{Command, NodeId, Phase, PlanAction, ReplicaId, ReplicaReport, Scope, ServiceId};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::in_process::InProcess;
use crate::over_http::OverHttp;
use crate::target::{Api, Target as _, id};

/// Gives back what it is given, until that ends: then it ends with 7.
#[derive(Default)]
pub struct FakeExecs {
    asked: Mutex<Vec<ExecRequest>>,
    refuse: Mutex<Option<ExecFault>>,
}

#[async_trait]
impl api::Execs for FakeExecs {
    async fn exec(&self, request: ExecRequest) -> Result<ExecSession, ExecFault> {
        self.refuse.lock().unwrap().clone().map_or(Ok(()), Err)?;
        self.asked.lock().unwrap().push(request);
        let (input, mut inputs) = mpsc::channel(4);
        let (send, output) = mpsc::channel(4);
        tokio::spawn(async move {
            while let Some(input) = inputs.recv().await {
                let piece = match input {
                    ExecInput::Stdin(bytes) => ExecOutput::Stdout(bytes),
                    ExecInput::Resize(size) => ExecOutput::Stderr(format!("{}x{}", size.width, size.height).into()),
                    ExecInput::EndOfStdin => ExecOutput::Ended { code: 7 },
                };
                if send.send(piece).await.is_err() {
                    return;
                }
            }
        });
        Ok(ExecSession { input, output })
    }
}

/// A service with a replica that is ready on a node that is up.
async fn running(target: &InProcess, api: &Api<'_>) -> (Value, ReplicaId) {
    let service = api.service().await;
    let wanted = ServiceId(id(&service).parse().unwrap());
    let system = |command| target.control.apply(model::Actor::System, command).unwrap();
    let state = api::ControlPlane::local(&*target.control);
    let (node, boot) = state.nodes().map(|it| (it.id, it.boot)).next().unwrap();
    let service_now = state.service(wanted).unwrap();
    let actions = vec![PlanAction::Place {
        deployment: service_now.deployment,
        node,
    }];
    let seen = service_now.touched;
    system(Command::ApplyPlan {
        service: wanted,
        seen,
        actions,
    });
    let state = api::ControlPlane::local(&*target.control);
    let replica = state.replicas_of(wanted).next().unwrap().id;
    let reports = vec![ReplicaReport {
        replica,
        phase: Phase::Ready,
        reason: None,
        address: None,
        restarts: 0,
    }];
    system(Command::ReportReplicas { node, boot, reports });
    (service, replica)
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn open(target: &OverHttp, key: &str, path: &str) -> Result<Socket, (u16, Value)> {
    let mut request = format!("ws://{}{path}", target.host()).into_client_request().unwrap();
    let key = format!("Bearer {key}").parse().unwrap();
    request.headers_mut().insert("authorization", key);
    match tokio_tungstenite::connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(answer)) => {
            let body = answer.body().as_deref().unwrap_or_default();
            Err((
                answer.status().as_u16(),
                serde_json::from_slice(body).unwrap_or_default(),
            ))
        }
        Err(error) => panic!("{error}"),
    }
}

/// A connection that is closed while something of the client lies in it unread is reset, and what was sent last is lost.
#[tokio::test]
async fn the_code_reaches_a_client_that_goes_on_talking() {
    let target = InProcess::new();
    let (service, _) = running(&target, &Api::new(&target)).await;
    let http = OverHttp::of(&target).await;
    let path = format!("/api/services/{}/exec/?command=cat&stdin=1", id(&service));
    let mut socket = open(&http, &target.keys().full, &path).await.unwrap();
    socket.send(Message::Binary(b"\xff\0"[..].into())).await.unwrap();
    for _ in 0..500 {
        socket.send(Message::Binary(vec![0; 1_000].into())).await.unwrap();
    }
    let mut last = None;
    while let Some(message) = socket.next().await {
        if let Message::Binary(bytes) = message.unwrap() {
            last = Some(bytes);
        }
    }
    assert_eq!(last.as_deref(), Some(&b"\x03{\"exit_code\":7}"[..]));
}

#[tokio::test]
async fn input_goes_to_the_command_and_output_and_code_come_back() {
    let target = InProcess::new();
    let (service, replica) = running(&target, &Api::new(&target)).await;
    let http = OverHttp::of(&target).await;
    let path = format!(
        "/api/services/{}/exec/?command=cat&command=-&stdin=1&tty=1&width=100",
        id(&service)
    );
    let mut socket = open(&http, &target.keys().full, &path).await.unwrap();
    for sent in [&b"\0hello"[..], b"\x04{\"width\":9,\"height\":8}", b"\xff\0"] {
        socket.send(Message::Binary(sent.to_vec().into())).await.unwrap();
    }
    let mut came = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Binary(bytes) = message {
            came.push(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    assert_eq!(came, ["\u{1}hello", "\u{2}9x8", "\u{3}{\"exit_code\":7}"]);
    let asked = target.control.execs.asked.lock().unwrap().pop().unwrap();
    let size = api::TerminalSize { width: 100, height: 24 };
    let expected = ExecRequest {
        replica,
        node: NodeId(1),
        command: vec!["cat".to_owned(), "-".to_owned()],
        terminal: Some(size),
        stdin: true,
    };
    assert_eq!(asked, expected);
    let events = Api::new(&target).get("/api/events/?kind=service.exec").await.ok(200);
    let note = events["results"][0]["note"].as_str().unwrap_or_default();
    assert_eq!(note, format!("cat beside replica {replica} on node one"));
}

#[tokio::test]
async fn nothing_is_run_for_whoever_may_not_or_where_that_cannot_be() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let (service, replica) = running(&target, &api).await;
    let http = OverHttp::of(&target).await;
    let path = format!("/api/services/{}/exec/", id(&service));
    let keys = target.keys().clone();
    let full = keys.full.as_str();
    let command = format!("{path}?command=true");
    let admin = api::ControlPlane::local(&*target.control)
        .accounts()
        .find(|it| it.is_admin)
        .unwrap()
        .id;
    target.control.put(crate::in_process::key(
        "writer",
        "gob_writer",
        admin,
        Scope::NoSecretValues,
    ));
    for key in [keys.read_only.as_str(), "gob_writer"] {
        assert_eq!(open(&http, key, &command).await.unwrap_err().0, 403, "{key}");
    }
    assert_eq!(open(&http, &keys.other, &command).await.unwrap_err().0, 404);
    let (status, said) = open(&http, full, &path).await.unwrap_err();
    assert_eq!((status, &said["command"][0]), (400, &json!("This field is required.")));
    let (status, said) = open(&http, full, &format!("{command}&replica=ffffffff"))
        .await
        .unwrap_err();
    assert_eq!((status, said["replica"].is_array()), (400, true));
    let idle = api.service().await;
    let (status, said) = open(&http, full, &format!("/api/services/{}/exec/?command=true", id(&idle)))
        .await
        .unwrap_err();
    assert_eq!(status, 409, "{said}");
    let plain = api.get(&command).await;
    assert_eq!(
        (plain.status.as_u16(), plain.header("upgrade")),
        (426, Some("websocket"))
    );
    assert!(target.control.execs.asked.lock().unwrap().is_empty());
    let events = api.get("/api/events/?kind=service.exec").await.ok(200);
    assert_eq!(events["count"], 0, "nothing was run, so nothing is on record");

    let named = replica.to_string();
    let named = format!("{command}&replica={}", &named[named.len() - 6..]);
    drop(open(&http, full, &named).await.unwrap());
    let refuse = |fault| *target.control.execs.refuse.lock().unwrap() = Some(fault);
    refuse(ExecFault::NotStarted {
        code: 127,
        message: "there is no such program".to_owned(),
    });
    let expected = json!({"detail": "there is no such program", "exit_code": 127});
    assert_eq!(open(&http, full, &command).await.unwrap_err(), (400, expected));
    refuse(ExecFault::NotRunning("it does not run".to_owned()));
    assert_eq!(open(&http, full, &command).await.unwrap_err().0, 409);
    refuse(ExecFault::Unavailable("its node is silent".to_owned()));
    assert_eq!(open(&http, full, &command).await.unwrap_err().0, 503);
}
