//! Times the engine without a host language: one subcommand a measurement, its figures as one line of JSON.

mod crash;
mod decision;
mod guarded;
mod ledger;
mod rules;
mod sessions;
mod stages;
mod state;
mod subject;
mod timing;
mod verify;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

/// What a subcommand found: a JSON document of figures, or why there are none.
type Figures = Result<serde_json::Value, Box<dyn Error>>;

/// Runs a subcommand on the arguments behind its name.
type Subcommand = fn(&[String]) -> Figures;

const SUBCOMMANDS: &[(&str, Subcommand)] = &[
    ("crash-child", crash::run),
    ("decision", decision::run),
    ("ledger", ledger::run),
    ("rules", rules::run),
    ("sessions", sessions::run),
    ("stages", stages::run),
    ("state", state::run),
    ("verify", verify::run),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match measure(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _nobody_reads_it = writeln!(std::io::stderr(), "counterseal-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let found = arguments
        .split_first()
        .and_then(|(name, rest)| SUBCOMMANDS.iter().find(|(known, _)| known == name).map(|(_, run)| (run, rest)));
    let Some((run, rest)) = found else {
        let known: Vec<&str> = SUBCOMMANDS.iter().map(|(name, _)| *name).collect();
        return Err(format!("the first argument has to be one of: {}", known.join(", ")).into());
    };
    Ok(writeln!(std::io::stdout(), "{}", run(rest)?)?)
}
