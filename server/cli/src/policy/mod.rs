//! `counterseal policy`: look at a policy, try it, test it and hold it against what was recorded, without running any tool.

mod backtest;
mod check;
mod explain;
mod fit;
mod schema;
mod test;

use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use counterseal::ErrorCode;
use counterseal::decide::Enforcement;
use std::io::Read;
use std::path::Path;

/// The largest policy the engine reads, and one byte more so that a larger one is refused by the engine's own words.
const LARGEST: u64 = (8 << 20) + 1;

/// Check, try, test, compare and describe policies
#[derive(Debug, clap::Subcommand)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  counterseal policy check counterseal.yaml
  counterseal policy explain counterseal.yaml --tool send_email --args '{\"to\": \"a@example.com\"}'
  counterseal policy test counterseal.yaml
  counterseal policy backtest draft.yaml --home /var/lib/my-agent
  counterseal policy fit > counterseal.yaml
  counterseal policy schema > counterseal.schema.json"
)]
pub(crate) enum Policy {
    Check(check::Check),
    Explain(explain::Explain),
    Test(test::Test),
    Backtest(backtest::Backtest),
    Fit(fit::Fit),
    Schema(schema::Schema),
}

impl Policy {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        match self {
            Self::Check(check) => check.run(console),
            Self::Explain(explain) => explain.run(console),
            Self::Test(test) => test.run(console),
            Self::Backtest(backtest) => backtest.run(console),
            Self::Fit(fit) => fit.run(console),
            Self::Schema(schema) => schema.run(console),
        }
    }
}

/// The bytes of a policy, and what messages call it; `-` is standard input.
fn read(path: &Path, console: &mut Console<'_>) -> Result<(String, Vec<u8>), Failure> {
    read_named("read the policy", path, console)
}

/// The same of another file; `what` says what is tried.
fn read_named(what: &str, path: &Path, console: &mut Console<'_>) -> Result<(String, Vec<u8>), Failure> {
    let mut bytes = Vec::new();
    let (name, result) = if path == Path::new("-") {
        ("<stdin>".to_owned(), console.input().take(LARGEST).read_to_end(&mut bytes))
    } else {
        let opened = std::fs::File::open(path);
        (path.display().to_string(), opened.and_then(|file| file.take(LARGEST).read_to_end(&mut bytes)))
    };
    match result {
        Ok(_) => Ok((name, bytes)),
        Err(error) => Err(Failure::file(ErrorCode::PolicyUnreadable, what, path, &error)),
    }
}

/// The mode of that text.
fn mode(text: &str) -> Option<Enforcement> {
    use Enforcement::{Block, Observe, Progressive, StepUp};
    [Observe, StepUp, Progressive, Block].into_iter().find(|mode| mode.as_str() == text)
}

/// A directory for homes that are only used for one command; removed when it is dropped.
fn scratch() -> Result<tempfile::TempDir, Failure> {
    tempfile::Builder::new().prefix("counterseal-").tempdir().map_err(|error| {
        let within = std::env::temp_dir();
        Failure::file(ErrorCode::HomeUnusable, "make a directory in", &within, &error)
    })
}
