//! `counterseal policy check`: every problem of a policy with its place.

use crate::console::{Console, Tone};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::wording::{counted, hex};
use counterseal::plain::Plain;
use counterseal::policy::{self, PolicyError, PolicyErrors};
use serde::Serialize;
use std::path::PathBuf;

/// Tell every problem of policies, with line, column and what to write instead
///
/// Unknown keys, tags and ids are problems, and so are conditions that do not type and
/// rules that can never match.
/// Exit code 0: all can be used; 1: at least one has problems; 3: one cannot be read.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "\
Examples:
  counterseal policy check counterseal.yaml
  counterseal policy check --json policies/*.yaml
  generate-policy | counterseal policy check -")]
pub(crate) struct Check {
    /// Policies in YAML or JSON; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Document {
    ok: bool,
    policies: Vec<Checked>,
}

#[derive(Serialize)]
struct Checked {
    file: String,
    ok: bool,
    /// The facts of one that can be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Facts>,
    problems: Vec<Problem>,
    /// Problems beyond those listed.
    untold: usize,
}

#[derive(Serialize)]
struct Facts {
    name: String,
    version: String,
    rules: usize,
    limits: usize,
    enforcement: &'static str,
    default: &'static str,
    decides: bool,
}

#[derive(Serialize)]
struct Problem {
    code: &'static str,
    line: u32,
    column: u32,
    message: String,
    suggestion: Option<String>,
}

impl Check {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        let mut policies = Vec::new();
        for file in &self.files {
            // one that cannot be read ends the command: "all fine" would be said of fewer files than were named
            let (name, bytes) = super::read(file, console)?;
            policies.push(match policy::load_bytes(&name, &bytes) {
                Ok(loaded) => usable(name, &loaded),
                Err(errors) => refused(name, &errors),
            });
        }
        let document = Document { ok: policies.iter().all(|checked| checked.ok), policies };
        let exit = if document.ok { Exit::Fine } else { Exit::NotFine };
        if console.json() {
            console.document(&document);
        } else {
            document.policies.iter().for_each(|checked| print(checked, console));
        }
        Ok(exit)
    }
}

fn usable(file: String, loaded: &policy::Policy) -> Checked {
    let facts = Facts {
        name: loaded.name().to_owned(),
        version: hex(&loaded.version()),
        rules: loaded.rule_count(),
        limits: loaded.limit_count(),
        enforcement: loaded.enforcement().as_str(),
        default: loaded.default_verdict().as_str(),
        decides: loaded.decides(),
    };
    Checked { file, ok: true, policy: Some(facts), problems: Vec::new(), untold: 0 }
}

fn refused(file: String, errors: &PolicyErrors) -> Checked {
    let problem = |error: &PolicyError| Problem {
        code: error.code.as_str(),
        line: error.line(),
        column: error.column(),
        message: error.message.clone(),
        suggestion: error.suggestion.clone(),
    };
    let problems = errors.list().iter().map(problem).collect();
    Checked { file, ok: false, policy: None, problems, untold: errors.untold() }
}

fn print(checked: &Checked, console: &mut Console<'_>) {
    let file = Plain::line(&checked.file).to_string();
    if let Some(facts) = &checked.policy {
        let good = console.tone(Tone::Good, "ok");
        let mut rules = counted(facts.rules, "rule");
        if facts.limits > 0 {
            rules = format!("{rules}, {}", counted(facts.limits, "limit"));
        }
        let Facts { enforcement, default, .. } = facts;
        let short = facts.version.get(..12).unwrap_or_default();
        console.line(format_args!("{file}: {good}: {rules}, default {default}, {enforcement}, version {short}"));
        if !facts.decides {
            let warning = console.tone(Tone::Warning, "it decides nothing");
            console.line(format_args!(
                "{file}: {warning}: it has no rule, no limit, no scope and no default, so every call runs"
            ));
        }
    }
    for problem in &checked.problems {
        let Problem { line, column, .. } = problem;
        let place = console.tone(Tone::Strong, format_args!("{file}:{line}:{column}:"));
        console.line(format_args!("{place} {}", Plain::line(&problem.message)));
        if let Some(suggestion) = &problem.suggestion {
            console.line(format_args!("    {}", Plain::line(suggestion)));
        }
    }
    if !checked.ok {
        let bad = console.tone(Tone::Bad, "refused");
        let count = counted(checked.problems.len() + checked.untold, "problem");
        let more = if checked.untold > 0 { format!(", {} of them not shown", checked.untold) } else { String::new() };
        console.line(format_args!("{file}: {bad}: {count}{more}"));
    }
}
