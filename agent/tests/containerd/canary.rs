//! A value that nothing else can hold by chance, and the search for it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use uuid::Uuid;

pub struct Canary {
    pub text: String,
    /// Itself, in hexadecimal digits, and in base64 wherever in a longer text it begins.
    shapes: Vec<Vec<u8>>,
}

impl Canary {
    pub fn new() -> Self {
        let text = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let mut shapes = vec![
            text.clone().into_bytes(),
            hex::encode(&text).into_bytes(),
            hex::encode_upper(&text).into_bytes(),
        ];
        for before in 0..3 {
            let shifted = [vec![b'='; before], text.clone().into_bytes()].concat();
            let coded = STANDARD_NO_PAD.encode(&shifted);
            // Characters at both ends depend on what is beside it.
            let begin = (before * 4).div_ceil(3);
            shapes.push(coded.as_bytes()[begin..shifted.len() / 3 * 4].to_vec());
        }
        Self { text, shapes }
    }

    /// Every file below `roots` that holds it in any shape, but for what lies below `except`. How many bytes were
    /// searched stands first.
    pub fn hunt(&self, roots: &[&Path], except: &Path) -> (u64, Vec<PathBuf>) {
        let (mut searched, mut found) = (0, Vec::new());
        let mut folders: Vec<_> = roots.iter().map(|it| it.to_path_buf()).collect();
        while let Some(folder) = folders.pop() {
            if folder == except {
                continue;
            }
            // A folder may go while it is looked at.
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    let mut bytes = Vec::new();
                    let read = File::open(entry.path()).and_then(|mut file| file.read_to_end(&mut bytes));
                    searched += read.unwrap_or_default() as u64;
                    if self.is_in(&bytes) {
                        found.push(entry.path());
                    }
                }
            }
        }
        (searched, found)
    }

    pub fn is_in(&self, bytes: &[u8]) -> bool {
        // By its first byte, since most are not it.
        self.shapes.iter().any(|shape| {
            let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == shape[0]);
            starts.map(|(at, _)| at).any(|at| bytes[at..].starts_with(shape))
        })
    }
}

#[test]
fn a_canary_is_found_in_every_shape() {
    let canary = Canary::new();
    let text = &canary.text;
    let plain = [
        text.clone(),
        format!("x={text}\n"),
        hex::encode(text),
        hex::encode_upper(text),
    ];
    let coded = ["", "a", "ab", "abc"].map(|before| STANDARD_NO_PAD.encode(format!("{before}{text}, and more")));
    for hiding in plain.iter().chain(&coded) {
        assert!(canary.is_in(hiding.as_bytes()), "{hiding}");
    }
    assert!(!canary.is_in(Canary::new().text.as_bytes()));
}
