//! What an entry is told of as: events are derived from its changes, so that nothing can change unseen.

use super::Context;
use super::rollout::actor_name;
use super::service::kind;
use crate::{
    AccountId, Change, ClusterId, Command, Deployment, DeploymentStatus, Event, EventId, Key, Kind, Node, NodeId,
    Resource, State, Verb, Voting,
};

/// Events of reads of secrets, and as many others, are kept.
const KEPT: usize = 10_000;
/// How many old events one entry sweeps out of each class at most, besides those it makes room for.
const SWEEP: usize = 4;

/// The events of the changes of one command, and of itself if it was accepted, and the end of events that are too many.
pub(super) fn of(cx: &Context<'_>, changes: &[Change], is_accepted: bool) -> Vec<Change> {
    let told: Vec<Told> = changes
        .iter()
        .filter_map(|change| told(cx, change))
        .chain(noted(cx).filter(|_| is_accepted))
        .collect();
    if told.is_empty() {
        return Vec::new();
    }
    let swept = told.len() + SWEEP;
    let mut all: Vec<Change> = (cx.state.last_event().0 + 1..)
        .zip(told)
        .map(|(id, it)| it.into_event(cx, EventId(id)).into())
        .collect();
    for (count, oldest) in cx.state.events_by_class() {
        let surplus = (count + swept).saturating_sub(KEPT).min(swept);
        all.extend(oldest.take(surplus).map(|id| Change::Delete(Key::Event(id))));
    }
    all
}

struct Told {
    subject: Kind,
    verb: Verb,
    object: String,
    name: String,
    account: Option<AccountId>,
    note: String,
}

impl Told {
    fn into_event(self, cx: &Context<'_>, id: EventId) -> Event {
        let Self {
            subject,
            verb,
            object,
            name,
            account,
            note,
        } = self;
        let actor = cx.actor().account().map(|_| actor_name(cx));
        Event {
            id,
            at: cx.now,
            subject,
            verb,
            object,
            name,
            account,
            actor,
            note,
        }
    }
}

fn told(cx: &Context<'_>, change: &Change) -> Option<Told> {
    match change {
        Change::Put(resource) => put(cx, resource),
        Change::Delete(Key::NodeVoting(id)) if matches!(cx.envelope.submission.command, Command::SetVoting(..)) => {
            voting(cx.state, *id, Voting::Auto)
        }
        Change::Delete(Key::AuthorityRotation(id)) => Some(authority(Verb::Rotated, *id)),
        Change::Delete(key) => deleted(cx.state, *key),
    }
}

fn authority(verb: Verb, cluster: ClusterId) -> Told {
    Told {
        subject: Kind::Authority,
        verb,
        object: cluster.to_string(),
        name: "certificate authority".to_owned(),
        account: None,
        note: String::new(),
    }
}

/// What changes nothing, and is to be on record all the same.
fn noted(cx: &Context<'_>) -> Option<Told> {
    let Command::NoteExec {
        service,
        replica,
        program,
    } = &cx.envelope.submission.command
    else {
        return None;
    };
    let service = cx.state.resource(Key::Service(*service))?;
    let node = cx.state.replica(*replica).and_then(|it| cx.state.node(it.node));
    let node = node.map_or("", |it| &it.name);
    Some(Told {
        verb: Verb::Executed,
        note: format!("{program} beside replica {replica} on node {node}"),
        ..describe(cx.state, &service)?
    })
}

fn voting(state: &State, id: NodeId, voting: Voting) -> Option<Told> {
    Some(Told {
        subject: Kind::Node,
        verb: Verb::Updated,
        object: id.to_string(),
        name: state.node(id)?.name.clone(),
        account: None,
        note: format!("voting: {}", voting.word()),
    })
}

fn put(cx: &Context<'_>, resource: &Resource) -> Option<Told> {
    let state = cx.state;
    match resource {
        Resource::Deployment(it) => return deployment(state, it),
        Resource::Node(it) => return node(state, it),
        Resource::NodeVoting(it) => return voting(state, it.id, it.voting),
        Resource::AuthorityRotation(it) => {
            let began = state.authority_under_way().is_none();
            return began.then(|| authority(Verb::Started, it.id));
        }
        Resource::SecretItem(it) if matches!(cx.envelope.submission.command, Command::RecordSecretRead(_)) => {
            return Some(Told {
                verb: Verb::Accessed,
                note: secret_name(state, it.secret),
                ..describe(state, resource)?
            });
        }
        Resource::Cluster(it) => {
            let before = &state.cluster()?.keyring;
            let verb = match &it.keyring {
                now if now.current != before.current => Verb::Rotated,
                now if now.lock != before.lock => Verb::Locked,
                _ => return None,
            };
            return Some(Told {
                subject: Kind::Keyring,
                verb,
                object: it.id.to_string(),
                name: format!("key version {}", it.keyring.current),
                account: None,
                note: String::new(),
            });
        }
        _ => {}
    }
    let told = describe(state, resource)?;
    match state.revision_of(resource.key()) {
        None => Some(told),
        // Changes that do not count as the client's leave the revision alone.
        Some(_) if revision(resource) == Some(cx.revision) => Some(Told {
            verb: Verb::Updated,
            ..told
        }),
        Some(_) => None,
    }
}

