//! Reads the tree once and hands each file to the checks that know its kind.

use std::fs;
use std::io;
use std::path::Path;

use crate::{Finding, arrows, files, links};

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 3] = [".git", "target", "node_modules"];

/// All broken conventions below `root`, sorted by file.
pub fn check(root: &Path) -> io::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for path in paths_below(root)? {
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        findings.extend(files::name(&name));
        let kind = path.extension().and_then(|extension| extension.to_str());
        if !matches!(kind, Some("rs" | "toml" | "md")) {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        match kind {
            Some("rs") => findings.extend(files::source(&name, &text)),
            Some("toml") if name.ends_with("Cargo.toml") => findings.extend(arrows::manifest(&name, &text)),
            Some("md") => findings.extend(links::page(root, &name, &text)),
            _ => {}
        }
    }
    findings.sort();
    Ok(findings)
}

fn paths_below(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if !SKIPPED.contains(&entry.file_name().to_string_lossy().as_ref()) {
                paths.extend(paths_below(&entry.path())?);
            }
        } else {
            paths.push(entry.path());
        }
    }
    Ok(paths)
}
