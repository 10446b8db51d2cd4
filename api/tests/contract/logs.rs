//! Logs: what is asked for, who may, and how lines come.

use std::sync::Mutex;

use api::{LogLine, LogPiece, LogSource, LogsFault, LogsRequest};
use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use model::{NodeId, ReplicaId};
use serde_json::json;
use uuid::Uuid;

use crate::in_process::InProcess;
use crate::target::{Api, Target as _, id};

/// Gives one line and says that a node is silent; goes on without an end where it is followed.
#[derive(Default)]
pub struct FakeLogs {
    asked: Mutex<Vec<LogsRequest>>,
    refuse: Mutex<Option<LogsFault>>,
}

#[async_trait]
impl api::Logs for FakeLogs {
    async fn read(&self, request: LogsRequest) -> Result<BoxStream<'static, Vec<LogPiece>>, LogsFault> {
        self.refuse.lock().unwrap().clone().map_or(Ok(()), Err)?;
        let line = LogPiece::Line(LogLine {
            replica: ReplicaId(Uuid::from_u128(5)),
            version: 1,
            node: NodeId(1),
            at: 1_767_225_600_000_000_000,
            source: LogSource::Stdout,
            text: "hello".into(),
        });
        let silent = LogPiece::Silent {
            node: NodeId(2),
            why: "it is off".to_owned(),
        };
        let follows = request.follow;
        self.asked.lock().unwrap().push(request);
        let past = futures::stream::iter([vec![line, silent], vec![LogPiece::CaughtUp]]);
        Ok(match follows {
            true => past.chain(futures::stream::pending()).boxed(),
            false => past.boxed(),
        })
    }
}

#[tokio::test]
async fn a_service_and_a_worker_have_them_in_three_formats() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let (service, worker) = (api.service().await, api.worker().await);
    let paths = [
        format!("/api/services/{}/logs/", id(&service)),
        format!("/api/workers/{}/logs/", id(&worker)),
    ];
    for path in &paths {
        let plain = api.get(path).await;
        assert_eq!(plain.status, 200, "{}", plain.text());
        assert_eq!(plain.header("content-type"), Some("text/plain; charset=utf-8"));
        let said = "-- goblins: node 2 does not answer (it is off); lines of its replicas are missing from here on --";
        assert_eq!(plain.text(), format!("hello\n{said}\n"));
        let lines = api.get(&format!("{path}?format=ndjson")).await.text();
        let objects: Vec<serde_json::Value> = lines.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
        assert_eq!(
            (&objects[0]["line"], &objects[1]["notice"]),
            (&json!("hello"), &json!("node_silent"))
        );
        let events = api.get(&format!("{path}?format=sse")).await;
        assert_eq!(events.header("content-type"), Some("text/event-stream"));
        assert!(events.text().starts_with("data: {"), "{}", events.text());
    }
    let key = target.keys().read_only.clone();
    assert_eq!(api.call_as(&key, "GET", &paths[0], "").await.status, 200);
    for key in [&target.keys().other, &target.keys().full] {
        let wrong = if *key == target.keys().other {
            &paths[0]
        } else {
            "/api/workers/none/logs/"
        };
        api.call_as(key, "GET", wrong, "").await.detail(404, "Not found.");
    }
    let mixed = format!("/api/workers/{}/logs/", id(&service));
    api.get(&mixed).await.detail(404, "Not found.");
}

#[tokio::test]
async fn what_is_asked_for_is_passed_on_and_nonsense_is_named() {
    let target = InProcess::new();
    let api = Api::new(&target);
    let service = api.service().await;
    let path = format!("/api/services/{}/logs/", id(&service));
    let asked = "since=2026-01-01T00:00:00Z&tail=7&replica=00000005";
    assert_eq!(api.get(&format!("{path}?{asked}")).await.status, 200);
    let seen = target.control.logs.asked.lock().unwrap().pop().unwrap();
    let expected = LogsRequest {
        service: model::ServiceId(id(&service).parse().unwrap()),
        replica: Some("00000005".to_owned()),
        since: 1_767_225_600_000_000_000,
        tail: Some(7),
        follow: false,
    };
    assert_eq!(seen, expected);
    let wrong = api.get(&format!("{path}?since=soon&tail=x&replica=me")).await;
    let said = wrong.ok(400);
    for field in ["since", "tail", "replica"] {
        assert_eq!(said[field].as_array().map(Vec::len), Some(1), "{said}");
    }
    api.get(&format!("{path}?format=xml")).await.detail(404, "Not found.");
    *target.control.logs.refuse.lock().unwrap() = Some(LogsFault::Busy(64));
    let busy = api.get(&path).await;
    assert_eq!((busy.status.as_u16(), busy.header("retry-after")), (503, Some("1")));
}
