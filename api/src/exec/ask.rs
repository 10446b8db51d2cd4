//! What a client asks for.

use model::{Intent, Phase, Replica};

use crate::errors::{ApiError, FieldErrors};
use crate::port::{ExecRequest, TerminalSize};
use crate::request::Query;
use crate::{scalars, texts};

/// Words of a command, and characters of each, at most.
const WORDS_MAX: usize = 256;
const WORD_MAX: usize = 32 * 1024;
/// Characters of a program's name that are on record.
const PROGRAM_MAX: usize = 256;
/// Where a client does not say how large its terminal is.
const USUAL: TerminalSize = TerminalSize { width: 80, height: 24 };

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    command: Vec<String>,
    replica: Option<String>,
    terminal: Option<TerminalSize>,
    stdin: bool,
}

impl Ask {
    /// Reads the parameters.
    ///
    /// # Errors
    /// Those that mean nothing, each under its name.
    pub fn read(query: &Query) -> Result<Self, ApiError> {
        let mut errors = FieldErrors::default();
        let command: Vec<String> = query.all("command").map(str::to_owned).collect();
        if command.first().is_none_or(String::is_empty) {
            errors.add("command", [texts::REQUIRED.to_owned()]);
        } else if command.len() > WORDS_MAX {
            errors.add("command", [texts::too_many(WORDS_MAX)]);
        } else if command.iter().any(|it| it.len() > WORD_MAX) {
            errors.add("command", [texts::too_long(WORD_MAX)]);
        } else if command.iter().any(|it| it.contains('\0')) {
            errors.add("command", [texts::NULL_CHARACTERS.to_owned()]);
        }
        let replica = query.last("replica").filter(|it| !it.is_empty()).map(str::to_lowercase);
        let mut size = |name: &'static str, usual: u16| match query.last(name).filter(|it| !it.is_empty()) {
            None => usual,
            Some(text) => match scalars::integer(text).map(u16::try_from) {
                Some(Ok(number @ 1..)) => number,
                Some(_) => {
                    errors.add(name, [texts::too_large(u16::MAX.into())]);
                    usual
                }
                None => {
                    errors.add(name, [texts::NOT_AN_INTEGER.to_owned()]);
                    usual
                }
            },
        };
        let size = TerminalSize {
            width: size("width", USUAL.width),
            height: size("height", USUAL.height),
        };
        let flag = |name: &str| query.last(name).is_some_and(|it| !["", "0", "false"].contains(&it));
        if !errors.is_empty() {
            return Err(errors.into());
        }
        Ok(Self {
            command,
            replica,
            terminal: flag("tty").then_some(size),
            stdin: flag("stdin"),
        })
    }

    /// The replica that is named, or the one that has been there for longest of those that are ready.
    ///
    /// # Errors
    /// [`ApiError::Conflict`] if there is none that runs; the field `replica` if that fits none, or several.
    pub fn choose<'a>(&self, all: &[&'a Replica], is_up: impl Fn(&Replica) -> bool) -> Result<&'a Replica, ApiError> {
        let Some(wanted) = &self.replica else {
            let runs = |it: &&&Replica| it.intent == Intent::Run && is_up(it) && it.phase >= Phase::Starting;
            let order = |it: &&&Replica| (it.phase != Phase::Ready, it.created_at, it.id);
            let best = all.iter().filter(runs).min_by_key(order);
            return best.copied().ok_or(ApiError::Conflict(texts::NOTHING_RUNS.to_owned()));
        };
        let fits = |it: &&&Replica| it.id.to_string().ends_with(wanted.as_str());
        let mut found = all.iter().filter(fits);
        let told = |text: &str| Err(FieldErrors::one("replica", text).into());
        match (found.next(), found.next()) {
            (Some(one), None) if is_up(one) => Ok(one),
            (Some(_), None) => Err(ApiError::Conflict(texts::ITS_NODE_IS_DOWN.to_owned())),
            (Some(_), Some(_)) => told(texts::SEVERAL_REPLICAS),
            (None, _) => told(texts::NO_SUCH_REPLICA),
        }
    }

    /// What is on record of it: the program alone, since arguments may hold secrets.
    pub fn program(&self) -> String {
        let first = self.command.first().map(String::as_str).unwrap_or_default();
        first.chars().take(PROGRAM_MAX).collect()
    }

    pub fn request(self, replica: &Replica) -> ExecRequest {
        ExecRequest {
            replica: replica.id,
            node: replica.node,
            command: self.command,
            terminal: self.terminal,
            stdin: self.stdin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Ask, ApiError> {
        Ask::read(&Query::parse(Some(query)))
    }

    #[test]
    fn a_command_is_read_word_by_word() {
        let ask = read("command=ls&command=-l&command=a%20b&tty=1&width=120&stdin=0&replica=AB12").unwrap();
        assert_eq!(ask.command, ["ls", "-l", "a b"]);
        assert_eq!(ask.replica.as_deref(), Some("ab12"));
        let size = TerminalSize { width: 120, height: 24 };
        assert_eq!(
            (ask.terminal, ask.stdin, ask.program()),
            (Some(size), false, "ls".to_owned())
        );
        assert_eq!(read("command=sh").unwrap().terminal, None);
    }

    #[test]
    fn what_means_nothing_is_named() {
        for (query, field) in [
            ("", "command"),
            ("command=", "command"),
            ("command=a%00", "command"),
            ("command=a&width=0", "width"),
            ("command=a&height=x", "height"),
            ("command=a&height=70000", "height"),
        ] {
            match read(query) {
                Err(ApiError::Invalid(errors)) => assert!(errors.mentions(field), "{query}: {errors:?}"),
                other => panic!("{query}: {other:?}"),
            }
        }
    }
}
