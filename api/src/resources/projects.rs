//! `/api/projects/`

use model::{Command, Key, Members, Project, ProjectDraft, ProjectId, ProjectPatch, Revision};

use super::TEXT;
use crate::errors::ApiError;
use crate::fields::{Field, Shape, Values};
use crate::resource::{Create, Delete, Realm, Resource, Update, Writable, from_outcome, missing};
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
        Field::required("name", TEXT, "Unique within the account.", |v| (&v.project.name).into()),
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

    fn all<'a>(realm: &Realm<'a>, _project: Option<ProjectId>) -> Members<'a, Project> {
        realm.state.projects_of(realm.account.id)
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

    fn version(model: &Project) -> Option<(Key, Revision)> {
        Some((Key::Project(model.id), model.revision))
    }
}

impl Writable for Projects {
    from_outcome!(Project);
}

impl Create for Projects {
    fn create(_realm: &Realm<'_>, mut values: Values) -> Result<Command, ApiError> {
        let name = values.text("name").ok_or_else(|| missing("name"))?;
        Ok(Command::CreateProject(ProjectDraft { name }))
    }
}

impl Update for Projects {
    fn update(_realm: &Realm<'_>, own: &Project, mut values: Values) -> Result<Command, ApiError> {
        let patch = ProjectPatch {
            name: values.text("name"),
        };
        Ok(Command::UpdateProject(own.id, patch))
    }
}

impl Delete for Projects {
    fn delete(own: &Project) -> Command {
        Command::DeleteProject(own.id)
    }
}
