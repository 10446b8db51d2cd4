//! One question to a container.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::header::{CONNECTION, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use model::ReplicaId;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::runtime::{CommandEnd, Runtime};

/// What is read of an answer's head and of its body at most: enough to be polite, and no more.
const LARGEST_HEAD: usize = 64 * 1024;
const LARGEST_BODY: usize = 64 * 1024;

/// Who is asked, and what.
#[derive(Clone)]
pub(crate) enum Asked {
    /// Whether a port takes connections.
    Port(SocketAddr),
    /// What is answered to a GET of a path.
    Path(SocketAddr, String),
    /// How a command ends in the container.
    Command(ReplicaId, Vec<String>, Arc<dyn Runtime>),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// All is well.
    Fit,
    /// Not so: what was got, as the end of a sentence that begins with what was asked.
    Unfit(String),
    /// It could not be asked.
    Unknown,
}

impl Asked {
    pub(super) async fn ask(&self, limit: Duration) -> Answer {
        let late = || Err(format!("gave no answer within {} s", limit.as_secs()));
        let got = match self {
            Self::Port(target) => match timeout(limit, TcpStream::connect(target)).await {
                Ok(connected) => connected
                    .map(drop)
                    .map_err(|error| format!("cannot be reached: {error}")),
                Err(_) => late(),
            },
            Self::Path(target, path) => timeout(limit, get(*target, path)).await.unwrap_or_else(|_| late()),
            Self::Command(replica, command, runtime) => match runtime.check(*replica, command, limit).await {
                Ok(CommandEnd::Exited(0, _)) => Ok(()),
                Ok(CommandEnd::Exited(code, printed)) => {
                    Err(format!("ended with exit code {code}, not 0{}", quoted(&printed)))
                }
                Ok(CommandEnd::TimedOut(printed)) => Err(format!(
                    "had not ended after {} s, and was killed{}",
                    limit.as_secs(),
                    quoted(&printed)
                )),
                Ok(CommandEnd::NotRun(why)) => Err(format!("cannot be run: {why}")),
                Ok(CommandEnd::Gone) => return Answer::Unknown,
                Err(error) => {
                    tracing::debug!(%replica, %error, "a health check could not be run");
                    return Answer::Unknown;
                }
            },
        };
        got.map_or_else(Answer::Unfit, |()| Answer::Fit)
    }
}

/// What a command printed last, as the end of a sentence.
fn quoted(printed: &str) -> String {
    if printed.is_empty() {
        ", and printed nothing".to_owned()
    } else {
        format!("; it printed last: {printed}")
    }
}

/// Follows no redirect: one is an answer like any other.
async fn get(target: SocketAddr, path: &str) -> Result<(), String> {
    let unreachable = |error: io::Error| format!("cannot be sent: {error}");
    let stream = TcpStream::connect(target).await.map_err(unreachable)?;
    let status = exchange(stream, target, path)
        .await
        .map_err(|error| match error.source() {
            Some(cause) => format!("got no answer: {error}: {cause}"),
            None => format!("got no answer: {error}"),
        })?;
    if status.is_success() || status.is_redirection() {
        Ok(())
    } else {
        Err(format!("answered {}, not 2xx or 3xx", status.as_u16()))
    }
}

async fn exchange(stream: TcpStream, target: SocketAddr, path: &str) -> Result<StatusCode, hyper::Error> {
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(LARGEST_HEAD)
        .handshake(TokioIo::new(stream))
        .await?;
    let mut request = Request::new(Empty::<Bytes>::new());
    if let Ok(uri) = path.parse() {
        *request.uri_mut() = uri;
    }
    let host = HeaderValue::try_from(target.to_string()).ok();
    let headers = request.headers_mut();
    headers.extend(host.map(|it| (HOST, it)));
    headers.insert(USER_AGENT, HeaderValue::from_static("goblins-health-check"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let talk = async move {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let mut body = response.into_body();
        let mut read = 0;
        // A body that breaks off or never ends says nothing of the status.
        while read < LARGEST_BODY {
            let Some(Ok(frame)) = body.frame().await else { break };
            read += frame.data_ref().map_or(0, Bytes::len);
        }
        Ok::<_, hyper::Error>(status)
    };
    tokio::pin!(talk);
    tokio::select! {
        biased;
        status = &mut talk => status,
        _ = connection => talk.await,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one connection with this, and hands over what it was asked. `None` never answers.
    async fn server(answer: Option<&'static str>) -> (SocketAddr, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let length = stream.read(&mut asked).await.unwrap();
            match answer {
                Some(text) => stream.write_all(text.as_bytes()).await.unwrap(),
                // Until the other end gives up.
                None => drop(stream.read(&mut asked).await),
            }
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        (address, task)
    }

    async fn ask(answer: Option<&'static str>) -> Answer {
        let (address, _task) = server(answer).await;
        Asked::Path(address, "/healthz?full=1".to_owned())
            .ask(Duration::from_millis(500))
            .await
    }

    fn said(answer: &Answer) -> &str {
        match answer {
            Answer::Unfit(got) => got,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn statuses_below_400_are_fit_and_redirects_are_not_followed() {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.0 204 No Content\r\n\r\n",
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            // Breaks off, which says nothing of the status.
            "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nok",
        ] {
            assert_eq!(ask(Some(answer)).await, Answer::Fit, "{answer}");
        }
        for status in ["404", "500", "503"] {
            let answer: &'static str = format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n").leak();
            let got = ask(Some(answer)).await;
            assert_eq!(said(&got), format!("answered {status}, not 2xx or 3xx"));
        }
    }

    #[tokio::test]
    async fn what_is_no_answer_is_told() {
        assert_eq!(said(&ask(None).await), "gave no answer within 0 s");
        let got = ask(Some("nonsense\r\n\r\n")).await;
        assert!(said(&got).starts_with("got no answer: "), "{got:?}");
        let got = ask(Some("")).await;
        assert!(said(&got).starts_with("got no answer: "), "{got:?}");
        let closed = SocketAddr::from(([127, 0, 0, 1], 9));
        let got = Asked::Path(closed, "/".to_owned()).ask(Duration::from_secs(5)).await;
        assert!(said(&got).starts_with("cannot be sent: "), "{got:?}");
        let got = Asked::Port(closed).ask(Duration::from_secs(5)).await;
        assert!(said(&got).starts_with("cannot be reached: "), "{got:?}");
    }

    #[tokio::test]
    async fn a_request_names_the_container_itself_as_its_host() {
        let (address, task) = server(Some("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).await;
        let asked = Asked::Path(address, "/healthz?full=1".to_owned());
        assert_eq!(asked.ask(Duration::from_secs(5)).await, Answer::Fit);
        let sent = task.await.unwrap();
        assert!(sent.starts_with("GET /healthz?full=1 HTTP/1.1\r\n"), "{sent}");
        assert!(sent.contains(&format!("host: {address}\r\n")), "{sent}");
    }

    #[tokio::test]
    async fn an_endless_body_is_not_read_to_its_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let flood = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            while stream.write_all(&[b'x'; 65536]).await.is_ok() {}
        });
        let asked = Asked::Path(address, "/".to_owned());
        assert_eq!(asked.ask(Duration::from_secs(20)).await, Answer::Fit);
        flood.await.unwrap();
    }
}
