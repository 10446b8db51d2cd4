use model::{Command, ContainerSpec, PinSource, ServicePatch};
use proptest::prelude::*;

use super::*;
use crate::testing::TestCluster;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn held(name: &str, bytes: u64, unneeded: Option<u64>) -> HeldImage {
    HeldImage {
        name: name.to_owned(),
        bytes,
        unneeded_for: unneeded.map(Duration::from_secs),
    }
}

fn names(dropped: &[Removal]) -> Vec<&str> {
    dropped.iter().map(|it| it.name.as_str()).collect()
}

fn disk(free: u64) -> Disk {
    Disk { total: 100, free }
}

#[test]
fn what_nobody_needs_goes_after_a_day_and_sooner_when_the_disk_is_full() {
    let images = [
        held("needed", 9, None),
        held("young", 5, Some(60)),
        held("older", 3, Some(600)),
        held("older-and-larger", 4, Some(600)),
    ];
    let limits = CollectLimits::default();
    assert!(collect(&images, disk(15), false, &limits).is_empty());
    let dropped = collect(&images, disk(14), false, &limits);
    assert_eq!(names(&dropped), ["older-and-larger"]);
    assert!(dropped[0].why.to_string().contains("14 %"));
    // Once begun it goes on a little further, or it would begin again at once.
    assert_eq!(names(&collect(&images, disk(19), true, &limits)), ["older-and-larger"]);
    assert!(collect(&images, disk(20), true, &limits).is_empty());
    let old = [held("needed", 9, None), held("old", 1, Some(DAY.as_secs()))];
    assert_eq!(names(&collect(&old, disk(90), false, &limits)), ["old"]);
    assert!(collect(&images[..1], disk(0), true, &limits).is_empty());
    assert!(
        collect(&images, Disk::default(), true, &limits).is_empty(),
        "nothing is known of it"
    );
}

#[test]
fn what_a_service_runs_and_may_be_rolled_back_to_is_needed() {
    let mut cluster = TestCluster::new(1);
    let id = cluster.service("web", 1, ContainerSpec::default());
    for n in 1..=6 {
        if n > 1 {
            let patch = ServicePatch {
                image: Some(format!("web:{n}")),
                ..ServicePatch::default()
            };
            cluster.patch(id, patch);
        }
        let deployment = cluster.state.service(id).expect("there").deployment;
        let pin = Command::PinImage {
            deployment,
            digest: format!("sha256:{n}"),
            source: PinSource::Registry,
        };
        cluster.system(pin).expect("pinned");
        // The last one never gets ready.
        for _ in 0..10 {
            cluster.plan(id);
            if n < 6 {
                cluster.hosts_obey();
            }
        }
    }
    let needed: Vec<_> = needed_images(&cluster.state).into_iter().collect();
    assert_eq!(
        needed,
        ["web:3@sha256:3", "web:4@sha256:4", "web:5@sha256:5", "web:6@sha256:6"]
    );
    cluster.admin(Command::DeleteService(id)).expect("deleted");
    cluster.hosts_obey();
    assert!(needed_images(&cluster.state).is_empty());
}

proptest! {
    /// However full the disk is, what is needed stays; and with enough passes a full disk is freed or nothing idle is left.
    #[test]
    fn nothing_needed_is_dropped_and_pressure_ends(
        images in proptest::collection::vec((1_u64..30, proptest::option::of(0_u64..200_000)), 0..12),
        other in 0_u64..40,
    ) {
        let limits = CollectLimits::default();
        let mut images: Vec<_> = images
            .into_iter()
            .enumerate()
            .map(|(n, (bytes, unneeded))| held(&format!("i{n}"), bytes, unneeded))
            .collect();
        let total = 400;
        let mut pressed = false;
        for _ in 0..=images.len() {
            let used: u64 = images.iter().map(|it| it.bytes).sum::<u64>() + other;
            let disk = Disk { total, free: total - used.min(total) };
            let dropped = collect(&images, disk, pressed, &limits);
            pressed = dropped.iter().any(|it| matches!(it.why, Why::Pressure { .. }));
            for it in &dropped {
                let image = images.iter().find(|image| image.name == it.name).expect("it is there");
                prop_assert!(image.unneeded_for.is_some(), "{} is needed", it.name);
            }
            images.retain(|image| dropped.iter().all(|it| it.name != image.name));
        }
        let used: u64 = images.iter().map(|it| it.bytes).sum::<u64>() + other;
        let idle = images.iter().filter(|it| it.unneeded_for.is_some()).count();
        let free = (total - used.min(total)) * 100 / total;
        prop_assert!(idle == 0 || free >= limits.low_percent);
        prop_assert!(images.iter().all(|it| it.unneeded_for.is_none_or(|span| span < limits.unneeded)));
    }
}
