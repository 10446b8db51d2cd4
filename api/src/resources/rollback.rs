//! `/api/deployments/{id}/rollback/`

use std::sync::Arc;

use model::{Command, Deployment, Outcome};

use super::{Deployments, NOTES};
use crate::fields::{Field, Values};
use crate::resource::Writable;

/// What the body may hold.
pub const FIELDS: &[Field<()>] = &[Field::write_only("notes", NOTES, "A note for the new deployment.")];

/// The command that brings `own` back.
#[must_use]
pub fn command(own: &Deployment, mut values: Values) -> Command {
    Command::RollBack {
        deployment: own.id,
        notes: values.text("notes").unwrap_or_default(),
    }
}

/// The new deployment in the outcome of the command.
#[must_use]
pub fn made(outcome: Outcome) -> Option<Arc<Deployment>> {
    Deployments::from_outcome(outcome)
}
