//! Credentials for a registry: opened on the host that asks it, for as long as it asks.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;

use crate::secret::OpenSecret;

/// What Docker Hub is called, besides by its own address.
const HUB: [&str; 3] = ["docker.io", "registry-1.docker.io", "hub.docker.com"];
const HUB_ADDRESS: &str = "index.docker.io";

/// The items of a secret that holds credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Name of the secret, for people.
    pub secret: String,
    /// All its items, in the open.
    pub items: Vec<OpenSecret>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({}, redacted)", self.secret)
    }
}

impl Login {
    /// What to show this registry. Credentials that are for another one are never shown to it.
    ///
    /// # Errors
    /// What is wrong with the secret. Nothing of a value is in it.
    pub(super) fn auth(&self, registry: &str) -> Result<RegistryAuth, &'static str> {
        if let Some(config) = self.item("dockerconfigjson") {
            return from_docker(config, registry);
        }
        let (Some(name), Some(password)) = (self.text("username")?, self.text("password")?) else {
            return Err("it needs the items `username` and `password`, or `dockerconfigjson`");
        };
        match self.text("registry")? {
            Some(other) if host(other) != host(registry) => Ok(RegistryAuth::Anonymous),
            _ => Ok(RegistryAuth::Basic(name.to_owned(), password.to_owned())),
        }
    }

    /// However it is written: `username`, `USERNAME`, `DOCKER_CONFIG_JSON`.
    fn item(&self, name: &str) -> Option<&[u8]> {
        let plain = |key: &str| key.replace('_', "").to_ascii_lowercase();
        let found = self.items.iter().find(|it| plain(&it.key) == name)?;
        Some(&found.value)
    }

    fn text(&self, name: &str) -> Result<Option<&str>, &'static str> {
        let text = self.item(name).map(std::str::from_utf8).transpose();
        // A line end comes along when a value is read from a file.
        let text = text.map(|it| it.map(|it| it.trim_end_matches(['\r', '\n'])));
        text.map_err(|_| "its items `username`, `password` and `registry` have to be text")
    }
}

/// `~/.docker/config.json`, as far as it is needed here.
#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, DockerAuth>,
}

#[derive(Deserialize)]
struct DockerAuth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    registrytoken: Option<String>,
}

fn from_docker(config: &[u8], registry: &str) -> Result<RegistryAuth, &'static str> {
    // What the parser says may quote what it has read.
    let config: DockerConfig =
        serde_json::from_slice(config).map_err(|_| "its item `dockerconfigjson` is not a Docker configuration")?;
    let Some((_, own)) = config.auths.into_iter().find(|(name, _)| host(name) == host(registry)) else {
        return Ok(RegistryAuth::Anonymous);
    };
    if let Some(token) = own.registrytoken.filter(|it| !it.is_empty()) {
        return Ok(RegistryAuth::Bearer(token));
    }
    if let (Some(name), Some(password)) = (own.username, own.password) {
        return Ok(RegistryAuth::Basic(name, password));
    }
    let pair = own.auth.and_then(|it| STANDARD.decode(it.trim()).ok());
    let pair = pair.and_then(|it| String::from_utf8(it).ok());
    let pair = pair.as_deref().and_then(|it| it.split_once(':'));
    let pair = pair.map(|(name, password)| RegistryAuth::Basic(name.to_owned(), password.to_owned()));
    pair.ok_or("its item `dockerconfigjson` has neither name and password nor `auth` for this registry")
}

/// Host and port, whatever a registry is called by.
fn host(name: &str) -> String {
    let name = name.trim();
    let name = name.split_once("://").map_or(name, |(_, rest)| rest);
    let host = name.split('/').next().unwrap_or_default().to_ascii_lowercase();
    if HUB.contains(&&*host) {
        HUB_ADDRESS.to_owned()
    } else {
        host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(items: &[(&str, &str)]) -> Login {
        let open = |(key, value): &(&str, &str)| OpenSecret {
            key: (*key).to_owned(),
            value: value.as_bytes().to_vec().into(),
        };
        Login {
            secret: "registry".to_owned(),
            items: items.iter().map(open).collect(),
        }
    }

    fn basic(name: &str, password: &str) -> Result<RegistryAuth, &'static str> {
        Ok(RegistryAuth::Basic(name.to_owned(), password.to_owned()))
    }

    #[test]
    fn name_and_password_go_to_the_images_registry_or_to_the_named_one_only() {
        let plain = login(&[("username", "ann"), ("password", "pw\n")]);
        assert_eq!(plain.auth("r.test:5000"), basic("ann", "pw"));
        let loud = login(&[("USERNAME", "ann"), ("PASSWORD", "pw"), ("REGISTRY", "https://r.test/")]);
        assert_eq!(loud.auth("r.test"), basic("ann", "pw"));
        assert_eq!(loud.auth("evil.test"), Ok(RegistryAuth::Anonymous));
        assert_eq!(loud.auth("r.test:5000"), Ok(RegistryAuth::Anonymous));
    }

    #[test]
    fn a_docker_configuration_gives_the_entry_of_the_registry() {
        let config = r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "YW5uOnA6dw=="},
            "r.test:5000": {"username": "bob", "password": "pw"},
            "t.test": {"registrytoken": "tok"},
            "odd.test": {"auth": "???"}
        }}"#;
        for key in ["dockerconfigjson", "DOCKER_CONFIG_JSON"] {
            let it = login(&[(key, config)]);
            assert_eq!(it.auth("index.docker.io"), basic("ann", "p:w"));
            assert_eq!(it.auth("r.test:5000"), basic("bob", "pw"));
            assert_eq!(it.auth("t.test"), Ok(RegistryAuth::Bearer("tok".to_owned())));
            assert_eq!(it.auth("r.test"), Ok(RegistryAuth::Anonymous));
            assert!(it.auth("odd.test").is_err());
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_any_value() {
        let all = [
            login(&[("username", "hush")]),
            login(&[("dockerconfigjson", "{\"auths\": \"hush\"}")]),
            login(&[("dockerconfigjson", r#"{"auths": {"r.test": {"auth": "hush"}}}"#)]),
        ];
        for it in all {
            let text = it.auth("r.test").unwrap_err();
            assert!(!text.contains("hush"), "{text}");
            assert!(!format!("{it:?}").contains("hush"));
        }
    }
}
