//! What a message over the WebSocket is: binary, its first byte says what the rest is.
//!
//! | byte | from | the rest |
//! | --- | --- | --- |
//! | 0 | client | for standard input |
//! | 1, 2 | server | from standard output, from standard error |
//! | 3 | server | JSON, the last message: `{"exit_code": 0}`, or `{"error": "..."}` if that is not known |
//! | 4 | client | JSON: `{"width": 80, "height": 24}` |
//! | 255 | client | 0: nothing more for standard input |

use bytes::Bytes;
use serde::Deserialize;

use crate::port::{ExecInput, ExecOutput, TerminalSize};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const END: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;

#[derive(Deserialize)]
struct Size {
    width: u16,
    height: u16,
}

/// What a message of the client says; `None` for one that means nothing.
pub fn read(message: Bytes) -> Option<ExecInput> {
    let rest = message.slice(1.min(message.len())..);
    match *message.first()? {
        STDIN => Some(ExecInput::Stdin(rest)),
        RESIZE => {
            let Size { width, height } = serde_json::from_slice(&rest).ok()?;
            (width > 0 && height > 0).then_some(ExecInput::Resize(TerminalSize { width, height }))
        }
        CLOSE if rest.as_ref() == [STDIN] => Some(ExecInput::EndOfStdin),
        _ => None,
    }
}

/// As it is sent to the client.
pub fn write(output: &ExecOutput) -> Bytes {
    let framed = |channel: u8, rest: &[u8]| {
        let mut message = Vec::with_capacity(rest.len() + 1);
        message.push(channel);
        message.extend_from_slice(rest);
        Bytes::from(message)
    };
    match output {
        ExecOutput::Stdout(bytes) => framed(STDOUT, bytes),
        ExecOutput::Stderr(bytes) => framed(STDERR, bytes),
        ExecOutput::Ended { code } => framed(END, serde_json::json!({"exit_code": code}).to_string().as_bytes()),
        ExecOutput::Lost { why } => framed(END, serde_json::json!({"error": why}).to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_by_their_first_byte() {
        let input = |bytes: &'static [u8]| read(Bytes::from_static(bytes));
        assert_eq!(input(b"\0hi"), Some(ExecInput::Stdin(Bytes::from_static(b"hi"))));
        let size = TerminalSize { width: 9, height: 8 };
        assert_eq!(input(b"\x04{\"width\":9,\"height\":8}"), Some(ExecInput::Resize(size)));
        assert_eq!(input(b"\xff\0"), Some(ExecInput::EndOfStdin));
        for nothing in [
            &b""[..],
            b"\x04{}",
            b"\x04{\"width\":0,\"height\":8}",
            b"\xff",
            b"\x01x",
            b"\x09",
        ] {
            assert_eq!(input(nothing), None, "{nothing:?}");
        }
        assert_eq!(write(&ExecOutput::Stdout("a".into())).as_ref(), b"\x01a");
        assert_eq!(write(&ExecOutput::Stderr("a".into())).as_ref(), b"\x02a");
        assert_eq!(write(&ExecOutput::Ended { code: 7 }).as_ref(), b"\x03{\"exit_code\":7}");
        let lost = ExecOutput::Lost { why: "gone".to_owned() };
        assert_eq!(write(&lost).as_ref(), b"\x03{\"error\":\"gone\"}");
    }
}
