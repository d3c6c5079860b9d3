//! `policy test`.

use crate::running::{run, run_with_input};
use std::path::Path;

/// The blocks of `docs/testing-policies.md` that begin with ```` ```LANGUAGE ````.
fn documented(language: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/testing-policies.md");
    let text = std::fs::read_to_string(file).unwrap();
    let fence = format!("```{language}\n");
    let mut blocks = Vec::new();
    let mut inside: Option<String> = None;
    for line in text.split_inclusive('\n') {
        match &mut inside {
            None if line.starts_with("```") => inside = Some(String::from(line)),
            None => {}
            Some(_) if line == "```\n" => {
                let block = inside.take().unwrap();
                blocks.extend(block.strip_prefix(&*fence).map(str::to_owned));
            }
            Some(block) => block.push_str(line),
        }
    }
    blocks
}

#[test]
fn the_documented_cases_hold() {
    let directory = tempfile::tempdir().unwrap();
    let yaml = documented("yaml");
    std::fs::write(directory.path().join("p.yaml"), &yaml[0]).unwrap();
    std::fs::write(directory.path().join("p.tests.yaml"), &yaml[1]).unwrap();
    let ran = run(directory.path(), &["policy", "test", "p.yaml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:#?}");
    assert_eq!(ran.stdout, documented("")[0]);
    assert!(!directory.path().join("home").exists(), "no home of the user's is touched");
}

const POLICY: &str = "version: 1\nrules:\n  - {id: no, tools: [f], when: args.x > 1, decision: deny, reason: too much}\n  - {id: never, tools: [g], decision: deny}\n";

#[test]
fn what_is_not_as_expected_is_told_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("p.yaml"), POLICY).unwrap();
    let cases = "version: 1\ncases:\n  - {name: good, steps: [{tool: f, args: {x: 1}, expect: allow}]}\n  - name: bad\n    steps:\n      - {tool: f, args: {x: 2}, expect: allow}\n";
    std::fs::write(directory.path().join("other.yaml"), cases).unwrap();
    let ran = run(directory.path(), &["policy", "test", "p.yaml", "other.yaml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{ran:#?}");
    assert_eq!(
        ran.stdout,
        "ok      good\nfailed  bad\n        other.yaml:6: step 1, `f`\n          decision: expected allow, found deny\n          \
         by local/no\n          because: too much\nnote: no case is decided by local/never\n2 cases: 1 failed\n"
    );
    let document = run(directory.path(), &["policy", "test", "--json", "p.yaml", "other.yaml"]).json();
    assert_eq!((&document["ok"], &document["cases"], &document["failed"]), (&false.into(), &2.into(), &1.into()));
    assert_eq!(document["untried"], serde_json::json!(["local/never"]));
    let call = &document["files"][0]["cases"][1]["calls"][0];
    assert_eq!(call["decided"]["decision"], "deny");
    assert_eq!(call["differences"], serde_json::json!([{"member": "decision", "expected": "allow", "found": "deny"}]));
}

#[test]
fn a_policy_without_cases_is_told_where_they_belong() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("p.yaml"), POLICY).unwrap();
    let ran = run(directory.path(), &["policy", "test", "p.yaml"]);
    assert_eq!(ran.code, 3, "{ran:#?}");
    assert!(ran.stderr.contains("`p.yaml` has no cases beside it; write them to `p.tests.yaml`"), "{ran:#?}");
    let ran = run_with_input(directory.path(), &["policy", "test", "-"], POLICY.as_bytes());
    assert_eq!(ran.code, 2, "{ran:#?}");
}

