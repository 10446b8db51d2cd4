//! The grammar of RFC 8259 and nothing beside it.

use thiserror::Error;

use super::{Number, Text, Value};

/// How deeply arrays and objects may be nested.
pub const MAX_DEPTH: usize = 256;

/// Why a text is not JSON, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what}: line {line} column {column}")]
pub struct JsonError {
    /// What is wrong.
    pub what: &'static str,
    /// Counted from 1.
    pub line: usize,
    /// Counted in characters from 1.
    pub column: usize,
}

/// Reads one JSON value that fills the whole text, white space aside.
///
/// # Errors
/// Says what breaks the grammar and where; also for more than [`MAX_DEPTH`] levels.
pub fn read(text: &str) -> Result<Value, JsonError> {
    let mut reader = Reader {
        text,
        bytes: text.as_bytes(),
        at: 0,
    };
    let result = reader.document();
    result.map_err(|what| {
        let before = &text.as_bytes()[..reader.at];
        let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        // Continuation bytes are not counted: columns are characters.
        let column = before[line_start..].iter().filter(|b| (**b & 0xC0) != 0x80).count() + 1;
        JsonError {
            what,
            line: before.iter().filter(|b| **b == b'\n').count() + 1,
            column,
        }
    })
}

type Read<T> = Result<T, &'static str>;

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn document(&mut self) -> Read<Value> {
        if self.text.starts_with('\u{feff}') {
            return Err("Unexpected byte order mark");
        }
        self.white_space();
        let value = self.value(0)?;
        self.white_space();
        if self.at < self.bytes.len() {
            return Err("Extra data after the value");
        }
        Ok(value)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Read<Value> {
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err("Expecting value"),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Read<Value> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err("Expecting value");
        }
        self.at += word.len();
        Ok(value)
    }

    fn list(&mut self, depth: usize) -> Read<Value> {
        let depth = self.enter(depth)?;
        let mut items = Vec::new();
        self.white_space();
        if self.eat(b']') {
            return Ok(Value::List(items));
        }
        loop {
            self.white_space();
            items.push(self.value(depth)?);
            self.white_space();
            if self.eat(b']') {
                return Ok(Value::List(items));
            }
            if !self.eat(b',') {
                return Err("Expecting ',' delimiter");
            }
        }
    }

    fn object(&mut self, depth: usize) -> Read<Value> {
        let depth = self.enter(depth)?;
        let mut members = Vec::new();
        self.white_space();
        if self.eat(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.white_space();
            if self.peek() != Some(b'"') {
                return Err("Expecting property name enclosed in double quotes");
            }
            let key = self.string()?;
            self.white_space();
            if !self.eat(b':') {
                return Err("Expecting ':' delimiter");
            }
            self.white_space();
            members.push((key, self.value(depth)?));
            self.white_space();
            if self.eat(b'}') {
                return Ok(Value::Object(members));
            }
            if !self.eat(b',') {
                return Err("Expecting ',' delimiter");
            }
        }
    }

    /// Past an opening bracket; answers the depth of what is inside.
    fn enter(&mut self, depth: usize) -> Read<usize> {
        if depth == MAX_DEPTH {
            return Err("Nested too deeply");
        }
        self.at += 1;
        Ok(depth + 1)
    }

    fn digits(&mut self) -> Read<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            Err("Expecting digit")
        } else {
            Ok(())
        }
    }

    fn number(&mut self) -> Read<Number> {
        let start = self.at;
        self.eat(b'-');
        // A zero stands alone: what follows it is then found to be neither a delimiter nor the end.
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Number::from_checked(&self.text[start..self.at]))
    }

    fn string(&mut self) -> Read<Text> {
        self.at += 1;
        let mut out = Text::default();
        loop {
            let start = self.at;
            while self.peek().is_some_and(|b| b >= 0x20 && b != b'"' && b != b'\\') {
                self.at += 1;
            }
            // Both ends lie beside ASCII, so this never cuts a character.
            out.text.push_str(&self.text[start..self.at]);
            match self.peek() {
                None => return Err("Unterminated string"),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => self.escape(&mut out)?,
                Some(_) => return Err("Invalid control character"),
            }
        }
    }

    fn escape(&mut self, out: &mut Text) -> Read<()> {
        self.at += 1;
        let plain = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(out),
            _ => return Err("Invalid \\escape"),
        };
        self.at += 1;
        out.text.push(plain);
        Ok(())
    }

    fn unicode_escape(&mut self, out: &mut Text) -> Read<()> {
        let first = self.hex4()?;
        if (0xD800..0xDC00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u") {
            let before = self.at;
            self.at += 1;
            let second = self.hex4()?;
            if let Some(Ok(character)) = char::decode_utf16([first, second]).next() {
                out.text.push(character);
                return Ok(());
            }
            // No pair: the second escape is read again on its own.
            self.at = before;
        }
        match char::from_u32(u32::from(first)) {
            Some(character) => out.text.push(character),
            None => {
                out.text.push(char::REPLACEMENT_CHARACTER);
                out.lone_surrogate.get_or_insert(first);
            }
        }
        Ok(())
    }

    /// From the `u` of an escape to past its four digits.
    fn hex4(&mut self) -> Read<u16> {
        self.at += 1;
        let digits = self.bytes.get(self.at..self.at + 4).unwrap_or_default();
        if digits.len() != 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err("Invalid \\uXXXX escape");
        }
        let code = digits
            .iter()
            .fold(0, |code, d| code * 16 + (*d as char).to_digit(16).unwrap_or(0));
        self.at += 4;
        u16::try_from(code).map_err(|_| "Invalid \\uXXXX escape")
    }
}
