//! The help is a text that people rely on: changing it is a decision, seen in a diff.

use crate::running::run;
use std::fmt::Write;
use std::path::Path;

/// Every command's path, without the program's name, groups included.
pub(crate) fn paths() -> Vec<Vec<String>> {
    fn walk(command: &clap::Command, path: &[String], found: &mut Vec<Vec<String>>) {
        found.push(path.to_vec());
        for inner in command.get_subcommands() {
            let mut longer = path.to_vec();
            longer.push(inner.get_name().to_owned());
            walk(inner, &longer, found);
        }
    }
    let mut found = Vec::new();
    walk(&counterseal_cli::command(), &[], &mut found);
    found
}

#[test]
fn the_help_of_every_command_is_the_committed_one() {
    let directory = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for path in paths() {
        let mut arguments = path.clone();
        arguments.push("--help".to_owned());
        let ran = run(directory.path(), &arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        writeln!(text, "$ counterseal {}\n{}", arguments.join(" "), ran.stdout).unwrap();
    }
    let text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command_line/help.txt");
    if std::env::var_os("COUNTERSEAL_BLESS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&file).unwrap_or_default(), "set COUNTERSEAL_BLESS=1 to rewrite it");
}

#[test]
fn every_command_has_examples() {
    let command = counterseal_cli::command();
    for path in paths() {
        let found = path.iter().fold(&command, |command, name| command.find_subcommand(name).unwrap());
        let after = found.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(after.contains("Examples:\n  "), "`{}` has no examples", path.join(" "));
    }
}