fn revision(resource: &Resource) -> Option<crate::Revision> {
    match resource {
        Resource::Account(it) => Some(it.revision),
        Resource::ApiKey(it) => Some(it.revision),
        Resource::Project(it) => Some(it.revision),
        Resource::Service(it) => Some(it.revision),
        Resource::Domain(it) => Some(it.revision),
        Resource::Route(it) => Some(it.revision),
        Resource::Config(it) => Some(it.revision),
        Resource::ConfigItem(it) => Some(it.revision),
        Resource::Secret(it) => Some(it.revision),
        Resource::SecretItem(it) => Some(it.revision),
        _ => None,
    }
}

fn deployment(state: &State, it: &Deployment) -> Option<Told> {
    let before = state.deployment(it.id).map(|it| it.status);
    if before == Some(it.status) {
        return None;
    }
    let verb = match it.status {
        DeploymentStatus::Pending => Verb::Started,
        DeploymentStatus::Success => Verb::Succeeded,
        DeploymentStatus::Failed => Verb::Failed,
        DeploymentStatus::RolledBack => Verb::RolledBack,
    };
    let service = state.service(it.service).map_or("", |it| &it.name);
    Some(Told {
        subject: Kind::Deployment,
        verb,
        object: it.id.to_string(),
        name: format!("{service} version {}", it.version).trim_start().to_owned(),
        account: Some(it.account),
        note: it.error_message.clone(),
    })
}

fn node(state: &State, it: &Node) -> Option<Told> {
    let before = state.node(it.id);
    let verb = match (before, it.is_up()) {
        (None, _) => Verb::Created,
        (Some(old), up) if old.is_up() != up => [Verb::Down, Verb::Up][usize::from(up)],
        (Some(old), _) if (old.schedulable, old.draining) != (it.schedulable, it.draining) => Verb::Updated,
        (Some(_), _) => return None,
    };
    Some(Told {
        subject: Kind::Node,
        verb,
        object: it.id.to_string(),
        name: it.name.clone(),
        account: None,
        note: String::new(),
    })
}

fn deleted(state: &State, key: Key) -> Option<Told> {
    // Their end goes without saying.
    if matches!(key, Key::JoinToken(_) | Key::Session(_)) {
        return None;
    }
    let resource = state.resource(key)?;
    Some(Told {
        verb: Verb::Deleted,
        ..describe(state, &resource)?
    })
}

/// What a resource is, as if it had just been made.
fn describe(state: &State, resource: &Resource) -> Option<Told> {
    let told = |subject, object: &dyn ToString, name: &str, account, note| Told {
        subject,
        verb: Verb::Created,
        object: object.to_string(),
        name: name.to_owned(),
        account,
        note,
    };
    let none = String::new;
    Some(match resource {
        Resource::Account(it) => told(Kind::Account, &it.id, &it.name, Some(it.id), none()),
        Resource::ApiKey(it) => told(Kind::ApiKey, &it.id, &it.name, Some(it.account), none()),
        Resource::Project(it) => told(Kind::Project, &it.id, &it.name, Some(it.account), none()),
        Resource::Service(it) => told(kind(it), &it.id, &it.name, Some(it.account), none()),
        Resource::Domain(it) => told(Kind::Domain, &it.id, &it.hostname, Some(it.account), none()),
        Resource::Route(it) => told(Kind::Route, &it.id, &it.path, Some(it.account), none()),
        Resource::Config(it) => told(Kind::Config, &it.id, &it.name, Some(it.account), none()),
        Resource::ConfigItem(it) => {
            let config = state
                .config(it.config)
                .map_or_else(none, |config| format!("of config {}", config.name));
            told(Kind::ConfigItem, &it.id, &it.key, Some(it.account), config)
        }
        Resource::Secret(it) => told(Kind::Secret, &it.id, &it.name, Some(it.account), none()),
        Resource::SecretItem(it) => {
            let secret = secret_name(state, it.secret);
            told(Kind::SecretItem, &it.id, &it.key, Some(it.account), secret)
        }
        Resource::Session(it) => told(Kind::Session, &it.id, "", Some(it.account), none()),
        Resource::JoinToken(it) => told(Kind::JoinToken, &it.id, "", None, none()),
        Resource::Node(it) => told(Kind::Node, &it.id, &it.name, None, none()),
        Resource::Cluster(_)
        | Resource::Deployment(_)
        | Resource::Replica(_)
        | Resource::Operation(_)
        | Resource::SecretValue(_)
        | Resource::Quota(_)
        | Resource::Event(_)
        | Resource::NodeVoting(_)
        | Resource::AuthorityRotation(_)
        // The service that they are of is put with them.
        | Resource::ServiceSettings(_)
        | Resource::DeploymentSettings(_)
        | Resource::ImagePin(_)
        | Resource::Restart(_)
        | Resource::JoinTokenUses(_) => return None,
    })
}

fn secret_name(state: &State, id: crate::SecretId) -> String {
    state
        .secret(id)
        .map_or_else(String::new, |it| format!("of secret {}", it.name))
}
