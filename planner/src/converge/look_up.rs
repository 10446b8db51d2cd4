//! Which bytes an image's name stands for: asked once for a rollout, before anything of it is fetched.

use std::time::Duration;

use model::{Deployment, DeploymentId, Reason};

use super::{Moment, Round, Step, pull_delay};

/// How soon a host asks again that has told the cluster, should its view still lack the answer.
const ECHO: Duration = Duration::from_secs(2);

/// How the look-up of a rollout's image stands on this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookUp {
    /// How many tries failed in a row.
    pub failures: u32,
    /// Why the last of those did. It holds while the next one is under way: a replica whose registry stays silent has
    /// been failing since the first, however long each try takes.
    pub failure: Option<Reason>,
    /// What became of the last one.
    pub stage: LookUpStage,
}

/// What became of a try to look up an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LookUpStage {
    /// It is under way.
    #[default]
    UnderWay,
    /// The cluster was told; the answer comes back with the view.
    Told(Moment),
    /// It failed.
    Failed(Moment),
}

impl Round<'_> {
    /// Asks for the rollout's image when it is time to. Where the registry has failed to answer before, `known` is as
    /// good: the rollout is not to fail for bytes that the cluster has already.
    pub(super) fn look_up(&mut self, deployment: &Deployment, known: Option<&String>) {
        let known_state = self.observed.look_ups.get(&deployment.id);
        let (at, failures) = match known_state.map(|it| (&it.stage, it.failures)) {
            None => (None, 0),
            Some((LookUpStage::UnderWay, _)) => return,
            Some((LookUpStage::Told(at), failures)) => (Some(at.after(ECHO)), failures),
            Some((LookUpStage::Failed(at), failures)) => (Some(at.after(pull_delay(failures))), failures),
        };
        if self.due(at) {
            let step = Step::LookUp {
                deployment: deployment.id,
                image: deployment.spec.image.clone(),
                or_else: known.filter(|_| failures > 0).cloned(),
            };
            self.look_ups.insert(deployment.id, step);
        }
    }

    /// Why the rollout's image is not known, if the last try that has ended failed.
    pub(super) fn look_up_failure(&self, deployment: DeploymentId) -> Option<&Reason> {
        self.observed.look_ups.get(&deployment)?.failure.as_ref()
    }
}
