//! The cheap layer: every body over its seeds and what comes of them.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::mutate::mutate;
use crate::{TARGETS, Target, find};

/// Inputs made from the seeds of a target.
const ROUNDS: u64 = 3_000;

fn run(target: &Target, input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| (target.body)(input))).is_err() {
        panic!(
            "{} fails on {:?}, in hex {}",
            target.name,
            String::from_utf8_lossy(input),
            hex(input)
        );
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

fn all_rounds(name: &str) {
    let target = find(name).expect("it is in the table");
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty());
    seeds.iter().for_each(|it| run(target, it));
    let mut random = StdRng::seed_from_u64(1);
    for _ in 0..ROUNDS {
        run(target, &mutate(&seeds, &mut random));
    }
}

macro_rules! each {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            all_rounds(stringify!($name));
        })*

        #[test]
        fn every_target_is_run_here_and_by_the_fuzzer() {
            let here = BTreeSet::from([$(stringify!($name)),*]);
            let known: BTreeSet<&str> = TARGETS.iter().map(|it| it.name).collect();
            assert_eq!(here, known);
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets");
            let files = std::fs::read_dir(folder).expect("the fuzzers are beside this crate");
            let files: Vec<String> = files
                .filter_map(|it| it.ok()?.file_name().into_string().ok())
                .map(|it| it.trim_end_matches(".rs").to_owned())
                .collect();
            let fuzzed: BTreeSet<&str> = files.iter().map(String::as_str).collect();
            assert_eq!(fuzzed, known);
        }
    };
}

each!(
    json_body,
    query_string,
    path_ids,
    accept_header,
    proxy_head,
    sealed_value,
    keyring_file,
    codec,
    raft_record,
    snapshot,
    snapshot_behind_checksum,
    backup,
    backup_behind_checksum,
    join_token,
    dotenv,
);
