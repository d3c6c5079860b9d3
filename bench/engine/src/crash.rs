//! The program that is killed: it records a call, then writes the call's number to a file with write(2), as a tool's body
//! would act on the world. Whatever number is in the file must be in the ledger.
//!
//! `--home DIR`, `--acts FILE` (appended to), `--spool BYTES`, `--children N` (forked once the first call was recorded; each goes on
//! like its parent), `--calls N` (then it closes and ends; 0: until it is killed), `--patience MS` (in a full spool).

#![expect(unsafe_code, reason = "forks without exec, as host programs do")]

use crate::Figures;
use counterseal::ledger::{Ledger, Options, Part};
use serde_json::json;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

unsafe extern "C" {
    fn fork() -> i32;
}

pub(crate) fn run(arguments: &[String]) -> Figures {
    let mut home = PathBuf::from("crash");
    let mut acts = PathBuf::from("crash-acts");
    let (mut spool, mut children, mut calls) = (4_usize << 20, 0_u32, 0_u64);
    let mut patience = 30_000;
    for pair in arguments.chunks(2) {
        match pair {
            [name, value] if name == "--home" => home = PathBuf::from(value),
            [name, value] if name == "--acts" => acts = PathBuf::from(value),
            [name, value] if name == "--spool" => spool = value.parse()?,
            [name, value] if name == "--children" => children = value.parse()?,
            [name, value] if name == "--calls" => calls = value.parse()?,
            [name, value] if name == "--patience" => patience = value.parse()?,
            other => return Err(format!("unknown argument `{}`", other.join(" ")).into()),
        }
    }
    let options = Options {
        spool_bytes: spool,
        segment_bytes: 1 << 20,
        patience: Duration::from_millis(patience),
        ..Options::default()
    };
    let ledger = Ledger::open(&home, options)?;
    // one write(2) of 16 bytes a line: appends of several processes stay apart, and none crosses a page, where a kill may cut it
    let mut acts = OpenOptions::new().append(true).create(true).open(acts)?;
    let mut call = move |ledger: &Ledger, who: u32, number: u64| -> Figures {
        let id = format!("{who}-{number}");
        let arguments = format!("{{\"number\":\"{id}\"}}");
        let parts = [Part { name: "arguments", canonical: arguments.as_bytes() }];
        let seed = u64::from(std::process::id()) << 32 | number;
        crate::ledger::decided(ledger, seed, Some(&id), &parts)?;
        acts.write_all(format!("{id:<15}\n").as_bytes())?;
        crate::ledger::completed(ledger, seed)?;
        Ok(json!(null))
    };
    let who = std::process::id();
    call(&ledger, who, 0)?;
    for _ in 0..children {
        // SAFETY: the child uses nothing that another thread of its parent could hold locked: that is what is tested.
        if unsafe { fork() } == 0 {
            break;
        }
    }
    let who = std::process::id();
    let mut number = 1;
    while calls == 0 || number < calls {
        call(&ledger, who, number)?;
        number += 1;
    }
    ledger.close(Duration::from_secs(60))?;
    Ok(json!({"calls": number}))
}
