//! The shared state of a home: one transaction over 1 and 4 entries that are held and changed, as a call under a budget, a rate limit, a
//! loop and a session's facts makes it. `--home DIR`.

use crate::Figures;
use crate::timing::{Piece, time, to_json};
use counterseal::clock::UnixNanos;
use counterseal::ledger::{Entropy, Home};
use counterseal::state::{Key, Kind, Options, State, StateError};
use std::cell::Cell;
use std::hint::black_box;
use std::path::PathBuf;

/// Words of each entry.
const WORDS: usize = 8;

pub(crate) fn run(arguments: &[String]) -> Figures {
    let place = tempfile::tempdir()?;
    let home = match arguments {
        [name, home] if name == "--home" => PathBuf::from(home),
        [] => place.path().to_owned(),
        other => return Err(format!("unknown argument `{}`", other.join(" ")).into()),
    };
    let state = State::open(&Home::open_or_create(&home, &mut Entropy::system())?, &Options::default())?;
    let keys = |session: u64| -> [Key; 4] {
        let session = session.to_le_bytes();
        [(Kind::Session, "s"), (Kind::Budget, "spend"), (Kind::Rate, "mail"), (Kind::Loop, "same")]
            .map(|(kind, id)| state.key(kind, &[b"local", id.as_bytes(), &session]))
    };
    let clock = Cell::new(1_000_000_000_i64);
    let now = || UnixNanos(clock.replace(clock.get() + 1000));
    let touch = |keys: &[Key]| {
        state.transaction(keys, now(), |entries| {
            for entry in entries {
                if entry.len() < WORDS {
                    entry.resize(WORDS)?;
                }
                entry.set(0, entry.get(0) + 1)?;
                entry.set(1, entry.now().0.cast_unsigned())?;
                entry.set(2 + entry.get(0) as usize % (WORDS - 2), 7)?;
            }
            Ok::<_, StateError>(())
        })
    };
    // a home that was in use: the sessions asked for again lie anywhere
    let sessions = 20_000_u64;
    for session in 0..sessions {
        touch(&keys(session))?;
    }
    let hot = keys(7);
    let next = Cell::new(1_u64);
    let any: Vec<[Key; 4]> = (0..sessions).map(keys).collect();
    let figures = time(vec![
        Piece::new("one entry", || touch(black_box(&hot).get(..1).unwrap_or_default()).is_ok()),
        Piece::new("four entries", || touch(black_box(&hot)).is_ok()),
        Piece::new("four entries of any of 20,000 sessions", || {
            next.set(next.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
            any.get((next.get() >> 33) as usize % any.len()).is_some_and(|keys| touch(keys).is_ok())
        }),
        Piece::new("four entries looked at", || {
            let looked = state.transaction(black_box(&hot), now(), |entries| {
                Ok::<_, StateError>(entries.iter().map(|entry| entry.get(0)).sum::<u64>())
            });
            looked.unwrap_or_default()
        }),
        Piece::new("four keys", || keys(black_box(7))),
    ]);
    Ok(serde_json::json!({"pieces": to_json(&figures)}))
}
