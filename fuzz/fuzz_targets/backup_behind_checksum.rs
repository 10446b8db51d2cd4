#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzing::run("backup_behind_checksum", data));
