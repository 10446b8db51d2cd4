//! `/api/projects/`

use model::{Command, Outcome, Project, ProjectDraft, ProjectId, ProjectPatch, Revision, Timestamp};
use uuid::Uuid;

use super::TEXT_MAX;
use crate::errors::ApiError;
use crate::fields::{Field, Shape, Values};
use crate::resource::{Create, Delete, Prepared, Realm, Resource, Update, Writable, missing};
use crate::scalars;

/// Groups of resources of an account.
pub struct Projects;

/// A project as it is shown.
pub struct ProjectView {
    project: Project,
    is_default: bool,
}

impl Resource for Projects {
    type Model = Project;
    type View = ProjectView;

    const FIELDS: &'static [Field<ProjectView>] = &[
        Field::read_only("id", Shape::Id, "Its id.", |v| v.project.id.0.into()),
        Field::required(
            "name",
            Shape::Text {
                max: TEXT_MAX,
                blank: false,
            },
            "Unique within the account.",
            |v| (&v.project.name).into(),
        ),
        Field::read_only(
            "is_default",
            Shape::Boolean,
            "Whether resources go here that name no project.",
            |v| v.is_default.into(),
        ),
        Field::read_only("created_at", Shape::Time, "When it was made.", |v| {
            v.project.created_at.into()
        }),
        Field::read_only("updated_at", Shape::Time, "When it was last changed.", |v| {
            v.project.updated_at.into()
        }),
    ];

    fn all<'a>(realm: &Realm<'a>) -> Vec<&'a Project> {
        realm.state.projects_of(realm.account.id).collect()
    }

    fn find<'a>(realm: &Realm<'a>, id: &str) -> Option<&'a Project> {
        realm
            .state
            .project(ProjectId(scalars::uuid(id)?))
            .filter(|it| it.account == realm.account.id)
    }

    fn view(realm: &Realm<'_>, model: &Project) -> ProjectView {
        let default = realm
            .state
            .account(model.account)
            .map(|account| account.default_project);
        ProjectView {
            project: model.clone(),
            is_default: default == Some(model.id),
        }
    }

    fn age(model: &Project) -> (Timestamp, Uuid) {
        (model.created_at, model.id.0)
    }

    fn revision(model: &Project) -> Option<Revision> {
        Some(model.revision)
    }
}

impl Writable for Projects {
    fn from_outcome(outcome: Outcome) -> Option<Project> {
        match outcome {
            Outcome::Resource(resource) => match *resource {
                model::Resource::Project(project) => Some(project),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Create for Projects {
    fn create(_realm: &Realm<'_>, mut values: Values) -> Result<Prepared, ApiError> {
        let name = values.text("name").ok_or_else(|| missing("name"))?;
        Ok(Command::CreateProject(ProjectDraft { name }).into())
    }
}

impl Update for Projects {
    fn update(own: &Project, mut values: Values) -> Result<Command, ApiError> {
        Ok(Command::UpdateProject(
            own.id,
            ProjectPatch {
                name: values.text("name"),
            },
        ))
    }
}

impl Delete for Projects {
    fn delete(own: &Project) -> Command {
        Command::DeleteProject(own.id)
    }
}
