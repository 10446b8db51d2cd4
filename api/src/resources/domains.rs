//! `/api/domains/`

use model::{Command, Domain, DomainDraft, DomainId, DomainPatch, Key, Kind, Members, ProjectId, Revision};

use super::TEXT;
use crate::errors::{ApiError, FieldErrors};
use crate::fields::{Field, Shape, Values};
use crate::resource::{Create, Delete, Realm, Resource, Update, Writable, from_outcome, missing};
use crate::{scalars, texts};

/// Hostnames that routes hang on.
pub struct Domains;

impl Resource for Domains {
    type Model = Domain;
    type View = Domain;

    const FIELDS: &'static [Field<Domain>] = &[
        Field::read_only("id", Shape::Id, "Its id.", |v| v.id.0.into()),
        Field::required("hostname", TEXT, "Unique over all accounts.", |v| (&v.hostname).into()),
        Field::read_only("created_at", Shape::Time, "When it was made.", |v| v.created_at.into()),
        Field::read_only("updated_at", Shape::Time, "When it was last changed.", |v| {
            v.updated_at.into()
        }),
        Field::optional(
            "project",
            Shape::Reference(Kind::Project),
            "Default: the account's default project.",
            |v| v.project.0.into(),
        ),
    ];
    const FILTERS_BY_PROJECT: bool = true;

    fn all<'a>(realm: &Realm<'a>, project: Option<ProjectId>) -> Members<'a, Domain> {
        realm.filed(
            project,
            |state, id| state.domains_of(id),
            |state, id| state.domains_in(id),
        )
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

    fn version(model: &Domain) -> Option<(Key, Revision)> {
        Some((Key::Domain(model.id), model.revision))
    }
}

impl Writable for Domains {
    from_outcome!(Domain);

    fn check(realm: &Realm<'_>, values: &Values, own: Option<&Domain>, errors: &mut FieldErrors) {
        let other = values
            .peek_text("hostname")
            .and_then(|hostname| realm.state.domain_by_exact_hostname(hostname));
        if other.is_some_and(|other| own.is_none_or(|own| own.id != other.id)) {
            errors.add("hostname", [texts::HOSTNAME_TAKEN.to_owned()]);
        }
    }
}

impl Create for Domains {
    fn create(_realm: &Realm<'_>, mut values: Values) -> Result<Command, ApiError> {
        Ok(Command::CreateDomain(DomainDraft {
            hostname: values.text("hostname").ok_or_else(|| missing("hostname"))?,
            project: values.reference("project").map(ProjectId),
        }))
    }
}

impl Update for Domains {
    fn update(_realm: &Realm<'_>, own: &Domain, mut values: Values) -> Result<Command, ApiError> {
        let patch = DomainPatch {
            hostname: values.text("hostname"),
            project: values.reference("project").map(ProjectId),
        };
        Ok(Command::UpdateDomain(own.id, patch))
    }
}

impl Delete for Domains {
    fn delete(own: &Domain) -> Command {
        Command::DeleteDomain(own.id)
    }
}
