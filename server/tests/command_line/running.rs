//! Runs the built binary in a directory of its own, cut off from the settings of whoever runs the tests.

use serde_json::Value;
use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Standard output as the one JSON document it has to be.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:#?}"))
    }
}

/// The binary, to be run in `directory`.
pub(crate) fn binary(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_counterseal"));
    command.current_dir(directory).env_remove("NO_COLOR").env("COUNTERSEAL_HOME", directory.join("home"));
    command
}

/// Runs it with these arguments and nothing on standard input.
pub(crate) fn run<S: AsRef<OsStr>>(directory: &Path, arguments: &[S]) -> Ran {
    run_with_input(directory, arguments, b"")
}

/// Runs it with these arguments and this standard input.
pub(crate) fn run_with_input<S: AsRef<OsStr>>(directory: &Path, arguments: &[S], input: &[u8]) -> Ran {
    let mut command = binary(directory);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // a command that does not read its input may be gone before all of it is written
    let _unread = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
