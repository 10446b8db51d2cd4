//! A small client of the public API: JSON in, JSON out, every request with a deadline.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;
use thiserror::Error;

/// The most a request may take before it counts as failed.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// Why a request brought no good answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// No answer at all.
    #[error("{method} {url} got no answer")]
    NoAnswer {
        /// What was asked.
        method: Method,
        /// Of whom.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// An answer outside 200 to 299.
    #[error("{method} {url} was answered {status}: {body}")]
    Status {
        /// What was asked.
        method: Method,
        /// Of whom.
        url: String,
        /// The status.
        status: StatusCode,
        /// The body, as text.
        body: String,
    },
    /// The body is no JSON.
    #[error("{url} answered something that is not JSON: {body}")]
    NotJson {
        /// Of whom it was asked.
        url: String,
        /// The body, as text.
        body: String,
    },
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body, as text.
    pub body: String,
}

impl Answer {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
}

/// Speaks to one node.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    key: Option<String>,
    http: reqwest::Client,
}

impl Client {
    /// A client of the API (or the proxy) at `base`, such as `http://10.231.1.1:7400`, that sends `key` if there is one.
    pub fn new(base: impl Into<String>, key: Option<&str>) -> Result<Self, ClientError> {
        let base = base.into();
        let http = reqwest::Client::builder().no_proxy().timeout(REQUEST_DEADLINE).build();
        let http = http.map_err(|source| ClientError::NoAnswer {
            method: Method::CONNECT,
            url: base.clone(),
            source,
        })?;
        Ok(Self {
            base,
            key: key.map(str::to_owned),
            http,
        })
    }

    /// Where it sends its requests.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request with any method, extra headers and body; an error only where there is no answer in time.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
        deadline: Duration,
    ) -> Result<Answer, ClientError> {
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(method.clone(), &url).timeout(deadline);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let failed = |source| ClientError::NoAnswer { method, url, source };
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return Err(failed(error)),
        };
        let status = answer.status();
        let body = answer.text().await.map_err(failed)?;
        Ok(Answer { status, body })
    }

    /// The object or list at `path`.
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.call(Method::GET, path, None).await
    }

    /// Creates, and gives the created object.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Changes, and gives the changed object.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    /// Deletes.
    pub async fn delete(&self, path: &str) -> Result<(), ClientError> {
        self.call(Method::DELETE, path, None).await.map(drop)
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ClientError> {
        let answer = self.send(method.clone(), path, &[], body, REQUEST_DEADLINE).await?;
        let url = format!("{}{path}", self.base);
        if !answer.status.is_success() {
            return Err(ClientError::Status {
                method,
                url,
                status: answer.status,
                body: answer.body,
            });
        }
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&answer.body).map_err(|_| ClientError::NotJson { url, body: answer.body })
    }
}
