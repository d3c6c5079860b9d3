//! `counterseal policy`: look at a policy without running anything.

mod check;
mod explain;
mod schema;

use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use counterseal::ErrorCode;
use std::io::Read;
use std::path::Path;

/// The largest policy the engine reads, and one byte more so that a larger one is refused by the engine's own words.
const LARGEST: u64 = (8 << 20) + 1;

/// Check, try and describe policies
#[derive(Debug, clap::Subcommand)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  counterseal policy check counterseal.yaml
  counterseal policy explain counterseal.yaml --tool send_email --args '{\"to\": \"a@example.com\"}'
  counterseal policy schema > counterseal.schema.json"
)]
pub(crate) enum Policy {
    Check(check::Check),
    Explain(explain::Explain),
    Schema(schema::Schema),
}

impl Policy {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        match self {
            Self::Check(check) => check.run(console),
            Self::Explain(explain) => explain.run(console),
            Self::Schema(schema) => schema.run(console),
        }
    }
}

/// The bytes of a policy, and what messages call it; `-` is standard input.
fn read(path: &Path, console: &mut Console<'_>) -> Result<(String, Vec<u8>), Failure> {
    let mut bytes = Vec::new();
    let (name, result) = if path == Path::new("-") {
        ("<stdin>".to_owned(), console.input().take(LARGEST).read_to_end(&mut bytes))
    } else {
        let opened = std::fs::File::open(path);
        (path.display().to_string(), opened.and_then(|file| file.take(LARGEST).read_to_end(&mut bytes)))
    };
    match result {
        Ok(_) => Ok((name, bytes)),
        Err(error) => Err(Failure::file(ErrorCode::PolicyUnreadable, "read the policy", path, &error)),
    }
}
