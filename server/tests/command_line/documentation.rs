//! `docs/cli.md` names every command with every option, and none that is not there.

use crate::help::paths;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The text under each heading `## counterseal …`, by the command's path.
fn sections() -> BTreeMap<String, String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let text = std::fs::read_to_string(file).unwrap();
    let mut sections = BTreeMap::new();
    for section in text.split("\n## ").skip(1) {
        let (heading, body) = section.split_once('\n').unwrap();
        if let Some(command) = heading.trim_matches('`').strip_prefix("counterseal ") {
            sections.insert(command.to_owned(), body.to_owned());
        }
    }
    sections
}

/// The options in the first column of a section's table, without their values.
fn documented(section: &str) -> BTreeSet<String> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    let cells = rows.flat_map(|(cell, _)| cell.split([' ', ',', '`']).map(str::to_owned).collect::<Vec<_>>());
    cells.filter(|word| word.starts_with("--")).collect()
}

#[test]
fn every_command_and_option_is_documented_and_no_other() {
    let command = counterseal_cli::command();
    let sections = sections();
    let mut leaves = BTreeSet::new();
    for path in paths() {
        let found = path.iter().fold(&command, |command, name| command.find_subcommand(name).unwrap());
        if found.has_subcommands() {
            continue;
        }
        let name = path.join(" ");
        let section = sections.get(&name).unwrap_or_else(|| panic!("docs/cli.md has no section on `{name}`"));
        let options: BTreeSet<String> = found
            .get_arguments()
            .filter_map(|argument| argument.get_long())
            .filter(|option| !["help", "json", "version"].contains(option))
            .map(|option| format!("--{option}"))
            .collect();
        assert_eq!(documented(section), options, "the options of `{name}` in docs/cli.md");
        for positional in found.get_positionals() {
            let value = positional.get_value_names().unwrap_or_default().first().map_or("", |name| name.as_str());
            assert!(section.contains(&format!("`{value}")), "`{value}` of `{name}` is not in docs/cli.md");
        }
        leaves.insert(name);
    }
    assert_eq!(sections.keys().cloned().collect::<BTreeSet<_>>(), leaves);
}

#[test]
fn the_exit_codes_are_documented() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let text = std::fs::read_to_string(file).unwrap();
    for exit in [
        counterseal_cli::Exit::Fine,
        counterseal_cli::Exit::NotFine,
        counterseal_cli::Exit::Usage,
        counterseal_cli::Exit::NotDone,
    ] {
        assert!(text.contains(&format!("| {} |", exit.code())), "exit code {} is not documented", exit.code());
    }
}
