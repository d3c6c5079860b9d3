//! `counterseal policy explain`: how one call is decided, and what every rule said.

use crate::console::{Console, Tone};
use crate::exit::Exit;
use crate::failure::Failure;
use counterseal::call::{PROGRAM_SOURCE, Risk, ToolSpec};
use counterseal::condition::Facts;
use counterseal::decide::{Effect, Explanation, Layer, Layers, Options};
use counterseal::plain::Plain;
use counterseal::policy;
use counterseal::value;
use counterseal::{Error, ErrorCode};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest arguments the engine takes, and one byte more so that larger ones are refused by the engine's own words.
const LARGEST: u64 = (1 << 20) + 1;

/// Decide one call without running or recording it, and show what every rule said
///
/// Exit code 0 for every decision, a deny too; 1: the policy has problems; 2: the arguments
/// are no JSON object.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "\
Examples:
  counterseal policy explain counterseal.yaml --tool issue_refund --args '{\"amount\": 4000}'
  counterseal policy explain counterseal.yaml --tool send_email --args @call.json --tag external --json
  counterseal policy explain counterseal.yaml --tool search --source mcp:docs --enforcement observe")]
pub(crate) struct Explain {
    /// The policy in YAML or JSON; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The tool's own name
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    tool: String,
    /// The call's arguments: a JSON object, `@FILE`, or `-` for standard input
    #[arg(long, value_name = "JSON", default_value = "{}")]
    args: String,
    /// Where the tool comes from, such as `mcp:server`
    #[arg(long, value_name = "SOURCE", default_value = PROGRAM_SOURCE, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    source: String,
    /// A tag that the program declares; can be given again
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// The risk that the program declares
    #[arg(long, value_parser = ["low", "medium", "high"])]
    risk: Option<String>,
    /// The system the tool acts on, such as `salesforce`
    #[arg(long, value_name = "NAME")]
    connector: Option<String>,
    /// What the tool does there, such as `account.read`
    #[arg(long, value_name = "NAME")]
    action: Option<String>,
    /// A mode that the program asks for; it can only tighten, unless the policy says `may_loosen`
    #[arg(long, value_name = "MODE", value_parser = ["observe", "step_up", "progressive", "block"])]
    enforcement: Option<String>,
}

impl Explain {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        if self.args == "-" && self.file == Path::new("-") {
            return Err(Failure::usage("the policy and `--args` cannot both be standard input"));
        }
        let text = self.arguments(console)?;
        let arguments = value::json::parse(&text).map_err(|error| not_arguments(error.message()))?;
        if !matches!(arguments, value::Value::Map(_)) {
            return Err(not_arguments("it is no object; write them by name, such as `{\"amount\": 4000}`"));
        }
        let (name, bytes) = super::read(&self.file, console)?;
        let policy =
            policy::load_bytes(&name, &bytes).map_err(|errors| Failure::Engine(Exit::NotFine, Error::from(errors)))?;
        let layer = Layer { name: Arc::from("local"), policy: Arc::new(policy) };
        let enforcement = self.enforcement.as_deref().and_then(super::mode);
        let layers = Layers::new(vec![layer], Options { enforcement, require_policy: false })?;
        let plan = layers.plan(&self.tool()).map_err(|error| Failure::Engine(Exit::NotFine, error))?;
        let explanation = plan.explain(&Facts::of_call(&arguments), None);
        if console.json() {
            console.document(&explanation);
        } else {
            print(&explanation, console);
        }
        Ok(Exit::Fine)
    }

    fn arguments(&self, console: &mut Console<'_>) -> Result<String, Failure> {
        let mut text = String::new();
        let read = if self.args == "-" {
            (PathBuf::from("-"), console.input().take(LARGEST).read_to_string(&mut text))
        } else if let Some(path) = self.args.strip_prefix('@') {
            let file = std::fs::File::open(path);
            (PathBuf::from(path), file.and_then(|file| file.take(LARGEST).read_to_string(&mut text)))
        } else {
            return Ok(self.args.clone());
        };
        match read {
            (_, Ok(_)) => Ok(text),
            (path, Err(error)) => Err(Failure::file(ErrorCode::ConfigInvalid, "read the arguments", &path, &error)),
        }
    }

    fn tool(&self) -> ToolSpec {
        ToolSpec {
            name: self.tool.clone(),
            source: self.source.clone(),
            tags: self.tags.clone(),
            risk: self.risk.as_deref().and_then(|risk| match risk {
                "low" => Some(Risk::Low),
                "medium" => Some(Risk::Medium),
                "high" => Some(Risk::High),
                _ => None,
            }),
            connector: self.connector.clone(),
            action: self.action.clone(),
            ..ToolSpec::default()
        }
    }
}

fn not_arguments(why: &str) -> Failure {
    Failure::usage(format!("`--args` cannot be used: {why}"))
}

fn print(explanation: &Explanation, console: &mut Console<'_>) {
    let tone = match explanation.effect {
        Effect::Run => Tone::Good,
        Effect::Refused => Tone::Bad,
        Effect::Asked => Tone::Warning,
    };
    let text = explanation.to_string();
    let mut lines = text.lines();
    if let Some(first) = lines.next() {
        let first = console.tone(tone, Plain::line(first));
        console.line(first);
    }
    for line in lines {
        console.line(Plain::line(line));
    }
}
