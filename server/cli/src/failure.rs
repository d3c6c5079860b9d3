//! Why a command ended without an answer: told to people on standard error, to programs as a JSON document.

use crate::console::Console;
use crate::exit::Exit;
use counterseal::{Error, ErrorCode};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The end of a command that has no answer to give.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked makes no sense; the message says what would.
    Usage(String),
    /// The engine could not do it.
    Engine(Exit, Error),
}

#[derive(Serialize)]
struct Document<'a> {
    error: Told<'a>,
}

#[derive(Serialize)]
struct Told<'a> {
    code: &'a str,
    kind: &'a str,
    retry: &'a str,
    message: String,
    details: BTreeMap<&'a str, &'a str>,
}

impl Failure {
    /// The command line does not say what is wanted.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// A file that could not be read, written or made; `what` says which was tried, such as `read the policy`.
    pub(crate) fn file(code: ErrorCode, what: &str, path: &Path, error: &io::Error) -> Self {
        let reason = match error.kind() {
            io::ErrorKind::NotFound => "there is no such file".to_owned(),
            io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
            io::ErrorKind::InvalidData => "it is not utf-8 text".to_owned(),
            _ => error.to_string(),
        };
        Error::new(code, format!("cannot {what} `{}`: {reason}", path.display())).with("path", path.display()).into()
    }

    /// Tells it and gives the exit code.
    pub(crate) fn tell(&self, console: &mut Console<'_>) -> Exit {
        let (exit, told) = match self {
            Self::Usage(message) => {
                let message = message.clone();
                let told = Told { code: "usage", kind: "config", retry: "never", message, details: BTreeMap::new() };
                (Exit::Usage, told)
            }
            Self::Engine(exit, error) => {
                let details = error.details().iter().map(|(key, value)| (*key, value.as_str())).collect();
                let code = error.code();
                let told = Told {
                    code: code.as_str(),
                    kind: code.kind().as_str(),
                    retry: code.retry().as_str(),
                    message: with_suggestion(error),
                    details,
                };
                (*exit, told)
            }
        };
        console.error(&told.message);
        if console.json() {
            console.document(&Document { error: told });
        }
        exit
    }
}

/// What is wrong and what to do, where the error knows that apart.
fn with_suggestion(error: &Error) -> String {
    let message = error.message();
    match error.details().get("suggestion").filter(|suggestion| !message.contains(suggestion.as_str())) {
        Some(suggestion) => format!("{message}; {suggestion}"),
        None => message.to_owned(),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        // reading met what verifying looks for, so that is what was found
        let exit = if error.code() == ErrorCode::LedgerCorrupt { Exit::NotFine } else { Exit::NotDone };
        Self::Engine(exit, error)
    }
}
