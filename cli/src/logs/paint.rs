//! A colour for each replica.

use std::collections::HashMap;

/// Those of a terminal that can be read on black and on white.
const COLOURS: [u8; 6] = [36, 33, 32, 35, 34, 31];

/// Gives colours out, in turn.
#[derive(Debug)]
pub(super) struct Paint {
    is_on: bool,
    given: HashMap<String, u8>,
    widest: usize,
}

impl Paint {
    pub(super) fn new(is_on: bool) -> Self {
        Self {
            is_on,
            given: HashMap::new(),
            widest: 0,
        }
    }

    /// A replica's name in its colour, as wide as those before it, and a bar.
    pub(super) fn name(&mut self, replica: &str, name: &str) -> String {
        self.widest = self.widest.max(name.chars().count());
        let text = format!("{name:width$} |", width = self.widest);
        if !self.is_on {
            return text;
        }
        let next = COLOURS[self.given.len() % COLOURS.len()];
        let colour = *self.given.entry(replica.to_owned()).or_insert(next);
        format!("\u{1b}[{colour}m{text}\u{1b}[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_replica_keeps_its_colour() {
        let mut paint = Paint::new(true);
        let first = paint.name("1", "a/1");
        assert_eq!(first, "\u{1b}[36ma/1 |\u{1b}[0m");
        assert_ne!(paint.name("2", "a/2"), paint.name("1", "a/2"));
        assert_eq!(paint.name("1", "a/1"), first);
        assert_eq!(Paint::new(false).name("1", "a/1"), "a/1 |");
    }
}
