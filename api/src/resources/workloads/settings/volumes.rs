//! Files and folders of the host in a container.

use model::Volume;

use crate::fields::{FieldSpec, Shape, Values};
use crate::output::Out;
use crate::texts;

/// Linux takes no longer path.
const PATH: Shape = Shape::Text {
    max: 4095,
    blank: false,
};

/// Members of each.
pub const VOLUMES: &[FieldSpec] = &[
    FieldSpec::member(
        "source",
        PATH,
        "Where it is on the host: an absolute path that has to be there.",
    )
    .required(),
    FieldSpec::member("target", PATH, "Where it is in the container: an absolute path.").required(),
    FieldSpec::member(
        "read_only",
        Shape::Boolean,
        "Whether the container may only read it; default false.",
    ),
];

/// Places in a container that are made for it, or that Linux itself shows there.
const TAKEN: [&str; 8] = [
    "/dev",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/proc",
    "/run/goblins",
    "/run/secrets",
    "/sys",
];

/// As they are shown.
pub fn volumes_out(volumes: &[Volume]) -> Out {
    let one = |it: &Volume| {
        Out::object([
            ("source", (&it.source).into()),
            ("target", (&it.target).into()),
            ("read_only", it.read_only.into()),
        ])
    };
    volumes.iter().map(one).collect()
}

/// What a client says of them.
pub fn sent(sent: Vec<Values>) -> Result<Vec<Volume>, Vec<String>> {
    let mut all: Vec<Volume> = Vec::with_capacity(sent.len());
    let mut wrong = Vec::new();
    for (n, mut values) in sent.into_iter().enumerate() {
        let it = Volume {
            source: tidy(values.text("source").unwrap_or_default()),
            target: tidy(values.text("target").unwrap_or_default()),
            read_only: values.boolean("read_only").unwrap_or(false),
        };
        let mut say = |text: String| wrong.push(texts::of_item(n, &text));
        for (member, path) in [("source", &it.source), ("target", &it.target)] {
            if !is_absolute(path) {
                say(format!("{member}: {}", texts::BAD_VOLUME_PATH));
            }
        }
        if TAKEN
            .iter()
            .any(|place| is_within(&it.target, place) || is_within(place, &it.target))
        {
            say(texts::target_taken(&it.target, "the system"));
        }
        if let Some(at) = all.iter().position(|other| other.target == it.target) {
            say(texts::target_taken(&it.target, &format!("item {at}")));
        }
        all.push(it);
    }
    if wrong.is_empty() { Ok(all) } else { Err(wrong) }
}

/// Without slashes at its end.
fn tidy(path: String) -> String {
    match path.trim_end_matches('/') {
        "" => path,
        short => short.to_owned(),
    }
}

fn is_absolute(path: &str) -> bool {
    let parts = path.strip_prefix('/').filter(|it| !it.is_empty());
    parts.is_some_and(|it| it.split('/').all(|part| !matches!(part, "" | "." | "..")))
}

/// Whether `path` is `place` or lies in it.
fn is_within(path: &str, place: &str) -> bool {
    path.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_leave_the_systems_own_places_alone() {
        for path in ["/srv", "/srv/a b/c"] {
            assert!(is_absolute(path), "{path}");
        }
        for path in ["", "/", "srv", "/srv/../etc", "/srv/.", "/srv//a"] {
            assert!(!is_absolute(path), "{path}");
        }
        assert!(is_within("/proc/sys", "/proc") && !is_within("/process", "/proc"));
        assert_eq!(tidy("/srv/a/".to_owned()), "/srv/a");
    }
}
