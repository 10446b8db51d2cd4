//! What one survivor says, as a file that is carried to another.

use std::path::Path;

use anyhow::{Context, Result, bail};
use raft::{Advice, Survivor};
use serde::{Deserialize, Serialize};

/// The format that this build writes and reads.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    survivor: &'a Survivor,
    advice: &'a Advice,
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

#[derive(Deserialize)]
struct Read {
    survivor: Survivor,
}

/// As JSON: the survivor, and the advice to whoever reads it.
pub(super) fn write(survivor: &Survivor, advice: &Advice) -> Result<String> {
    let written = Written {
        format: FORMAT,
        survivor,
        advice,
    };
    serde_json::to_string_pretty(&written).context("cannot write JSON")
}

/// Reads such a file. Only what it says of the survivor counts.
pub(super) fn read(path: &Path) -> Result<Survivor> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| {
        format!(
            "{} is not what `goblins recover --plan --json` prints: make it anew on that survivor",
            path.display()
        )
    })
}

fn parse(text: &str) -> Result<Survivor> {
    let Format { format } = serde_json::from_str(text)?;
    if format != FORMAT {
        bail!("it is of format {format}, and this build reads {FORMAT}: use the same version on all survivors");
    }
    let read: Read = serde_json::from_str(text)?;
    Ok(read.survivor)
}

#[cfg(test)]
mod tests {
    use raft::advise;

    use super::*;
    use crate::recover::render;

    #[test]
    fn a_file_comes_back_and_others_are_refused() {
        let survivor = render::example(2);
        let advice = advise(std::slice::from_ref(&survivor)).expect("comparable");
        let text = write(&survivor, &advice).expect("written");
        assert_eq!(parse(&text).expect("read"), survivor);
        let newer = parse(&text.replace("\"format\": 1", "\"format\": 2"));
        assert!(newer.is_err_and(|it| it.to_string().contains("format 2")));
        for wrong in ["", "{}", "[]", "{\"format\": 1}", &text[..text.len() / 2]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
