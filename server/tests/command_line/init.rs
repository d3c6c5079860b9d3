//! `init` makes what is missing, changes nothing that is there, and its policy is one the engine takes.

use crate::running::run;
use std::os::unix::fs::PermissionsExt;

#[test]
fn the_starter_policy_passes_its_own_check_and_decides_as_its_comments_say() {
    let directory = tempfile::tempdir().unwrap();
    let ran = run(directory.path(), &["init"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:#?}");
    let ran = run(directory.path(), &["policy", "check", "counterseal.yaml"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    for (tool, arguments, decision) in [
        ("search_docs", "{}", "allow"),
        ("issue_refund", r#"{"amount": 40.0}"#, "allow"),
        ("issue_refund", r#"{"amount": 4000}"#, "require_approval"),
        ("send_email", r#"{"to": "a@example.com"}"#, "allow"),
        ("send_email", r#"{"to": "a@example.org"}"#, "require_approval"),
        ("drop_tables", "{}", "deny"),
    ] {
        let ran = run(
            directory.path(),
            &["policy", "explain", "counterseal.yaml", "--tool", tool, "--args", arguments, "--json"],
        );
        assert_eq!(ran.json()["decision"], decision, "{tool} {arguments}");
    }
}

#[test]
fn a_second_init_changes_nothing_and_prints_the_same_key() {
    let directory = tempfile::tempdir().unwrap();
    let first = run(directory.path(), &["init", "--json"]).json();
    assert_eq!((&first["policy"]["written"], &first["home"]["made"]), (&true.into(), &true.into()));
    let policy = directory.path().join("counterseal.yaml");
    std::fs::write(&policy, "version: 1\n").unwrap();
    let second = run(directory.path(), &["init", "--json"]).json();
    assert_eq!((&second["policy"]["written"], &second["home"]["made"]), (&false.into(), &false.into()));
    assert_eq!(first["home"]["first_key"], second["home"]["first_key"]);
    assert_eq!(std::fs::read_to_string(policy).unwrap(), "version: 1\n");
}

#[test]
fn the_home_is_its_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(run(directory.path(), &["init"]).code, 0);
    let mode = |name: &str| directory.path().join("home").join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("digest.key"), mode("keys/current")), (0o700, 0o600, 0o600));
}

#[test]
fn a_home_that_cannot_be_trusted_leaves_no_policy_behind() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o770)).unwrap();
    let ran = run(directory.path(), &["init"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("others can write into the home `"), "{ran:#?}");
    assert!(!directory.path().join("counterseal.yaml").exists());
}

#[test]
fn init_makes_the_file_of_checkpoints_and_says_how_to_use_it() {
    let directory = tempfile::tempdir().unwrap();
    let outside = directory.path().join("outside");
    let ran = run(directory.path(), &["init", "--checkpoints", "outside"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:#?}");
    let file = std::fs::canonicalize(&outside).unwrap().display().to_string();
    assert!(ran.stdout.contains(&format!("checkpoints=\"{file}\"")), "{ran:#?}");
    assert!(ran.stdout.contains(&format!("--checkpoints {file}")), "{ran:#?}");
    assert_eq!(run(directory.path(), &["init", "--checkpoints", "outside", "--json"]).json()["checkpoints"], file);
    for (place, said) in
        [("home/notes", "outside"), ("missing/notes", "cannot be opened"), ("~/notes", "write the path out")]
    {
        let ran = run(directory.path(), &["init", "--checkpoints", place]);
        assert_eq!(ran.code, 3, "{ran:#?}");
        assert!(ran.stderr.contains(said), "{ran:#?}");
    }
    let empty = tempfile::tempdir().unwrap();
    let ran = run(empty.path(), &["init", "--checkpoints", "home/notes"]);
    assert_eq!(ran.code, 3, "{ran:#?}");
    assert!(std::fs::read_dir(empty.path()).unwrap().next().is_none(), "nothing is made where one part is refused");
}
