//! Which images a host drops, so that its disk does not fill up with what nobody runs any more.

use std::collections::BTreeSet;
use std::time::Duration;

use model::{Deployment, DeploymentStatus, Service, State, pinned_reference};

/// A deployment that a service is likely to be rolled back to is one of so many last good ones.
const ROLLBACK_TARGETS: usize = 3;

/// When images are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectLimits {
    /// After so long without anybody who needs it.
    pub unneeded: Duration,
    /// Below this share of the disk free, in percent, sooner: the longest unneeded first.
    pub low_percent: u64,
    /// Until this share is free again.
    pub enough_percent: u64,
}

impl Default for CollectLimits {
    fn default() -> Self {
        Self {
            unneeded: Duration::from_secs(24 * 60 * 60),
            low_percent: 15,
            enough_percent: 20,
        }
    }
}

/// An image that is on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldImage {
    /// What containerd knows it by.
    pub name: String,
    /// Of its layers, as they were fetched.
    pub bytes: u64,
    /// For how long nobody has needed it; `None` while somebody does.
    pub unneeded_for: Option<Duration>,
}

/// The disk that images are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// Bytes in all.
    pub total: u64,
    /// Bytes that are free.
    pub free: u64,
}

/// Why an image is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nobody has needed it for so long.
    Unneeded(Duration),
    /// Nobody needs it, and the disk is nearly full.
    Pressure {
        /// So much of it is free, in percent.
        free_percent: u64,
    },
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unneeded(span) => write!(f, "nobody has needed it for {} h", span.as_secs() / 3600),
            Self::Pressure { free_percent } => {
                write!(f, "nobody needs it, and {free_percent} % of the disk are free")
            }
        }
    }
}

/// An image that is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// What containerd knows it by.
    pub name: String,
    /// Why.
    pub why: Why,
}

/// Which images to drop now. What is needed is never among them, however full the disk is. Under pressure it is one at a
/// time, since what that frees shows only then: images share layers. `pressed` is whether that was so before.
#[must_use]
pub fn collect(images: &[HeldImage], disk: Disk, pressed: bool, limits: &CollectLimits) -> Vec<Removal> {
    let mut idle: Vec<_> = images.iter().filter_map(|it| Some((it.unneeded_for?, it))).collect();
    idle.sort_by(|(a, x), (b, y)| b.cmp(a).then(y.bytes.cmp(&x.bytes)).then(x.name.cmp(&y.name)));
    let (old, young): (Vec<_>, Vec<_>) = idle.into_iter().partition(|(span, _)| *span >= limits.unneeded);
    let drop = |image: &HeldImage, why| Removal {
        name: image.name.clone(),
        why,
    };
    if !old.is_empty() {
        return old
            .into_iter()
            .map(|(span, it)| drop(it, Why::Unneeded(span)))
            .collect();
    }
    let free_percent = disk.free_percent();
    let wanted = if pressed {
        limits.enough_percent
    } else {
        limits.low_percent
    };
    let full = free_percent < wanted;
    let longest = young.first().filter(|_| full);
    longest
        .map(|(_, it)| drop(it, Why::Pressure { free_percent }))
        .into_iter()
        .collect()
}

impl Disk {
    /// So much of it is free. One of which nothing is known is not called full.
    #[must_use]
    pub fn free_percent(self) -> u64 {
        let share = (u128::from(self.free) * 100).checked_div(u128::from(self.total));
        share.map_or(100, |it| u64::try_from(it).unwrap_or(u64::MAX))
    }
}

/// By the references that hosts fetch them by, all images that any host may have to start: what services run and are to
/// run, what replicas belong to, and what services may be rolled back to.
#[must_use]
pub fn needed_images(state: &State) -> BTreeSet<String> {
    let reference = |it: &Deployment| {
        let image = &it.spec.image;
        state
            .image_pin(it.id)
            .map_or_else(|| image.clone(), |pin| pinned_reference(image, &pin.digest))
    };
    let of_services = state.services().flat_map(|it| needed_by(state, it));
    let of_replicas = state.replicas().filter_map(|it| state.deployment(it.deployment));
    of_services.chain(of_replicas).map(reference).collect()
}

fn needed_by<'a>(state: &'a State, service: &Service) -> impl Iterator<Item = &'a Deployment> + use<'a> {
    let newest = state.deployment(service.deployment);
    let good = state.deployments_of(service.id).rev();
    let good = good
        .filter(|it| it.status == DeploymentStatus::Success)
        .take(ROLLBACK_TARGETS);
    newest.into_iter().chain(good)
}

#[cfg(test)]
mod tests;
