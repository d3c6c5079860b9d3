//! `policy check | explain | schema`.

use crate::running::{run, run_with_input};

const GOOD: &str = "version: 1\ndefault: deny\nrules:\n  - {id: small, tools: [refund], when: args.amount <= 100.0, decision: allow}\n";

#[test]
fn a_good_policy_is_summed_up() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("p.yaml"), GOOD).unwrap();
    let ran = run(directory.path(), &["policy", "check", "p.yaml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:#?}");
    assert!(ran.stdout.starts_with("p.yaml: ok: 1 rule, default deny, progressive, version "), "{ran:#?}");
    let document = run(directory.path(), &["policy", "check", "--json", "p.yaml"]).json();
    assert_eq!(document["ok"], true);
    assert_eq!(document["policies"][0]["policy"]["rules"], 1);
    assert_eq!(document["policies"][0]["problems"], serde_json::json!([]));
}

#[test]
fn a_policy_that_decides_nothing_says_so_aloud() {
    let directory = tempfile::tempdir().unwrap();
    let ran = run_with_input(directory.path(), &["policy", "check", "-"], b"version: 1\n");
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.contains("it decides nothing"), "{ran:#?}");
}

#[test]
fn every_problem_of_every_file_is_told_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("good.yaml"), GOOD).unwrap();
    std::fs::write(directory.path().join("bad.yaml"), "version: 1\nruls: []\ndefault: maybe\n").unwrap();
    let ran = run(directory.path(), &["policy", "check", "good.yaml", "bad.yaml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{ran:#?}");
    assert!(ran.stdout.contains("good.yaml: ok"), "{ran:#?}");
    assert!(ran.stdout.contains("bad.yaml:2:1: "), "{ran:#?}");
    assert!(ran.stdout.contains("bad.yaml:3:10: "), "{ran:#?}");
    assert!(ran.stdout.ends_with("bad.yaml: refused: 2 problems\n"), "{ran:#?}");
    let ran = run(directory.path(), &["policy", "check", "--json", "good.yaml", "bad.yaml"]);
    let document = ran.json();
    assert_eq!((ran.code, &document["ok"]), (1, &false.into()));
    assert_eq!(document["policies"][1]["problems"][0]["line"], 2);
    assert_eq!(document["policies"][1]["problems"][0]["column"], 1);
}

#[test]
fn a_policy_is_read_from_standard_input() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(run_with_input(directory.path(), &["policy", "check", "-"], GOOD.as_bytes()).code, 0);
    let ran = run_with_input(directory.path(), &["policy", "check", "-"], b"version: \xff\n");
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.starts_with("<stdin>:1:10: "), "{ran:#?}");
}

#[test]
fn an_explanation_says_what_every_rule_said() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("p.yaml"), GOOD).unwrap();
    std::fs::write(directory.path().join("call.json"), r#"{"amount": 5000.0}"#).unwrap();
    let explain = |more: &[&str]| {
        let mut arguments = vec!["policy", "explain", "p.yaml", "--tool", "refund"];
        arguments.extend(more);
        run_with_input(directory.path(), &arguments, br#"{"amount": 7.5}"#)
    };
    let ran = explain(&["--args", r#"{"amount": 40.0}"#]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:#?}");
    assert!(ran.stdout.starts_with("refund: allow (rule)\n"), "{ran:#?}");
    assert!(ran.stdout.contains("local/small [allow] matched"), "{ran:#?}");
    let ran = explain(&["--args", "@call.json", "--json"]);
    assert_eq!((ran.code, &ran.json()["decision"]), (0, &"deny".into()));
    assert_eq!(explain(&["--args", "-", "--json"]).json()["decision"], "allow");
    // the other source is not the program's own tool of that name
    assert_eq!(explain(&["--args", r#"{"amount": 40.0}"#, "--source", "mcp:x", "--json"]).json()["decision"], "deny");
}

#[test]
fn arguments_that_are_none_are_not_explained() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("p.yaml"), GOOD).unwrap();
    for (arguments, said) in [
        (r#"{"amount": "#, "`--args` cannot be used: "),
        (r#"{"amount": 1, "amount": 2}"#, "amount"),
        ("[1]", "it is no object"),
    ] {
        let ran = run(directory.path(), &["policy", "explain", "p.yaml", "--tool", "refund", "--args", arguments]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:#?}");
        assert!(ran.stderr.contains(said), "{ran:#?}");
    }
}

#[test]
fn a_policy_with_problems_is_not_explained() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("p.yaml"), "version: 2\n").unwrap();
    let ran = run(directory.path(), &["policy", "explain", "p.yaml", "--tool", "refund"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:#?}");
    assert!(ran.stderr.starts_with("counterseal: p.yaml:1:10: "), "{ran:#?}");
}

#[test]
fn the_schema_is_a_json_schema() {
    let directory = tempfile::tempdir().unwrap();
    let document = run(directory.path(), &["policy", "schema"]).json();
    assert_eq!(document["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(document["properties"]["rules"].is_object());
}
