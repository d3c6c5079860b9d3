//! The command line as its users meet it: the built binary, its streams and its exit codes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod approvals;
mod documentation;
mod exits;
mod help;
mod history_with_people;
mod init;
mod ledger;
mod made_home;
mod policy;
mod policy_history;
mod policy_test;
mod running;
