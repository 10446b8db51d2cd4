//! Settings beyond the spec, as clients send and see them.

mod health_check;
mod volumes;

use model::{
    Constraint, PlacementRules, RestartCondition, RestartPolicy, SecretId, ServiceKind, Setting, UpdatePolicy,
};

pub use self::health_check::{HEALTH_CHECK, health_check_out};
pub use self::volumes::{VOLUMES, volumes_out};
use crate::errors::FieldErrors;
use crate::fields::{FieldSpec, Shape, Values};
use crate::output::Out;
use crate::texts;

const REPLICAS_MAX: i64 = 12;
const HOUR: i64 = 3600;
/// What a node gives where nobody says otherwise.
const DRAIN: u32 = 30;

/// How rollouts go.
pub const UPDATE: &[FieldSpec] = &[
    FieldSpec::member(
        "parallelism",
        Shape::Integer {
            min: 1,
            max: REPLICAS_MAX,
        },
        "So many replicas are replaced at a time; null (default): as many as `max_surge` has room for.",
    )
    .or_null(),
    FieldSpec::member(
        "max_surge",
        Shape::Integer {
            min: 0,
            max: REPLICAS_MAX,
        },
        "So many more than wanted may run meanwhile; null (default): a quarter of them, at least 1. With 0 an old one \
         goes before a new one comes.",
    )
    .or_null(),
    FieldSpec::member(
        "auto_rollback",
        Shape::Boolean,
        "Whether a rollout that fails brings the last good revision back; default true.",
    ),
];

/// When a container that ended is started again.
pub const RESTART_POLICY: &[FieldSpec] = &[
    FieldSpec::member("condition", Shape::Choice(CONDITIONS), "Default `always`."),
    FieldSpec::member(
        "max_delay_seconds",
        Shape::Integer { min: 1, max: HOUR },
        "The longest of the growing pauses between starts; default 60.",
    ),
];

const CONDITIONS: &[&str] = &["always", "on-failure", "never"];

/// Seconds that requests in flight have.
pub const DRAIN_SECONDS: Shape = Shape::Integer { min: 0, max: HOUR };

/// Where replicas go.
pub const PLACEMENT: &[FieldSpec] = &[
    FieldSpec::member(
        "constraints",
        Shape::Texts,
        "Each `node==NAME` or `node!=NAME`; all of them hold.",
    ),
    FieldSpec::member(
        "spread",
        Shape::Boolean,
        "Whether nodes with fewer replicas of it come first; default true.",
    ),
];

/// As it is shown.
pub fn update_out(it: UpdatePolicy) -> Out {
    Out::object([
        ("parallelism", Out::or_null(it.parallelism)),
        ("max_surge", Out::or_null(it.max_surge)),
        ("auto_rollback", it.auto_rollback.into()),
    ])
}

/// As it is shown.
pub fn restart_out(it: RestartPolicy) -> Out {
    let condition = match it.condition {
        RestartCondition::Always => CONDITIONS[0],
        RestartCondition::OnFailure => CONDITIONS[1],
        RestartCondition::Never => CONDITIONS[2],
    };
    Out::object([
        ("condition", condition.into()),
        ("max_delay_seconds", it.max_delay_seconds.into()),
    ])
}

/// As it is shown.
pub fn drain_out(seconds: Option<u32>) -> Out {
    seconds.unwrap_or(DRAIN).into()
}

/// As it is shown.
pub fn placement_out(it: &PlacementRules) -> Out {
    Out::object([
        ("constraints", it.constraints.iter().map(ToString::to_string).collect()),
        ("spread", it.spread.into()),
    ])
}

/// What is wrong with them beyond single fields.
pub fn check(values: &mut Values, kind: ServiceKind, errors: &mut FieldErrors) {
    if let Err(wrong) = sent(values, kind) {
        errors.merge(wrong);
    }
}

/// What a client says of them.
///
/// # Errors
/// What is wrong with them beyond single fields.
pub fn sent(values: &mut Values, kind: ServiceKind) -> Result<Vec<Setting>, FieldErrors> {
    let mut said = Vec::new();
    let mut errors = FieldErrors::default();
    if let Some(it) = values.nullable_object("health_check") {
        match it.map(|it| health_check::sent(it, kind)).transpose() {
            Ok(it) => said.push(Setting::HealthCheck(it.flatten())),
            Err(texts) => errors.add("health_check", texts),
        }
    }
    if let Some(Some(mut it)) = values.nullable_object("update") {
        said.push(Setting::Update(UpdatePolicy {
            parallelism: it.integer("parallelism"),
            max_surge: it.integer("max_surge"),
            auto_rollback: it.boolean("auto_rollback").unwrap_or(true),
        }));
    }
    if let Some(Some(it)) = values.nullable_object("restart_policy") {
        said.push(Setting::Restart(restart(it)));
    }
    if let Some(seconds) = values.integer("drain_seconds") {
        said.push(Setting::DrainSeconds(Some(seconds).filter(|it| *it != DRAIN)));
    }
    if let Some(Some(it)) = values.nullable_object("placement") {
        match placement(it) {
            Ok(it) => said.push(Setting::Placement(it)),
            Err(texts) => errors.add("placement", texts),
        }
    }
    if let Some(it) = values.nullable_reference("registry_secret") {
        said.push(Setting::RegistrySecret(it.map(SecretId)));
    }
    if let Some(it) = values.objects("volumes") {
        match volumes::sent(it) {
            Ok(it) => said.push(Setting::Volumes(it)),
            Err(texts) => errors.add("volumes", texts),
        }
    }
    if errors.is_empty() { Ok(said) } else { Err(errors) }
}

fn restart(mut sent: Values) -> RestartPolicy {
    let usual = RestartPolicy::default();
    let condition = match sent.text("condition").as_deref() {
        Some("on-failure") => RestartCondition::OnFailure,
        Some("never") => RestartCondition::Never,
        _ => usual.condition,
    };
    RestartPolicy {
        condition,
        max_delay_seconds: sent.integer("max_delay_seconds").unwrap_or(usual.max_delay_seconds),
    }
}

fn placement(mut sent: Values) -> Result<PlacementRules, Vec<String>> {
    let mut constraints = Vec::new();
    let mut wrong = Vec::new();
    for (n, text) in sent.texts("constraints").unwrap_or_default().iter().enumerate() {
        match constraint(text) {
            Some(it) => constraints.push(it),
            None => wrong.push(format!("constraints: {}", texts::of_item(n, texts::BAD_CONSTRAINT))),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let spread = sent.boolean("spread").unwrap_or(true);
    Ok(PlacementRules { constraints, spread })
}

fn constraint(text: &str) -> Option<Constraint> {
    let (what, make): (_, fn(String) -> Constraint) = match text.split_once("!=") {
        Some(parts) => (parts, Constraint::NotNode),
        None => (text.split_once("==")?, Constraint::Node),
    };
    let (key, name) = (what.0.trim(), what.1.trim());
    (key == "node" && !name.is_empty()).then(|| make(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_come_back_as_they_were_written() {
        for text in ["node==n1", "node!=n-2.example"] {
            assert_eq!(constraint(text).map(|it| it.to_string()).as_deref(), Some(text));
        }
        assert_eq!(constraint(" node == n1 "), constraint("node==n1"));
        for text in ["", "n1", "node=n1", "node==", "zone==a", "node!= "] {
            assert_eq!(constraint(text), None, "{text}");
        }
    }
}
