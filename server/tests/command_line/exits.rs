//! What a caller can rely on whatever the command: exit codes, streams, JSON, colour, a reader that goes away.

use crate::running::{binary, run, run_with_input};
use std::io::Read;
use std::process::Stdio;

#[test]
fn a_command_line_that_is_not_understood_is_exit_code_2_and_says_what_is_near() {
    let directory = tempfile::tempdir().unwrap();
    for (arguments, said) in [
        (vec!["inti"], "there is no command `inti`; did you mean `init`"),
        (vec!["init", "--hom", "x"], "`--hom` is not known here; did you mean `--home`"),
        (vec!["policy", "check"], "`<FILE>...` is missing"),
        (vec!["policy", "explain", "-", "--tool", "t", "--risk", "hihg"], "`hihg` is no value of `--risk <RISK>`"),
        (vec!["init", "--policy"], "`--policy <FILE>` needs a value"),
        (vec!["ledger", "verify", "--key", "abc"], "`abc` is no value of `--key`"),
    ] {
        let ran = run(directory.path(), &arguments);
        assert_eq!(ran.code, 2, "{ran:#?}");
        assert!(ran.stderr.starts_with("counterseal: "), "{ran:#?}");
        assert!(ran.stderr.contains(said), "{ran:#?}");
        assert_eq!(ran.stdout, "");
        let mut with_json = vec!["--json"];
        with_json.extend(arguments);
        let ran = run(directory.path(), &with_json);
        let document = ran.json();
        assert_eq!((ran.code, document["error"]["code"].as_str()), (2, Some("usage")));
        assert!(document["error"]["message"].as_str().unwrap().contains(said));
    }
    assert!(!directory.path().join("counterseal.yaml").exists());
    assert!(!directory.path().join("home").exists());
}

#[test]
fn no_command_at_all_shows_the_help_on_standard_error() {
    let directory = tempfile::tempdir().unwrap();
    let ran = run::<&str>(directory.path(), &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("Usage: counterseal"));
}

#[test]
fn what_cannot_be_done_is_exit_code_3_on_both_streams() {
    let directory = tempfile::tempdir().unwrap();
    let ran = run(directory.path(), &["ledger", "verify", "--json"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.starts_with("counterseal: there is no ledger in `"), "{ran:#?}");
    let error = &ran.json()["error"];
    assert_eq!(error["code"], "ledger_not_found");
    assert_eq!(error["kind"], "config");
    assert_eq!(error["retry"], "never");
    assert!(error["details"]["path"].is_string());

    let ran = run(directory.path(), &["policy", "check", "missing.yaml"]);
    assert_eq!(ran.code, 3);
    assert_eq!(ran.stderr, "counterseal: cannot read the policy `missing.yaml`: there is no such file\n");
    assert_eq!(ran.stdout, "");
}

#[test]
fn an_argument_that_is_no_text_is_refused_without_a_panic() {
    use std::os::unix::ffi::OsStrExt;
    let directory = tempfile::tempdir().unwrap();
    let garbage = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    for arguments in
        [vec![garbage], vec!["policy".as_ref(), "explain".as_ref(), "-".as_ref(), "--tool".as_ref(), garbage]]
    {
        let ran = run(directory.path(), &arguments);
        assert_eq!(ran.code, 2, "{ran:#?}");
        assert!(ran.stderr.starts_with("counterseal: "), "{ran:#?}");
    }
}

#[test]
fn nothing_is_coloured_away_from_a_terminal_and_names_cannot_steer_one() {
    let directory = tempfile::tempdir().unwrap();
    let policy = b"version: 1\nname: \"\\e[2J\"\nrules: [{id: \"\\e[31mred\", tools: [a], decision: deny}]\n";
    let ran = run_with_input(directory.path(), &["policy", "check", "-"], policy);
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "{ran:#?}");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let directory = tempfile::tempdir().unwrap();
    // the schema is larger than a pipe, so that writing it meets the closed end
    let mut child = binary(directory.path())
        .args(["policy", "schema"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_the_output_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = binary(directory.path()).args(["policy", "schema"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("counterseal: the output could not be written: "), "{said}");
}
