//! Requests to the API, with errors that say what to do.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::header::{ETAG, HeaderName, IF_MATCH, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde_json::Value;

const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(15);
/// Such an answer waits for a process to be started on another host.
const UPGRADE: Duration = Duration::from_secs(30);
/// What takes longer is neither a download nor a stream that somebody looks at; that it goes on is seen by its pieces.
const DOWNLOAD: Duration = Duration::from_secs(30 * 24 * 3600);

/// Talks to one node, which forwards what it cannot answer itself.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    key: String,
}

impl Client {
    pub(crate) fn new(api: &str, key: &str) -> Result<Self> {
        let base = Url::parse(api).ok().filter(Url::has_host);
        let base = base.with_context(|| format!("--api {api:?}: give a URL, such as http://127.0.0.1:7400"))?;
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .no_proxy()
            .build();
        Ok(Self {
            http: http.context("cannot set up HTTP")?,
            base,
            key: key.to_owned(),
        })
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.ask(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.ask(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Result<Value> {
        self.ask(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<()> {
        self.ask(Method::DELETE, path, None).await.map(drop)
    }

    /// An object, with the tag that tells whether it has changed since.
    pub(crate) async fn get_tagged(&self, path: &str) -> Result<(Value, Option<String>)> {
        let (url, request) = self.request(Method::GET, path, None)?;
        let answer = self.send(request).await?;
        let tag = answer
            .headers()
            .get(ETAG)
            .and_then(|it| it.to_str().ok())
            .map(str::to_owned);
        Ok((self.read(&url, answer).await?, tag))
    }

    /// Changes an object, unless it has changed since it was tagged.
    pub(crate) async fn patch_tagged(&self, path: &str, body: &Value, tag: Option<&str>) -> Result<Value> {
        let (url, mut request) = self.request(Method::PATCH, path, Some(body))?;
        if let Some(tag) = tag {
            request = request.header(IF_MATCH, tag);
        }
        self.read(&url, self.send(request).await?).await
    }

    /// Every object of a list, over all its pages.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Value>> {
        let mut found = Vec::new();
        let joint = if path.contains('?') { '&' } else { '?' };
        for page in 1.. {
            let answer = self.get(&format!("{path}{joint}page={page}")).await?;
            let results = answer["results"]
                .as_array()
                .with_context(|| format!("{path} answered no list"))?;
            found.extend(results.iter().cloned());
            if answer["next"].is_null() {
                break;
            }
        }
        Ok(found)
    }

    /// An answer whose body is still to come, for as long as it takes.
    pub(crate) async fn open(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response> {
        let (url, request) = self.request(method, path, body)?;
        let answer = tokio::time::timeout(ANSWER, self.send(request.timeout(DOWNLOAD))).await;
        let answer =
            answer.with_context(|| format!("no answer from {} within {} s", self.base, ANSWER.as_secs()))??;
        if answer.status().is_success() {
            return Ok(answer);
        }
        match self.read(&url, answer).await {
            Err(refused) => Err(refused),
            Ok(_) => bail!("{url} answered something unexpected"),
        }
    }

    /// Asks for another protocol on the same connection. Any answer is one.
    pub(crate) async fn upgrade(&self, path: &str, headers: &[(HeaderName, &str)]) -> Result<Response> {
        let (_, mut request) = self.request(Method::GET, path, None)?;
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let answer = tokio::time::timeout(UPGRADE, self.send(request.timeout(DOWNLOAD))).await;
        answer.with_context(|| format!("no answer from {} within {} s", self.base, UPGRADE.as_secs()))?
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let (url, request) = self.request(method, path, body)?;
        self.read(&url, self.send(request).await?).await
    }

    fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(Url, RequestBuilder)> {
        let url = self
            .base
            .join(path)
            .with_context(|| format!("{path} cannot be asked of {}", self.base))?;
        let mut request = self.http.request(method, url.clone()).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(body);
        }
        Ok((url, request))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        request.send().await.with_context(|| {
            format!(
                "no answer from {}; is a node running there? --api or GOBLINS_API names another",
                self.base
            )
        })
    }

    async fn read(&self, url: &Url, answer: Response) -> Result<Value> {
        let status = answer.status();
        let again = answer.headers().get(RETRY_AFTER).and_then(|it| it.to_str().ok());
        let again = again.map(|it| format!(" (ask again in {it} s)")).unwrap_or_default();
        let text = answer
            .text()
            .await
            .with_context(|| format!("the answer from {url} broke off"))?;
        if status == StatusCode::UNAUTHORIZED {
            bail!("{} does not accept this API key ({})", self.base, detail(&text));
        }
        if !status.is_success() {
            bail!("{url} answered {status}: {}{again}", detail(&text));
        }
        if status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{url} answered something that is not JSON"))
    }
}

/// What an answer says of what went wrong: its detail, or what it says of each field.
pub(crate) fn detail(text: &str) -> String {
    let json: Option<Value> = serde_json::from_str(text).ok();
    match &json {
        Some(Value::Object(members)) => match members.get("detail").and_then(Value::as_str) {
            Some(detail) => detail.to_owned(),
            None => fields(members),
        },
        _ => text.chars().take(500).collect(),
    }
}

fn fields(members: &serde_json::Map<String, Value>) -> String {
    let said = members.iter().map(|(name, texts)| {
        let texts = texts.as_array().into_iter().flatten();
        let texts: Vec<_> = texts.filter_map(Value::as_str).collect();
        match name.as_str() {
            "non_field_errors" => texts.join(" "),
            name => format!("{name}: {}", texts.join(" ")),
        }
    });
    said.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_fields() {
        assert_eq!(detail(r#"{"detail": "Not found."}"#), "Not found.");
        assert_eq!(
            detail(r#"{"passphrase": ["Too short."], "non_field_errors": ["No."]}"#),
            "No.; passphrase: Too short."
        );
        assert_eq!(detail("<html>"), "<html>");
    }
}
