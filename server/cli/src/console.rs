//! Where a command writes: text or one JSON document, colour only where a person sees it, and quiet once the reader
//! has gone away.

use crate::exit::Exit;
use counterseal::plain::Plain;
use serde::Serialize;
use std::fmt::{self, Display};
use std::io::{self, Read, Write};

/// The streams of one run of the command line.
pub struct Streams<'a> {
    /// Standard input: a policy or arguments given as `-`, and the answer to a question.
    pub stdin: &'a mut dyn Read,
    /// Standard output: what was asked for.
    pub stdout: &'a mut dyn Write,
    /// Standard error: what went wrong.
    pub stderr: &'a mut dyn Write,
    /// Whether a person can answer on standard input.
    pub stdin_is_terminal: bool,
    /// Whether a person reads standard output.
    pub stdout_is_terminal: bool,
    /// Whether a person reads standard error.
    pub stderr_is_terminal: bool,
}

impl fmt::Debug for Streams<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams")
            .field("stdin_is_terminal", &self.stdin_is_terminal)
            .field("stdout_is_terminal", &self.stdout_is_terminal)
            .field("stderr_is_terminal", &self.stderr_is_terminal)
            .finish_non_exhaustive()
    }
}

/// How a piece of text is meant, which a terminal shows as a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Warning,
    Strong,
    Faint,
}

/// The streams, the form of output, and whether anybody still reads it.
#[derive(Debug)]
pub(crate) struct Console<'a> {
    streams: Streams<'a>,
    json: bool,
    colour: bool,
    colour_of_errors: bool,
    lost: Option<io::Error>,
}

impl<'a> Console<'a> {
    pub(crate) fn new(streams: Streams<'a>, json: bool) -> Self {
        // https://no-color.org: any value that is not empty
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|value| value != "dumb");
        let (out, err) = (streams.stdout_is_terminal, streams.stderr_is_terminal);
        Self { streams, json, colour: wanted && out && !json, colour_of_errors: wanted && err, lost: None }
    }

    /// Whether one JSON document was asked for.
    pub(crate) const fn json(&self) -> bool {
        self.json
    }

    /// Whether standard output takes colour.
    pub(crate) const fn colour(&self) -> bool {
        self.colour
    }

    /// Whether standard error takes colour.
    pub(crate) const fn colour_of_errors(&self) -> bool {
        self.colour_of_errors
    }

    /// Whether a person can be asked.
    pub(crate) const fn can_ask(&self) -> bool {
        self.streams.stdin_is_terminal && self.streams.stderr_is_terminal
    }

    /// Whether nothing that is written from here on can be read by anybody.
    pub(crate) const fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Standard input.
    pub(crate) fn input(&mut self) -> &mut dyn Read {
        self.streams.stdin
    }

    /// A line of text on standard output.
    pub(crate) fn line(&mut self, text: impl Display) {
        self.write(format_args!("{text}\n"));
    }

    /// A text as it is, such as a rendered help.
    pub(crate) fn text(&mut self, text: &str) {
        self.write(format_args!("{text}"));
    }

    /// The one JSON document.
    pub(crate) fn document(&mut self, document: &impl Serialize) {
        match serde_json::to_string_pretty(document) {
            Ok(text) => self.write(format_args!("{text}\n")),
            Err(error) => self.lose(io::Error::other(error)),
        }
    }

    /// Brings what was written to its reader now.
    pub(crate) fn flush(&mut self) {
        if self.lost.is_none()
            && let Err(error) = self.streams.stdout.flush()
        {
            self.lose(error);
        }
    }

    /// A line on standard error. What cannot be told there cannot be told anywhere.
    pub(crate) fn error_text(&mut self, text: &str) {
        let _unheard = self.streams.stderr.write_all(text.as_bytes()).and_then(|()| self.streams.stderr.flush());
    }

    /// `counterseal: …` on standard error; text from outside that would steer a terminal is shown escaped.
    pub(crate) fn error(&mut self, message: &str) {
        let name = paint(self.colour_of_errors, Tone::Bad, "counterseal:");
        self.error_text(&format!("{name} {}\n", Plain::lines(message)));
    }

    /// A text in a tone, coloured where that can be seen.
    pub(crate) fn tone(&self, tone: Tone, text: impl Display) -> String {
        paint(self.colour, tone, text)
    }

    /// Ends the output. A reader that went away is no failure; a full disk is.
    pub(crate) fn finish(mut self, exit: Exit) -> Exit {
        self.flush();
        match self.lost.take() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.error(&format!("the output could not be written: {error}"));
                if exit == Exit::Fine { Exit::NotDone } else { exit }
            }
            _ => exit,
        }
    }

    fn write(&mut self, text: fmt::Arguments<'_>) {
        if self.lost.is_none()
            && let Err(error) = self.streams.stdout.write_fmt(text)
        {
            self.lose(error);
        }
    }

    fn lose(&mut self, error: io::Error) {
        self.lost = Some(error);
    }
}

fn paint(colour: bool, tone: Tone, text: impl Display) -> String {
    let code = match tone {
        Tone::Good => "32",
        Tone::Bad => "31",
        Tone::Warning => "33",
        Tone::Strong => "1",
        Tone::Faint => "2",
    };
    if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
}
