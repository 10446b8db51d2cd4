//! What the launcher does without secrets; with them it is seen in the tests with containerd.

use std::process::{Command, Output};

const SAYS: &str = "goblins-launcher: ";

fn launch(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_goblins-launcher"));
    command.args(args).env("COLOUR", "green").output().unwrap()
}

#[test]
fn it_becomes_the_program_with_its_arguments_and_environment() {
    let done = launch(&["--", "sh", "-c", "echo $COLOUR $0 $1; exit 7", "--", "a b"]);
    assert_eq!(String::from_utf8_lossy(&done.stdout), "green -- a b\n");
    assert_eq!((done.status.code(), done.stderr.len()), (Some(7), 0));
}

#[test]
fn what_it_cannot_run_it_names_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "no program").unwrap();
    let plain = plain.to_str().unwrap();
    let cases: [(&[&str], i32, &str); 4] = [
        (
            &["--", "/no-such-program"],
            127,
            "cannot run `/no-such-program`: it is not in the image",
        ),
        (&["--", plain], 126, "chmod +x"),
        (
            &["NO_SUCH_KEY", "--", "true"],
            126,
            "cannot read /run/secrets/NO_SUCH_KEY",
        ),
        (&["TOKEN"], 126, "names no program"),
    ];
    for (args, code, part) in cases {
        let done = launch(args);
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{said}");
        assert!(said.starts_with(SAYS) && said.contains(part), "{said}");
    }
}
