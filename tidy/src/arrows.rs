//! Which crate may use which. The compiler would accept any arrow that makes no circle.

use crate::Finding;

/// Each crate of ours with those that it may use, also in its tests.
const ALLOWED: [(&str, &[&str]); 13] = [
    ("model", &[]),
    ("planner", &["model"]),
    ("storage", &["model"]),
    ("raft", &["model", "storage"]),
    ("api", &["model"]),
    ("agent", &["model", "planner"]),
    ("proxy", &["model", "planner"]),
    ("cli", &[]),
    (
        "node",
        &["model", "planner", "storage", "raft", "api", "agent", "proxy", "cli"],
    ),
    (
        "chaos",
        &[
            "model", "planner", "storage", "raft", "api", "agent", "proxy", "cli", "node",
        ],
    ),
    // What reads bytes of others, wherever it is; and what drives that under instrumentation.
    ("fuzzing", &["model", "storage", "raft", "api", "proxy", "cli"]),
    ("fuzz", &["fuzzing"]),
    ("tidy", &[]),
];

/// Checks one manifest; the workspace's own has no `[package]` and is left alone.
pub(crate) fn manifest(file: &str, text: &str) -> Vec<Finding> {
    let (mut section, mut name, mut used) = (String::new(), None, Vec::new());
    for line in text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_matches(['[', ']']).to_owned();
            if let Some((table, dependency)) = section.rsplit_once('.')
                && is_dependencies(table)
            {
                used.push(dependency.to_owned());
            }
        } else if let Some((key, value)) = line.split_once('=') {
            let key = key.split('.').next().unwrap_or(key).trim().trim_matches('"');
            if section == "package" && key == "name" {
                name = Some(value.trim().trim_matches('"').to_owned());
            } else if is_dependencies(&section) {
                used.push(key.to_owned());
            }
        }
    }
    let Some(name) = name else { return Vec::new() };
    let Some((_, allowed)) = ALLOWED.iter().find(|(krate, _)| *krate == name) else {
        let text = format!("crate `{name}` has no place in the table of arrows: add it to tidy/src/arrows.rs");
        return vec![Finding::new(file, text)];
    };
    let ours = used
        .iter()
        .filter(|used| ALLOWED.iter().any(|(krate, _)| krate == used));
    let wrong = ours.filter(|used| !allowed.contains(&used.as_str()));
    wrong
        .map(|used| {
            let text = format!(
                "`{name}` must not use `{used}` (see docs/architecture.md): go through a port that `node` wires"
            );
            Finding::new(file, text)
        })
        .collect()
}

fn is_dependencies(section: &str) -> bool {
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    kinds
        .iter()
        .any(|kind| section == *kind || section.ends_with(&format!(".{kind}")))
        && !section.starts_with("workspace")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> Vec<String> {
        manifest("x/Cargo.toml", text)
            .into_iter()
            .map(|finding| finding.text)
            .collect()
    }

    #[test]
    fn siblings_never_use_each_other_however_it_is_written() {
        for line in [
            "[dependencies]\nagent.workspace = true",
            "[dev-dependencies]\nagent = { path = \"../agent\" }",
            "[dependencies.agent]\nworkspace = true",
            "[target.'cfg(unix)'.dependencies]\nagent = \"1\"",
        ] {
            let found = wrong(&format!("[package]\nname = \"proxy\"\n{line}\n"));
            assert_eq!(found.len(), 1, "{line}");
            assert!(found[0].contains("`proxy` must not use `agent`"));
        }
    }

    #[test]
    fn right_arrows_and_foreign_crates_pass() {
        let text = "[package]\nname = \"agent\"\n[dependencies]\nmodel.workspace = true\nplanner.workspace = true\ntokio = \"1\"\n";
        assert!(wrong(text).is_empty());
        assert!(wrong("[workspace]\n[workspace.dependencies]\nagent = { path = \"agent\" }\n").is_empty());
    }

    #[test]
    fn a_new_crate_must_be_given_a_place() {
        assert_eq!(wrong("[package]\nname = \"newcomer\"\n").len(), 1);
    }
}
