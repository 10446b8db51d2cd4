//! What a deployment is to bring.

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Map, Value, json};

use super::kind_of;
use crate::workload::Kind;

/// What is to be different.
#[derive(Clone, Debug, Default, Args)]
pub struct ChangeArgs {
    /// The image
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// How many replicas
    #[arg(long, value_name = "N")]
    pub(crate) replicas: Option<u8>,
    /// The port that it listens on
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// A variable of its environment; can be given several times, and leaves the others as they are
    #[arg(long, value_name = "KEY=VALUE", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,
    /// A variable that is no longer set; can be given several times
    #[arg(long, value_name = "KEY")]
    pub(crate) unset_env: Vec<String>,
    /// A note for the deployment
    #[arg(long, value_name = "TEXT")]
    pub(crate) notes: Option<String>,
    /// Make it if it is not there yet
    #[arg(long)]
    pub(crate) create: bool,
    /// With --create: make a worker, which has no port
    #[arg(long, requires = "create", conflicts_with = "port")]
    pub(crate) worker: bool,
}

impl ChangeArgs {
    /// What makes it, and as which of the two.
    pub(super) fn creation(&self, name: &str) -> Result<(Kind, Value)> {
        let image = self.image.as_ref();
        let image = image.with_context(|| format!("there is no {name} yet: --create needs --image"))?;
        if self.port.is_none() && !self.worker {
            bail!("there is no {name} yet: --create needs the --port that it listens on, or --worker");
        }
        let mut body = self.common();
        body.insert("name".to_owned(), json!(name));
        body.insert("image".to_owned(), json!(image));
        if !self.env.is_empty() {
            body.insert("env".to_owned(), Value::Object(self.environment(&Value::Null)));
        }
        Ok((kind_of(self.worker), Value::Object(body)))
    }

    /// What changes it, as it is shown.
    pub(super) fn patch(&self, shown: &Value) -> Result<Value> {
        let mut body = self.common();
        if let Some(image) = &self.image {
            body.insert("image".to_owned(), json!(image));
        }
        if !self.env.is_empty() || !self.unset_env.is_empty() {
            body.insert("env".to_owned(), Value::Object(self.environment(&shown["env"])));
        }
        if body.keys().all(|it| it == "notes") {
            bail!(
                "say what is to be different: --image, --replicas, --port, --env or --unset-env; see also `goblins restart`"
            );
        }
        Ok(Value::Object(body))
    }

    fn common(&self) -> Map<String, Value> {
        let fields = [
            ("replicas_target", self.replicas.map(Value::from)),
            ("port", self.port.map(Value::from)),
            ("notes", self.notes.clone().map(Value::from)),
        ];
        let given = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        given.collect()
    }

    fn environment(&self, before: &Value) -> Map<String, Value> {
        let mut env = before.as_object().cloned().unwrap_or_default();
        for key in &self.unset_env {
            env.remove(key);
        }
        env.extend(self.env.iter().map(|(key, value)| (key.clone(), json!(value))));
        env
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, such as LEVEL=debug".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> ChangeArgs {
        ChangeArgs {
            env: vec![variable("A=1=2").unwrap(), variable("B=").unwrap()],
            unset_env: vec!["C".to_owned()],
            ..ChangeArgs::default()
        }
    }

    #[test]
    fn only_what_is_given_changes() {
        let shown = json!({"env": {"A": "0", "C": "3", "D": "4"}});
        assert_eq!(
            change().patch(&shown).unwrap(),
            json!({"env": {"A": "1=2", "B": "", "D": "4"}})
        );
        let image = ChangeArgs {
            image: Some("web:2".to_owned()),
            replicas: Some(3),
            notes: Some("why".to_owned()),
            ..ChangeArgs::default()
        };
        let expected = json!({"image": "web:2", "replicas_target": 3, "notes": "why"});
        assert_eq!(image.patch(&shown).unwrap(), expected);
        let nothing = ChangeArgs {
            notes: Some("why".to_owned()),
            ..ChangeArgs::default()
        };
        assert!(nothing.patch(&shown).unwrap_err().to_string().contains("--image"));
        assert!(variable("A").is_err() && variable("=1").is_err());
    }

    #[test]
    fn a_new_one_needs_an_image_and_a_port_or_is_a_worker() {
        let new = |image: Option<&str>, port, worker| ChangeArgs {
            image: image.map(str::to_owned),
            port,
            worker,
            ..change()
        };
        let why = |it: ChangeArgs| it.creation("web").unwrap_err().to_string();
        assert!(why(new(None, Some(80), false)).contains("--image"));
        assert!(why(new(Some("web:1"), None, false)).contains("--port"));
        let (kind, body) = new(Some("web:1"), Some(80), false).creation("web").unwrap();
        assert_eq!(kind, Kind::Service);
        assert_eq!(
            body,
            json!({"name": "web", "image": "web:1", "port": 80, "env": {"A": "1=2", "B": ""}})
        );
        assert_eq!(new(Some("web:1"), None, true).creation("web").unwrap().0, Kind::Worker);
    }
}
