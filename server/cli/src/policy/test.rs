//! `counterseal policy test`: the cases that stand beside a policy, decided by it.

use crate::console::{Console, Tone};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::wording::counted;
use counterseal::plain::Plain;
use counterseal::policy::cases;
use counterseal::rehearsal::{self, CallReport, CaseReport, Rehearsed};
use counterseal::{Error, ErrorCode, policy};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Run the cases that stand beside a policy
///
/// Cases say which calls are made, alone or one after another, and what has to be decided of
/// each; docs/testing-policies.md tells how they are written. No tool runs, and no home is
/// touched: each case has one of its own, which is removed.
/// Exit code 0: all is as expected; 1: it is not, or the policy or its cases have problems;
/// 3: one of them cannot be read.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "\
Examples:
  counterseal policy test counterseal.yaml
  counterseal policy test counterseal.yaml cases/refunds.yaml cases/mail.yaml
  counterseal policy test counterseal.yaml --json")]
pub(crate) struct Test {
    /// The policy in YAML or JSON
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Files of cases; left out: `NAME.tests.yaml`, `.yml` or `.json` beside the policy `NAME.yaml`
    #[arg(value_name = "CASES")]
    cases: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Document {
    ok: bool,
    policy: String,
    files: Vec<File>,
    cases: usize,
    failed: usize,
    untried: Vec<String>,
}

#[derive(Serialize)]
struct File {
    file: String,
    cases: Vec<CaseReport>,
}

impl Test {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        let (name, bytes) = super::read(&self.file, console)?;
        let policy = policy::load_bytes(&name, &bytes).map_err(refused)?;
        let policy = Arc::new(policy);
        let paths = if self.cases.is_empty() { vec![beside(&self.file)?] } else { self.cases };
        let mut loaded = Vec::with_capacity(paths.len());
        for path in &paths {
            let (name, bytes) = super::read_named("read the cases", path, console)?;
            loaded.push((name.clone(), cases::load_bytes(&name, &bytes, &policy).map_err(refused)?));
        }
        let mut files = Vec::with_capacity(loaded.len());
        let mut untried: Option<Vec<String>> = None;
        for (file, cases) in loaded {
            let Rehearsed { cases, untried: of_file } = rehearsed(&policy, &cases)?;
            untried = Some(match untried {
                None => of_file,
                Some(before) => before.into_iter().filter(|id| of_file.contains(id)).collect(),
            });
            files.push(File { file, cases });
        }
        let all = || files.iter().flat_map(|file| &file.cases);
        let failed = all().filter(|case| !case.ok).count();
        let (cases, untried) = (all().count(), untried.unwrap_or_default());
        let document = Document { ok: failed == 0, policy: name, files, cases, failed, untried };
        if console.json() {
            console.document(&document);
        } else {
            print(&document, console);
        }
        Ok(if document.ok { Exit::Fine } else { Exit::NotFine })
    }
}

/// Runs the cases in a directory that is removed afterwards.
fn rehearsed(policy: &Arc<policy::Policy>, cases: &cases::Cases) -> Result<Rehearsed, Failure> {
    let directory = super::scratch()?;
    Ok(rehearsal::rehearse(policy, cases, directory.path())?)
}

fn refused(errors: policy::PolicyErrors) -> Failure {
    Failure::Engine(Exit::NotFine, Error::from(errors))
}

/// The file of cases beside a policy.
fn beside(policy: &Path) -> Result<PathBuf, Failure> {
    if policy == Path::new("-") {
        return Err(Failure::usage("a policy from standard input has no cases beside it; name a file of cases"));
    }
    let named = |ending: &str| policy.with_extension(format!("tests.{ending}"));
    let found = ["yaml", "yml", "json"].into_iter().map(named).find(|path| path.is_file());
    found.ok_or_else(|| {
        let (policy, expected) = (policy.display(), named("yaml"));
        let message =
            format!("`{policy}` has no cases beside it; write them to `{}`, or name a file", expected.display());
        Error::new(ErrorCode::PolicyUnreadable, message).with("path", expected.display()).into()
    })
}

fn print(document: &Document, console: &mut Console<'_>) {
    for file in &document.files {
        for case in &file.cases {
            print_case(&file.file, case, console);
        }
    }
    if !document.untried.is_empty() {
        let note = console.tone(Tone::Warning, "note");
        console.line(format_args!("{note}: no case is decided by {}", Plain::line(&document.untried.join(", "))));
    }
    let cases = counted(document.cases, "case");
    let end = match document.failed {
        0 => console.tone(Tone::Good, format_args!("{cases}: all as expected")),
        failed => console.tone(Tone::Bad, format_args!("{cases}: {failed} failed")),
    };
    console.line(end);
}

fn print_case(file: &str, case: &CaseReport, console: &mut Console<'_>) {
    let name = Plain::line(&case.name);
    if case.ok {
        let good = console.tone(Tone::Good, "ok");
        console.line(format_args!("{good}      {name}"));
        return;
    }
    let bad = console.tone(Tone::Bad, "failed");
    console.line(format_args!("{bad}  {name}"));
    for call in case.calls.iter().filter(|call| !call.differences.is_empty()) {
        print_call(file, call, console);
    }
}

fn print_call(file: &str, call: &CallReport, console: &mut Console<'_>) {
    let place = console.tone(Tone::Strong, format_args!("{}:{}:", Plain::line(file), call.line));
    console.line(format_args!("        {place} step {}, `{}`", call.step, Plain::line(&call.tool)));
    for difference in &call.differences {
        let (expected, found) = (Plain::line(&difference.expected), Plain::line(&difference.found));
        console.line(format_args!("          {}: expected {expected}, found {found}", difference.member));
    }
    let of_the_end = call.differences.iter().all(|difference| difference.member.starts_with("then."));
    let told = if of_the_end { call.then.as_ref().or(call.decided.as_ref()) } else { call.decided.as_ref() };
    let Some(decided) = told else { return };
    let shown = |member| call.differences.iter().any(|difference| difference.member.ends_with(member));
    if !decided.rules.is_empty() && !shown("rules") {
        console.line(format_args!("          by {}", Plain::line(&decided.rules.join(", "))));
    }
    let why = decided.detail.as_deref().or(decided.reason.as_deref()).unwrap_or(decided.reason_code);
    if decided.detail.is_some() || !shown("reason") {
        console.line(format_args!("          because: {}", Plain::line(why)));
    }
}