#[test]
fn what_is_wrong_with_a_policy_or_its_cases_is_told() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("p.yaml"), POLICY).unwrap();
    std::fs::write(directory.path().join("p.tests.json"), r#"{"version": 1, "cases": []}"#).unwrap();
    let ran = run(directory.path(), &["policy", "test", "p.yaml"]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(ran.stderr.starts_with("counterseal: p.tests.json:1:25: there is no case"), "{ran:#?}");
    std::fs::write(directory.path().join("p.yaml"), "version: 2\n").unwrap();
    let ran = run(directory.path(), &["policy", "test", "p.yaml"]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(ran.stderr.starts_with("counterseal: p.yaml:1:10: "), "{ran:#?}");
}

#[test]
fn steps_share_a_home_and_cases_do_not() {
    let directory = tempfile::tempdir().unwrap();
    let policy = "version: 1\nbudgets:\n  - {id: two, calls: 2}\nrules:\n  - {id: web, tools: [send], when: session.saw(\"untrusted\"), decision: deny}\n";
    std::fs::write(directory.path().join("p.yaml"), policy).unwrap();
    let cases = r#"
version: 1
cases:
  - name: two calls and no third
    steps:
      - {tool: f, expect: allow}
      - {tool: f, check: true, expect: allow}
      - {tool: f, context: {session: other}, expect: allow}
      - {tool: f, expect: {decision: deny, reason_code: budget_exceeded, rules: [local/two]}}
  - name: a mark stays with its session
    steps:
      - {mark: untrusted}
      - {tool: send, context: {session: other}, expect: allow}
      - {tool: send, expect: {decision: deny, rules: [web]}}
  - name: a sub-agent knows what its parent saw
    context: {session: main}
    steps:
      - {tool: page, tags: [untrusted]}
      - {tool: send, context: {session: sub, parent: main}, expect: deny}
  - {name: alone 1, steps: [{tool: f, expect: allow}]}
  - {name: alone 2, steps: [{tool: f, expect: allow}]}
  - {name: alone 3, steps: [{tool: f, expect: allow}]}
"#;
    std::fs::write(directory.path().join("p.tests.yaml"), cases).unwrap();
    let ran = run(directory.path(), &["policy", "test", "p.yaml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:#?}");
    assert!(ran.stdout.ends_with("6 cases: all as expected\n"), "{ran:#?}");
}

const ASKS: &str = r#"
version: 1
tools:
  refund: {volatile: [request_id]}
rules:
  - id: big
    tools: [refund]
    when: args.amount > 100.0
    decision: require_approval
    approval: {approvers: [group:finance, bo], not_by: [requester], timeout: 10m}
  - {id: huge, tools: [refund], when: args.amount > 9000.0, decision: deny, reason: never so much}
  - {id: wire, tools: [wire], decision: require_approval, approval: {quorum: 2}}
rate_limits:
  - {id: few, tools: [refund], calls: 2, window: 1h}
"#;

fn tested(cases: &str) -> crate::running::Ran {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("p.yaml"), ASKS).unwrap();
    std::fs::write(directory.path().join("p.tests.yaml"), cases).unwrap();
    run(directory.path(), &["policy", "test", "p.yaml"])
}

#[test]
fn people_answer_in_cases() {
    let ran = tested(
        r#"
version: 1
context: {user: u-7, verified_by: sso}
cases:
  - name: yes and no
    steps:
      - {tool: refund, args: {amount: 400.0}, expect: require_approval, answer: {says: yes, by: bo, verified_by: os}}
      - {tool: refund, args: {amount: 400.0}, answer: no, then: {effect: refused, reason_code: approval_denied, reason: "`somebody` said no"}}
      - {tool: refund, args: {amount: 1.0}, expect: allow}
      - {tool: refund, args: {amount: 1.0}, expect: {decision: deny, rules: [few]}}
  - name: by group, and after the clock
    steps:
      - {tool: refund, args: {amount: 400.0}, answer: {says: yes, by: cy, groups: [finance], verified_by: os, after: 9m}, then: run}
      - tool: refund
        args: {amount: 400.0}
        answer: {says: yes, by: bo, verified_by: os, after: 10m}
        then: {effect: refused, reason_code: approval_expired}
  - name: who may not
    steps:
      - {tool: refund, args: {amount: 400.0}, answer: yes, then: {effect: asked, reason_code: approval_pending}}
      - {tool: refund, args: {amount: 400.0}, answer: {says: yes, by: u-7, groups: [finance], verified_by: sso}, then: asked}
      - {tool: refund, args: {amount: 400.0}, answer: {says: yes, by: bo}, then: asked}
      - {tool: refund, args: {amount: 400.0, request_id: r-2}, answer: {says: yes, by: bo, verified_by: os}}
  - name: two of two
    steps:
      - {tool: wire, answer: [{says: yes, by: ann}, {says: yes, by: ann}], then: asked}
      - {tool: wire, answer: {says: yes, by: bo}, then: {effect: run, decision: require_approval, rules: [wire]}}
      - {tool: wire, answer: [{says: yes, by: ann}, {says: no, by: bo}], then: refused}
  - name: edits are decided again
    steps:
      - {tool: refund, args: {amount: 400.0}, answer: {says: yes, by: bo, verified_by: os, edit: {amount: 9999.0}}, then: {effect: refused, rules: [huge]}}
      - {tool: refund, args: {amount: 400.0}, answer: {says: yes, by: bo, verified_by: os, edit: [{op: replace, path: /amount, value: 80.0}]}}
  - name: a grant
    steps:
      - {tool: refund, args: {amount: 400.0}, answer: {says: yes, by: bo, verified_by: os, grant: {count: 1}}}
      - {tool: refund, args: {amount: 400.0}, expect: require_approval, then: run}
      - {tool: refund, args: {amount: 400.0}, expect: {decision: deny, rules: [few]}}
"#,
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:#?}");
}

#[test]
fn what_comes_of_an_answer_otherwise_is_told() {
    let ran = tested(
        r#"
version: 1
cases:
  - name: bad
    steps:
      - {tool: refund, args: {amount: 400.0}, expect: allow, answer: yes}
      - {tool: refund, args: {amount: 1.0}, answer: no}
      - {tool: refund, args: {amount: 500.0}, answer: {says: no, note: ask on Monday}, then: run}
"#,
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{ran:#?}");
    assert_eq!(
        ran.stdout,
        "\
failed  bad
        p.tests.yaml:6: step 1, `refund`
          decision: expected allow, found require_approval
          then.effect: expected run, found asked
          by local/big
          because: rule
        p.tests.yaml:7: step 2, `refund`
          answer: expected a call that people are asked about, found run
          because: default
        p.tests.yaml:8: step 3, `refund`
          then.effect: expected run, found refused
          by local/big
          because: ask on Monday
note: no case is decided by local/few, local/huge, local/wire
1 case: 1 failed
"
    );
}

#[test]
fn an_edit_that_the_tool_cannot_take_is_refused_as_in_a_program() {
    let directory = tempfile::tempdir().unwrap();
    let policy = "version: 1\ntools: {pay: {args: {properties: {n: {type: integer}}, additionalProperties: false}}, wire: {}}\nrules: [{id: ask, tools: [pay, wire], decision: require_approval}]\n";
    let cases = "version: 1\ncases:\n  - name: edits\n    steps:\n      - {tool: pay, args: {n: 1}, answer: {says: yes, edit: {m: 5}}, then: {effect: refused, reason_code: call_changed}}\n      - {tool: pay, args: {n: 1}, answer: {says: yes, edit: {m: 5}}, then: run}\n      - {tool: pay, args: {n: 1}, answer: {says: yes, edit: {n: 5}}, then: run}\n      - {tool: wire, args: {n: 1}, answer: {says: yes, edit: {m: 5}}, then: run}\n";
    std::fs::write(directory.path().join("p.yaml"), policy).unwrap();
    std::fs::write(directory.path().join("p.tests.yaml"), cases).unwrap();
    let ran = run(directory.path(), &["policy", "test", "p.yaml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{ran:#?}");
    let failed = "failed  edits\n        p.tests.yaml:6: step 2, `pay`\n          then.effect: expected run, found refused\n          because: people changed `m`, which no parameter of the function takes\n1 case: 1 failed\n";
    assert_eq!(ran.stdout, failed);
}

#[test]
fn moments_and_counts_that_nothing_can_hold_are_refused_as_what_they_are() {
    let start = |moment: &str| format!("{{name: bad, start: {moment}, steps: [{{tool: f, expect: allow}}]}}");
    let usage = |count: &str| {
        format!("{{name: bad, steps: [{{usage: {{prompt_tokens: {count}}}}}, {{tool: f, expect: allow}}]}}")
    };
    let of_moment =
        |moment: &str| format!("`{moment}` is a moment at which no case can begin; write one from 1970 to 2199");
    let of_count =
        |count: &str| format!("`{count}` is no count of tokens; write a whole number from 0 to 9223372036854775807");
    let moments = ["1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2200-01-01T00:00:00Z", "9999-12-31T23:59:59Z"];
    let counts = ["99999999999999999999", "-1", "-99999999999999999999"];
    let moments = moments.iter().map(|moment| (start(&format!("'{moment}'")), of_moment(moment)));
    let counts = counts.iter().map(|count| (usage(count), of_count(count)));
    let others = [(start("'2026-01-01'"), "`2026-01-01` is no moment; write date, time and zone".to_owned())];
    for (case, said) in moments.chain(counts).chain(others) {
        let ran = tested(&format!("version: 1\ncases:\n  - {case}\n"));
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{case}: {ran:#?}");
        assert!(ran.stderr.contains("p.tests.yaml:3:") && ran.stderr.contains(&said), "{case}: {ran:#?}");
    }
    for moment in ["1970-01-01T00:00:00Z", "2199-12-31T23:59:59Z"] {
        let case = start(&format!("'{moment}'"));
        assert_eq!(tested(&format!("version: 1\ncases:\n  - {case}\n")).code, 0, "{moment}");
    }
}

#[test]
fn answers_that_cannot_be_given_are_refused() {
    for (step, said) in [
        ("{tool: wire, answer: maybe}", "`maybe` is none of `yes`, `no`"),
        ("{tool: wire, answer: []}", "`answer` has no answer"),
        ("{tool: wire, answer: {by: ann}}", "`answer` has no `says`"),
        ("{tool: wire, answer: {says: no, edit: {a: 1}}}", "a no has no `edit`"),
        ("{tool: wire, answer: {says: yes, edit: {a: 1}, grant: {count: 2}}}", "give the grant a condition (`when`)"),
        ("{tool: wire, answer: {says: yes, edit: [1]}}", "the edit is no json patch"),
        ("{tool: wire, answer: {says: yes, edit: {}}}", "the edit changes nothing"),
        ("{tool: wire, answer: {says: yes, grant: {}}}", "a grant has an end"),
        ("{tool: wire, answer: {says: yes, grant: {count: 1, when: 'args.x >'}}}", "the grant's condition `args.x >`"),
        ("{tool: wire, answer: {says: yes, byy: ann}}", "`answer` has no key `byy`; did you mean `by`"),
        ("{tool: wire, answer: yes, then: allow}", "`allow` is what the policy says"),
        ("{tool: wire, answer: yes, then: ran}", "`ran` is none of `run`, `refused`, `asked`"),
        ("{tool: wire, answer: yes, then: {}}", "`then` expects nothing"),
        ("{tool: wire, check: true, answer: yes}", "a call that is only asked about has no `answer`"),
        ("{mark: seen, answer: yes}", "`answer` is only of a step with a `tool`"),
    ] {
        let ran = tested(&format!("version: 1\ncases:\n  - {{name: bad, steps: [{step}]}}\n"));
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{step}: {ran:#?}");
        assert!(ran.stderr.contains("p.tests.yaml:3:") && ran.stderr.contains(said), "{step}: {ran:#?}");
    }
}
