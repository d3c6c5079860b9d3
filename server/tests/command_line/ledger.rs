//! `ledger verify | tail | show | erase`.

use crate::made_home::{action, make};
use crate::running::{Ran, run};
use std::path::Path;
use tempfile::TempDir;

fn made() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    make(&directory.path().join("home"), &directory.path().join("outside"));
    directory
}

fn ledger(directory: &Path, arguments: &[&str]) -> Ran {
    let mut all = vec!["ledger"];
    all.extend(arguments);
    run(directory, &all)
}

/// The first segment's file of the stream that holds `text`.
fn segment_with(directory: &Path, text: &str) -> std::path::PathBuf {
    let streams = std::fs::read_dir(directory.join("home/streams")).unwrap();
    let files = streams.map(|stream| stream.unwrap().path().join("000001.jsonl"));
    files.into_iter().find(|file| std::fs::read_to_string(file).unwrap().contains(text)).unwrap()
}

#[test]
fn a_whole_ledger_verifies_with_and_without_what_is_held_outside() {
    let directory = made();
    let ran = ledger(directory.path(), &["verify"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:#?}");
    assert!(ran.stdout.contains("the ledger verifies: "), "{ran:#?}");
    assert!(ran.stdout.contains("not compared with any checkpoint held outside"), "{ran:#?}");
    let key = run(directory.path(), &["init", "--json"]).json()["home"]["first_key"].as_str().unwrap().to_owned();
    let ran = ledger(directory.path(), &["verify", "--deep", "--checkpoints", "outside", "--key", &key, "--json"]);
    let document = ran.json();
    assert_eq!((ran.code, &document["ok"]), (0, &true.into()), "{ran:#?}");
    assert_eq!((document["streams"].as_u64(), document["payloads"].as_u64()), (Some(2), Some(6)));
    assert_eq!(document["problems"], serde_json::json!([]));
}

#[test]
fn a_flipped_byte_is_exit_code_1_and_names_the_record() {
    let directory = made();
    let file = segment_with(directory.path(), "\"u-1\"");
    let mut text = std::fs::read(&file).unwrap();
    let at = text.windows(5).position(|window| window == b"\"u-1\"").unwrap();
    text[at + 3] = b'9';
    std::fs::write(&file, text).unwrap();
    let ran = ledger(directory.path(), &["verify"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{ran:#?}");
    assert!(ran.stdout.starts_with("record_changed: streams/"), "{ran:#?}");
    assert!(ran.stdout.contains("the ledger does not verify"), "{ran:#?}");
    let document = ledger(directory.path(), &["verify", "--json"]).json();
    assert_eq!((&document["ok"], &document["problems"][0]["place"]["seq"]), (&false.into(), &3.into()));
}

#[test]
fn another_first_key_is_a_finding() {
    let directory = made();
    let stranger = tempfile::tempdir().unwrap();
    let key = run(stranger.path(), &["init", "--json"]).json()["home"]["first_key"].as_str().unwrap().to_owned();
    let ran = ledger(directory.path(), &["verify", "--key", &key]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(ran.stdout.contains("first_key_mismatch"), "{ran:#?}");
}

#[test]
fn tail_shows_the_last_records_and_filters() {
    let directory = made();
    let ran = ledger(directory.path(), &["tail", "-n", "3"]);
    assert_eq!((ran.code, ran.stderr.as_str(), ran.stdout.lines().count()), (0, "", 3), "{ran:#?}");
    assert!(ran.stdout.lines().last().unwrap().contains("closed"), "{ran:#?}");
    let document = ledger(directory.path(), &["tail", "--decision", "deny", "--payloads", "--json"]).json();
    let records = document["records"].as_array().unwrap();
    assert_eq!(records.len(), 2);
    assert_eq!(records[1]["record"]["action_id"], action(6).to_string());
    assert_eq!(records[1]["payloads"]["arguments"]["state"], "kept");
    assert_eq!(records[1]["payloads"]["arguments"]["value"]["amount"], 240);
    let document = ledger(directory.path(), &["tail", "--kind", "policy", "--kind", "opened", "--json"]).json();
    assert_eq!(document["records"].as_array().unwrap().len(), 4);
    let ran = ledger(directory.path(), &["tail", "--tool", "other"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "no such record\n"));
}

#[test]
fn the_record_in_json_is_the_exact_line() {
    let directory = made();
    let ran = ledger(directory.path(), &["tail", "-n", "100", "--json"]);
    for stream in std::fs::read_dir(directory.path().join("home/streams")).unwrap() {
        for line in std::fs::read_to_string(stream.unwrap().path().join("000001.jsonl")).unwrap().lines() {
            assert!(ran.stdout.contains(line), "{line}");
        }
    }
}

#[test]
fn show_tells_everything_of_one_call() {
    let directory = made();
    let id = action(2).to_string();
    let ran = ledger(directory.path(), &["show", &id]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:#?}");
    for said in ["decided", "completed", "issue_refund", r#"{"amount":80,"order_id":"ord_2"}"#, "success"] {
        assert!(ran.stdout.contains(said), "{said} in {ran:#?}");
    }
    let document = ledger(directory.path(), &["show", &id, "--json"]).json();
    assert_eq!(document["records"].as_array().unwrap().len(), 2);
    let ran = ledger(directory.path(), &["show", &action(200).to_string()]);
    assert_eq!(ran.code, 3, "{ran:#?}");
    assert!(ran.stderr.contains("has the action id"), "{ran:#?}");
    assert_eq!(ledger(directory.path(), &["show", "zz"]).code, 2);
}

#[test]
fn erasing_takes_the_values_and_leaves_a_ledger_that_verifies() {
    let directory = made();
    let erase = ["erase", "--user", "u-2", "--reason", "asked for", "--by", "dpo"];
    let ran = ledger(directory.path(), &erase);
    assert_eq!(ran.code, 2, "{ran:#?}");
    assert!(ran.stderr.contains("give `--yes` to erase"), "{ran:#?}");
    let mut sure = erase.to_vec();
    sure.extend(["--yes", "--json", "--checkpoints", "outside"]);
    let ran = ledger(directory.path(), &sure);
    assert_eq!((ran.code, ran.json()["payloads"].as_u64()), (0, Some(3)), "{ran:#?}");
    assert_eq!(ledger(directory.path(), &sure).json()["payloads"], 0);
    let ran = ledger(directory.path(), &["show", &action(5).to_string()]);
    assert!(ran.stdout.contains("erased") && !ran.stdout.contains("ord_5"), "{ran:#?}");
    let ran = ledger(directory.path(), &["show", &action(1).to_string()]);
    assert!(ran.stdout.contains("ord_1"), "{ran:#?}");
    let ran = ledger(directory.path(), &["verify", "--deep", "--checkpoints", "outside", "--json"]);
    assert_eq!((ran.code, ran.json()["erased"].as_u64()), (0, Some(3)), "{ran:#?}");
    let document = ledger(directory.path(), &["tail", "--kind", "erased", "--json"]).json();
    assert_eq!(document["records"][0]["record"]["by"], "dpo");
}

#[test]
fn an_erasure_needs_whose_why_and_by_whom() {
    let directory = made();
    for arguments in [
        vec!["erase", "--reason", "r", "--by", "b", "--yes"],
        vec!["erase", "--user", "u-1", "--by", "b", "--yes"],
        vec!["erase", "--user", "u-1", "--reason", " ", "--by", "b", "--yes"],
        vec!["erase", "--user", "u-1", "--session", "conv-2", "--reason", "r", "--by", "b", "--yes"],
    ] {
        let ran = ledger(directory.path(), &arguments);
        assert_eq!(ran.code, 2, "{ran:#?}");
    }
    let ran = ledger(directory.path(), &["erase", "--user", "nobody", "--reason", "r", "--by", "b", "--yes"]);
    assert_eq!(ran.code, 3, "{ran:#?}");
    assert_eq!(ledger(directory.path(), &["verify", "--deep", "--json"]).json()["erased"], 0);
}

#[test]
fn a_file_of_checkpoints_that_cannot_be_written_is_told_before_anything_is_recorded() {
    let directory = made();
    let erase = ["erase", "--user", "u-1", "--reason", "r", "--by", "b", "--yes", "--checkpoints", "nowhere/outside"];
    let ran = ledger(directory.path(), &erase);
    assert_eq!(ran.code, 3, "{ran:#?}");
    assert!(ran.stderr.contains("nowhere/outside"), "{ran:#?}");
    let document = ledger(directory.path(), &["verify", "--deep", "--json"]).json();
    assert_eq!((&document["ok"], &document["erased"]), (&true.into(), &0.into()), "{document}");
    assert_eq!(ledger(directory.path(), &["tail", "--kind", "erased"]).stdout, "no such record\n");
}
