//! `counterseal init`: a starter policy and a home.

use crate::console::{Console, Tone};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home::HomeOption;
use counterseal::ledger::{Entropy, Home, Sink};
use counterseal::{Error, ErrorCode};
use serde::Serialize;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The policy that `init` writes.
pub(crate) const STARTER_POLICY: &str = include_str!("starter_policy.yaml");

/// Write a commented starter policy, make the home, and print the ledger's first key
///
/// Nothing that is there is changed: a policy is left as it is, a home is opened.
/// Keep the key outside this machine: with it anybody can prove that the ledger was
/// not written anew (`counterseal ledger verify --key`).
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "\
Examples:
  counterseal init
  counterseal init --home /var/lib/my-agent --policy policies/my-agent.yaml")]
pub(crate) struct Init {
    #[command(flatten)]
    home: HomeOption,
    /// Where the starter policy is written
    #[arg(long, value_name = "FILE", default_value = "counterseal.yaml")]
    policy: PathBuf,
    /// A file outside the home to which the program is to append every checkpoint too; made if it is missing
    #[arg(long, value_name = "FILE")]
    checkpoints: Option<PathBuf>,
}

#[derive(Serialize)]
struct Document {
    policy: PolicyFile,
    home: HomeFacts,
    checkpoints: Option<String>,
}

#[derive(Serialize)]
struct PolicyFile {
    file: String,
    written: bool,
}

#[derive(Serialize)]
struct HomeFacts {
    path: String,
    made: bool,
    id: String,
    first_key: String,
}

impl Init {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        // the home first: it is the part that can be refused, and then nothing has been written
        let path = self.home.path()?;
        let sink = self.checkpoints.map(|file| Sink::at(&file)).transpose()?;
        sink.as_ref().map_or(Ok(()), |sink| sink.check_place(&path))?;
        let made = !path.join("home.json").exists();
        let home = Home::open_or_create(&path, &mut Entropy::system())?;
        sink.as_ref().map_or(Ok(()), |sink| sink.check(&home))?;
        let written = write_new(&self.policy)?;
        let document = Document {
            policy: PolicyFile { file: self.policy.display().to_string(), written },
            home: HomeFacts {
                path: path.display().to_string(),
                made,
                id: home.id().to_string(),
                first_key: home.first_key().to_string(),
            },
            checkpoints: sink.map(|Sink::File(path)| path.display().to_string()),
        };
        if console.json() {
            console.document(&document);
        } else {
            print(&document, console);
        }
        Ok(Exit::Fine)
    }
}

/// Writes the starter policy unless something is there, and says whether it did.
fn write_new(path: &Path) -> Result<bool, Failure> {
    let failed = |error: io::Error| Failure::file(ErrorCode::ConfigInvalid, "write the policy", path, &error);
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => {
            file.write_all(STARTER_POLICY.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message =
                format!("cannot write the policy `{}`: its directory is not there; make it first", path.display());
            Err(Error::new(ErrorCode::ConfigInvalid, message).with("path", path.display()).into())
        }
        Err(error) => Err(failed(error)),
    }
}

fn print(document: &Document, console: &mut Console<'_>) {
    let Document { policy, home, checkpoints } = document;
    let policy_done = if policy.written { "written: a commented starter" } else { "was there, left as it is" };
    let home_done = if home.made { "made" } else { "was there, left as it is" };
    console.line(format_args!("policy     {} ({policy_done})", policy.file));
    console.line(format_args!("home       {} ({home_done})", home.path));
    let key = console.tone(Tone::Strong, &home.first_key);
    console.line(format_args!("first key  {key}"));
    console.line("");
    console.line("Keep the first key where this machine cannot write. With it anybody can prove that the ledger was not written anew:");
    let (given, setting) = checkpoints
        .as_ref()
        .map_or_else(Default::default, |file| (format!(" --checkpoints {file}"), format!(", checkpoints=\"{file}\"")));
    console.line(format_args!("  counterseal ledger verify --home {} --key {}{given}", home.path, home.first_key));
    console.line("Next, make the policy yours and let the program use it:");
    console.line(format_args!("  counterseal policy check {}", policy.file));
    console.line(format_args!("  counterseal.configure(policy=\"{}\", home=\"{}\"{setting})", policy.file, home.path));
}
