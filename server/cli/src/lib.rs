//! The command line `counterseal`, as a library: the binary and the Python wheel's console script both call [`run`].
//!
//! One module per command; each answers with an exit code and writes to the console it is given, never to the
//! process's own streams.

mod approvals;
mod console;
mod exit;
mod failure;
mod home;
mod init;
mod ledger;
mod policy;
mod usage;
mod wording;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use console::Console;
pub use console::Streams;
pub use exit::Exit;
use failure::Failure;
use std::ffi::OsString;
use std::io::{self, IsTerminal};

/// `counterseal` and its options.
#[derive(Debug, Parser)]
#[command(
    name = "counterseal",
    version,
    about = "Decides whether an AI agent's tool call may run, and keeps a record that nobody can change unnoticed",
    after_help = "\
Examples:
  counterseal init
  counterseal policy check counterseal.yaml
  counterseal policy explain counterseal.yaml --tool issue_refund --args '{\"amount\": 4000}'
  counterseal approvals list
  counterseal ledger verify

Exit codes:
  0  fine
  1  what was examined is not fine: a policy with errors, a ledger that does not verify
  2  the command line was not understood
  3  it could not be done: a file that cannot be read, a home that cannot be trusted",
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
struct CommandLine {
    /// Print one JSON document on standard output instead of text
    #[arg(long, global = true, display_order = 900)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    #[command(subcommand)]
    Policy(policy::Policy),
    #[command(subcommand)]
    Approvals(approvals::Approvals),
    #[command(subcommand)]
    Ledger(ledger::Ledger),
}

/// The argument parser, to generate documentation and completions from.
#[must_use]
pub fn command() -> clap::Command {
    CommandLine::command()
}

/// Runs one command line, its first element being the name it was called by, and returns the process's exit code.
///
/// Never panics on any input; whatever goes wrong is told on `streams.stderr`, under `--json` on `streams.stdout` too.
pub fn run(arguments: impl IntoIterator<Item = OsString>, streams: Streams<'_>) -> i32 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // a command line that cannot be parsed still has to be answered in the form that was asked for
    let json = arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json");
    let mut console = Console::new(streams, json);
    let exit = match command().try_get_matches_from(arguments).and_then(|found| CommandLine::from_arg_matches(&found)) {
        Ok(line) => dispatch(line.command, &mut console),
        Err(error) => usage::answer(&error, &mut console),
    };
    let exit = exit.unwrap_or_else(|failure| failure.tell(&mut console));
    console.finish(exit).code()
}

/// [`run`] on the process's own standard streams.
pub fn run_in_process(arguments: impl IntoIterator<Item = OsString>) -> i32 {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let terminals = (stdin.is_terminal(), stdout.is_terminal(), stderr.is_terminal());
    let streams = Streams {
        stdin: &mut stdin.lock(),
        stdout: &mut io::BufWriter::new(stdout.lock()),
        stderr: &mut stderr.lock(),
        stdin_is_terminal: terminals.0,
        stdout_is_terminal: terminals.1,
        stderr_is_terminal: terminals.2,
    };
    run(arguments, streams)
}

fn dispatch(command: Command, console: &mut Console<'_>) -> Result<Exit, Failure> {
    match command {
        Command::Init(init) => init.run(console),
        Command::Policy(policy) => policy.run(console),
        Command::Approvals(approvals) => approvals.run(console),
        Command::Ledger(ledger) => ledger.run(console),
    }
}
