//! Links in the documentation to files of this tree.

use std::path::Path;

use crate::Finding;

/// Checks that each relative link of a page leads to a file or folder.
pub(crate) fn page(root: &Path, file: &str, text: &str) -> Vec<Finding> {
    let folder = root.join(file).parent().map(Path::to_owned).unwrap_or_default();
    let dead = targets(text).into_iter().filter(|target| !folder.join(target).exists());
    dead.map(|target| Finding::new(file, format!("the link to `{target}` leads nowhere: mend or remove it")))
        .collect()
}

/// The relative targets of inline links, outside code.
fn targets(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
            continue;
        }
        if in_block {
            continue;
        }
        // Every second part stands between back-ticks.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join(" ");
        for rest in prose.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            let target = target.split('#').next().unwrap_or_default();
            if !target.is_empty() && !target.contains(':') && !target.starts_with('/') {
                found.push(target.to_owned());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_relative_links_outside_code_are_looked_at() {
        let text = "[a](docs/a.md) [b](https://example.org/b) [c](#here) [d](d.md#part \"t\") `[e](e.md)`\n```\n[f](f.md)\n```\n[`g`](g.md)\n";
        assert_eq!(targets(text), ["docs/a.md", "d.md", "g.md"]);
    }

    #[test]
    fn a_dead_link_is_named() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(page(root, "README.md", "[x](src/lib.rs)").is_empty());
        assert_eq!(page(root, "src/page.md", "[x](nowhere.md)").len(), 1);
    }
}
