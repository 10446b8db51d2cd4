//! A real registry (Debian's `docker-registry`) inside a lab, over plain HTTP.

mod tokens;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Response, StatusCode};
use thiserror::Error;
use tokio::time::{Instant, sleep};

pub use self::tokens::TokenService;
use crate::image::{Blob, Image};
use crate::lab::{Lab, LabError, tail};
use crate::pid::ProcessId;

const PORT: u16 = 5000;
const PRIVATE_PORT: u16 = 5001;
const START_DEADLINE: Duration = Duration::from_secs(20);
const REQUEST_DEADLINE: Duration = Duration::from_secs(20);

/// Why the registry does not serve an image.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// Its folder or configuration could not be written, or the program not started.
    #[error("cannot start docker-registry with {}: is the package docker-registry installed (`make deps`)?", .0.display())]
    Start(PathBuf, #[source] io::Error),
    /// It ended or did not answer.
    #[error("docker-registry does not answer at {address}: {log}")]
    Silent {
        /// Where it should listen.
        address: String,
        /// The end of its log.
        log: String,
    },
    /// A request got no answer.
    #[error("cannot push {0}")]
    Request(String, #[source] reqwest::Error),
    /// A request got the wrong answer.
    #[error("the registry answered {status} while {what} was pushed: {body}")]
    Refused {
        /// The image.
        what: String,
        /// HTTP status.
        status: StatusCode,
        /// The answer's body.
        body: String,
    },
    /// The lab could not be used.
    #[error(transparent)]
    Lab(#[from] LabError),
}

/// Who gets something from a registry.
enum Doors<'a> {
    Open,
    Password,
    Tokens(&'a TokenService),
}

/// A registry that runs until its lab goes down.
#[derive(Clone, Debug)]
pub struct Registry {
    address: String,
    process: ProcessId,
    http: reqwest::Client,
    private: bool,
}

impl Registry {
    /// The only user of a private registry.
    pub const USER: &str = "ann";
    /// That user's password.
    pub const PASSWORD: &str = "s3cret-of-the-lab";
    /// The same, as `htpasswd -B` writes it.
    const HTPASSWD: &str = "ann:$2b$05$abcdefghijklmnopqrstuu.FHsGI67e4M.3i1EwS16iJebjpzAusS\n";

    /// Starts it beside the hosts, where all of them reach it, and waits until it answers.
    pub async fn start(lab: &mut Lab) -> Result<Self, RegistryError> {
        Self::start_as(lab, PORT, PORT, Doors::Open).await
    }

    /// Starts one that gives and takes nothing without name and password, beside the other.
    pub async fn start_private(lab: &mut Lab) -> Result<Self, RegistryError> {
        Self::start_as(lab, PRIVATE_PORT, PRIVATE_PORT, Doors::Password).await
    }

    /// Starts one that gives what the open one was given, but only for tokens of a service, which is to be kept for as long.
    pub async fn start_with_tokens(lab: &mut Lab) -> Result<(Self, TokenService), RegistryError> {
        let start = |error| RegistryError::Start(lab.state().to_path_buf(), error);
        let service = TokenService::start(lab.network().machine()).await.map_err(start)?;
        let registry = Self::start_as(lab, PRIVATE_PORT, PORT, Doors::Tokens(&service)).await?;
        Ok((registry, service))
    }

    /// Where [`Registry::start_private`] and [`Registry::start_with_tokens`] listen, as `--insecure-registry` takes it.
    pub fn private_address(lab: &Lab) -> String {
        format!("{}:{PRIVATE_PORT}", lab.network().gateway())
    }

    /// `of` is the port of the one whose images it has.
    async fn start_as(lab: &mut Lab, port: u16, of: u16, doors: Doors<'_>) -> Result<Self, RegistryError> {
        let folder = lab.state().join(format!("registry-{port}"));
        let config = folder.join("config.yml");
        let start = |error| RegistryError::Start(config.clone(), error);
        fs::create_dir_all(&folder).map_err(start)?;
        let data = lab.state().join(format!("registry-{of}")).join("data");
        fs::create_dir_all(&data).map_err(start)?;
        let address = format!("{}:{port}", lab.network().gateway());
        let mut text = configuration(&data.display().to_string(), &address);
        match &doors {
            Doors::Open => {}
            Doors::Password => {
                let users = folder.join("htpasswd");
                fs::write(&users, Self::HTPASSWD).map_err(start)?;
                text += &format!("auth: {{htpasswd: {{realm: lab, path: {}}}}}\n", users.display());
            }
            Doors::Tokens(service) => {
                let certificate = folder.join("tokens.pem");
                fs::write(&certificate, service.certificate()).map_err(start)?;
                text += &service.configuration(&certificate);
            }
        }
        fs::write(&config, text).map_err(start)?;
        let log_path = folder.join("log");
        let log = fs::File::create(&log_path).map_err(start)?;
        let log_too = log.try_clone().map_err(start)?;

        let mut command = Command::new("setsid");
        command
            .arg("nsenter")
            .arg(format!("--net={}", lab.network().namespace_file()));
        command.args(["docker-registry", "serve"]).arg(&config);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_too)
            .spawn()
            .map_err(start)?;
        let process = ProcessId::of(child.id().cast_signed());
        std::thread::spawn(move || child.wait());
        let silent = || RegistryError::Silent {
            address: address.clone(),
            log: tail(&log_path, 5),
        };
        let process = process.ok_or_else(silent)?;
        lab.adopt(process)?;

        let http = reqwest::Client::builder().no_proxy().timeout(REQUEST_DEADLINE).build();
        let http = http.map_err(|error| RegistryError::Request(address.clone(), error))?;
        let end = Instant::now() + START_DEADLINE;
        let probe = format!("http://{address}/v2/");
        while !http
            .get(&probe)
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success() || answer.status() == StatusCode::UNAUTHORIZED)
        {
            if Instant::now() > end || !process.alive() {
                return Err(silent());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(Self {
            address,
            process,
            http,
            private: matches!(doors, Doors::Password),
        })
    }

    /// `HOST:PORT`, as `--insecure-registry` takes it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Kills it, as for a test of an unreachable registry.
    pub fn stop(&self) {
        self.process.signal(nix::sys::signal::Signal::SIGKILL);
        self.process.wait_gone(START_DEADLINE);
    }

    /// Has it take connections and give no answers, until [`Registry::go_on`].
    pub fn freeze(&self) {
        self.process.signal(nix::sys::signal::Signal::SIGSTOP);
    }

    /// See [`Registry::freeze`].
    pub fn go_on(&self) {
        self.process.signal(nix::sys::signal::Signal::SIGCONT);
    }

    /// Pushes `image` as `name:tag`; gives the reference by which a service names it.
    pub async fn push(&self, name: &str, tag: &str, image: &Image) -> Result<String, RegistryError> {
        let reference = format!("{}/{name}:{tag}", self.address);
        for blob in &image.blobs {
            self.push_blob(name, blob, &reference).await?;
        }
        let url = format!("http://{}/v2/{name}/manifests/{tag}", self.address);
        let put = self.http.put(url).header(CONTENT_TYPE, image.manifest.media_type);
        self.send(put.body(image.manifest.bytes.clone()), &reference).await?;
        Ok(reference)
    }

    async fn push_blob(&self, name: &str, blob: &Blob, reference: &str) -> Result<(), RegistryError> {
        let base = format!("http://{}/v2/{name}/blobs", self.address);
        let known = self
            .signed(self.http.head(format!("{base}/{}", blob.digest)))
            .send()
            .await;
        if known.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        let answer = self.send(self.http.post(format!("{base}/uploads/")), reference).await?;
        let location = answer
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let joint = if location.contains('?') { '&' } else { '?' };
        let url = format!("{location}{joint}digest={}", blob.digest);
        self.send(self.http.put(url).body(blob.bytes.clone()), reference)
            .await?;
        Ok(())
    }

    fn signed(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        if self.private {
            request.basic_auth(Self::USER, Some(Self::PASSWORD))
        } else {
            request
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder, what: &str) -> Result<Response, RegistryError> {
        let answer = self
            .signed(request)
            .send()
            .await
            .map_err(|error| RegistryError::Request(what.to_owned(), error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(RegistryError::Refused {
            what: what.to_owned(),
            status: answer.status(),
            body: answer.text().await.unwrap_or_default(),
        })
    }
}

fn configuration(data: &str, address: &str) -> String {
    format!(
        "version: 0.1\n\
         log: {{level: warn}}\n\
         storage: {{filesystem: {{rootdirectory: {data}}}, delete: {{enabled: true}}}}\n\
         http: {{addr: \"{address}\", host: \"http://{address}\"}}\n"
    )
}
