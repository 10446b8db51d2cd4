//! A worker that says what it finds of its secrets, and never what they hold.

use std::os::unix::fs::MetadataExt;
use std::{env, fs, process, thread};

fn main() {
    let own = fs::metadata("/proc/self").expect("/proc is mounted");
    let folder = env::current_dir().expect("there is a working directory");
    println!(
        "process {} in {} as {}:{}",
        process::id(),
        folder.display(),
        own.uid(),
        own.gid()
    );
    let entries = fs::read_dir("/run/secrets").expect("/run/secrets can be listed");
    let mut keys: Vec<_> = entries.map(|entry| entry.expect("and read").path()).collect();
    keys.sort();
    for path in keys {
        let key = path.file_name().expect("it has a name").to_string_lossy().into_owned();
        let meta = path.metadata().expect("it can be looked at");
        let (mode, uid, gid) = (meta.mode() & 0o7777, meta.uid(), meta.gid());
        let value = fs::read(&path).expect("it can be read");
        let variable = match env::var_os(&key) {
            Some(text) if text.as_encoded_bytes() == value => "same in the environment",
            Some(_) => "other in the environment",
            None => "not in the environment",
        };
        let writing = fs::write(&path, "x").err().map(|error| error.kind().to_string());
        println!(
            "{key}: mode {mode:o} of {uid}:{gid}, {} bytes, {variable}, writing: {}",
            value.len(),
            writing.unwrap_or_else(|| "possible".to_owned())
        );
    }
    println!("done");
    loop {
        thread::park();
    }
}
