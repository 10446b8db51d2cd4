//! Images that nobody needs are dropped, from a real containerd on a small disk.

use std::collections::BTreeSet;
use std::path::Path;

use agent::{Limits, Runtime};
use model::{Intent, Phase};
use planner::CollectLimits;

use crate::image::Variant;
use crate::world::{self, World};

const APP: &str = "127.0.0.1:5000/app:1";
const OLD: &str = "127.0.0.1:5000/old:1";
const GOOD: &str = "127.0.0.1:5000/good:1";

/// MiB that are free where containerd keeps its files.
fn free(data: &Path) -> u64 {
    let it = nix::sys::statvfs::statvfs(&data.join("containerd")).unwrap();
    (it.blocks_available() * it.fragment_size()) >> 20
}

fn needed(images: &[&str]) -> BTreeSet<String> {
    images.iter().map(|&it| it.to_owned()).collect()
}

async fn collect(world: &World, images: &[&str], limits: &CollectLimits) {
    while world.runtime.collect(&needed(images), limits).await.unwrap() {}
}

#[test]
fn a_full_disk_is_freed_of_what_nobody_needs_and_of_nothing_else() {
    let name = "collect::a_full_disk_is_freed_of_what_nobody_needs_and_of_nothing_else";
    world::isolated(name, async |data| {
        world::small_disk(&data, 160);
        let mut world = World::start(&data, Limits::default()).await;
        let large = |ballast| Variant {
            ballast,
            ..Variant::server()
        };
        world.push("app:1", &Variant::server()).await;
        world.push("old:1", &large(20)).await;
        world.push("good:1", &large(21)).await;
        world.want(&[(1, Intent::Run, APP, 8080)]);
        let address = world.until(1, Phase::Ready).await.address.unwrap();
        for image in [OLD, GOOD] {
            world.runtime.pull(image, None).await.unwrap();
        }
        let full = free(&data);
        eprintln!("with all images {full} MiB are free of 160");
        assert!(full < 110, "{full}");

        // There is room enough.
        collect(&world, &[APP], &CollectLimits::default()).await;
        assert_eq!(free(&data), full);

        // A service that runs `app` may be rolled back to `good`: only `old` goes, and its room with it.
        let tight = CollectLimits {
            low_percent: 90,
            enough_percent: 95,
            ..CollectLimits::default()
        };
        collect(&world, &[APP, GOOD], &tight).await;
        let after = free(&data);
        eprintln!("without the one that nobody needs {after} MiB are free");
        assert!(after >= full + 18, "{after}");
        world.kill_registry().await;
        world.runtime.pull(GOOD, None).await.unwrap();
        world.runtime.pull(OLD, None).await.unwrap_err();
        assert!(world::get(address, "/").await.contains("n1"));

        // Whatever the cluster says, a container keeps its image, and can be started again from it.
        collect(&world, &[], &tight).await;
        assert!(free(&data) >= after + 18);
        world.runtime.pull(GOOD, None).await.unwrap_err();
        world::ask(address, "/exit?code=7").await;
        world.until(1, Phase::Failed).await;
        world.until(1, Phase::Ready).await;
        world.want(&[(1, Intent::Stop, APP, 8080)]);
        world.until(1, Phase::Stopped).await;
        world.stop().await;
    });
}
