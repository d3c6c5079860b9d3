//! Answers that are typed while something else is looked for: the end of a watch, an answer that is given elsewhere.

use super::answer;
use crate::console::Console;
use std::fs::File;
use std::io::{BufRead as _, BufReader, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// How often it is looked whether an answer is still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// What is typed on standard input.
#[derive(Debug, Default)]
pub(super) struct Typed {
    /// Of a terminal: read on a thread of its own, since a read cannot be left.
    lines: Option<Receiver<String>>,
}

impl Typed {
    /// Asks, and gives what is typed; `None` at the end of what can be read, and as soon as it is not `wanted` any more.
    pub(super) fn word(
        &mut self,
        console: &mut Console<'_>,
        question: &str,
        wanted: impl Fn() -> bool,
    ) -> Option<String> {
        if !std::io::stdin().is_terminal() {
            return answer::word(console, question);
        }
        let lines = self.lines.get_or_insert_with(of_terminal);
        answer::forget_typed_ahead();
        while lines.try_recv().is_ok() {}
        console.error_text(question);
        while wanted() {
            match lines.recv_timeout(LOOK) {
                Ok(line) => return Some(line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        console.error_text("\n");
        None
    }
}

fn of_terminal() -> Receiver<String> {
    let (typed, lines) = channel();
    // of its own: whoever runs the command holds the lock of standard input
    let terminal = std::io::stdin().as_fd().try_clone_to_owned();
    let read = move || {
        let Ok(terminal) = terminal else { return };
        let mut line = Vec::new();
        let mut input = BufReader::new(File::from(terminal));
        while input.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            if typed.send(String::from_utf8_lossy(line.trim_ascii()).into_owned()).is_err() {
                return;
            }
            line.clear();
        }
    };
    // where it cannot be read there is nothing to wait for
    let _unread = std::thread::Builder::new().spawn(read);
    lines
}
