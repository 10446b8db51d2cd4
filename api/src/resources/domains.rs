//! `/api/domains/`

use model::{Command, Domain, DomainDraft, DomainId, Kind, Outcome, ProjectId, Revision, Timestamp};
use uuid::Uuid;

use super::TEXT_MAX;
use crate::errors::{ApiError, FieldErrors};
use crate::fields::{Field, Shape, Values};
use crate::resource::{Create, Delete, Prepared, Realm, Resource, Update, Writable, missing};
use crate::{scalars, texts};

/// Hostnames that routes hang on.
pub struct Domains;

impl Resource for Domains {
    type Model = Domain;
    type View = Domain;

    const FIELDS: &'static [Field<Domain>] = &[
        Field::read_only("id", Shape::Id, "Its id.", |v| v.id.0.into()),
        Field::required(
            "hostname",
            Shape::Text {
                max: TEXT_MAX,
                blank: false,
            },
            "Unique over all accounts.",
            |v| (&v.hostname).into(),
        ),
        Field::read_only("created_at", Shape::Time, "When it was made.", |v| v.created_at.into()),
        Field::read_only("updated_at", Shape::Time, "When it was last changed.", |v| {
            v.updated_at.into()
        }),
        Field::optional(
            "project",
            Shape::Reference(Kind::Project),
            "Default: the account's default project. Cannot be changed.",
            |v| v.project.0.into(),
        ),
    ];
    const FILTERS_BY_PROJECT: bool = true;

    fn all<'a>(realm: &Realm<'a>) -> Vec<&'a Domain> {
        realm.state.domains_of(realm.account.id).collect()
    }

    fn find<'a>(realm: &Realm<'a>, id: &str) -> Option<&'a Domain> {
        realm
            .state
            .domain(DomainId(scalars::uuid(id)?))
            .filter(|it| it.account == realm.account.id)
    }

    fn view(_realm: &Realm<'_>, model: &Domain) -> Domain {
        model.clone()
    }

    fn age(model: &Domain) -> (Timestamp, Uuid) {
        (model.created_at, model.id.0)
    }

    fn revision(model: &Domain) -> Option<Revision> {
        Some(model.revision)
    }

    fn project(model: &Domain) -> Option<ProjectId> {
        Some(model.project)
    }
}

impl Writable for Domains {
    fn from_outcome(outcome: Outcome) -> Option<Domain> {
        match outcome {
            Outcome::Resource(resource) => match *resource {
                model::Resource::Domain(domain) => Some(domain),
                _ => None,
            },
            _ => None,
        }
    }

    fn check(realm: &Realm<'_>, values: &Values, own: Option<&Domain>, errors: &mut FieldErrors) {
        let other = values
            .peek_text("hostname")
            .and_then(|hostname| realm.state.domain_by_exact_hostname(hostname));
        if other.is_some_and(|other| own.is_none_or(|own| own.id != other.id)) {
            errors.add("hostname", [texts::HOSTNAME_TAKEN.to_owned()]);
        }
        let project = values.peek_reference("project");
        if own.is_some_and(|own| project.is_some_and(|project| own.project.0 != project)) {
            errors.add("project", [texts::DOMAIN_STAYS.to_owned()]);
        }
    }
}

impl Create for Domains {
    fn create(_realm: &Realm<'_>, mut values: Values) -> Result<Prepared, ApiError> {
        let hostname = values.text("hostname").ok_or_else(|| missing("hostname"))?;
        Ok(Command::CreateDomain(DomainDraft {
            hostname,
            project: values.reference("project").map(ProjectId),
        })
        .into())
    }
}

impl Update for Domains {
    fn update(own: &Domain, mut values: Values) -> Result<Command, ApiError> {
        Ok(Command::UpdateDomain(own.id, values.text("hostname")))
    }
}

impl Delete for Domains {
    fn delete(own: &Domain) -> Command {
        Command::DeleteDomain(own.id)
    }
}
