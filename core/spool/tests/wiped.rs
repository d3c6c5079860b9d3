//! Nothing that was given back stays in the file, and another process sees when that is so.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use counterseal_spool::{Consumer, Extent, Identity, Read, Spool, read_extent};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const IDENTITY: Identity = Identity { stream: [7; 16], nonce: [9; 16], boot: [3; 16], pid: 42 };
const HEADER: usize = 4096;

type Make = fn(&Path, usize, &Identity) -> std::io::Result<(Arc<Spool>, Consumer)>;

/// Three laps of records of every size, given back after every third: at no moment does the file hold a byte of one that was.
fn holds_only_what_was_not_released(make: Make) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let (spool, mut consumer) = make(&path, 4096, &IDENTITY).unwrap();
    let mut waiting = Vec::new();
    for nth in 0..120_u8 {
        let text = [b"secret", [b'A' + nth % 26, b'0' + nth / 26].as_slice()].concat();
        let payload = text.repeat(1 + usize::from(nth) * 7 % 23);
        spool.append(1, payload.len(), Duration::ZERO, |place| place.copy_from_slice(&payload)).unwrap();
        waiting.push(text);
        if nth % 3 != 2 {
            continue;
        }
        // the last one stays, so that a plain file is not simply cut
        for _ in 1..waiting.len() {
            assert!(matches!(consumer.read().unwrap(), Read::Record { .. }));
        }
        let head = spool.head();
        consumer.release(1, 0).unwrap();
        let released: Vec<Vec<u8>> = waiting.drain(..waiting.len() - 1).collect();
        let file = std::fs::read(&path).unwrap();
        let room = file.get(HEADER..).unwrap();
        for text in released {
            assert!(!room.windows(text.len()).any(|place| place == text), "{}", String::from_utf8_lossy(&text));
        }
        for text in &waiting {
            assert!(room.windows(text.len()).any(|place| place == text));
        }
        assert_eq!(read_extent(&path).unwrap(), Some(Extent { pid: 42, head, tail: spool.released() }));
    }
    while consumer.read().unwrap() != Read::Empty {}
    consumer.release(1, 0).unwrap();
    assert!(std::fs::read(&path).unwrap().get(HEADER..).unwrap().iter().all(|byte| *byte == 0));
    let extent = read_extent(&path).unwrap().unwrap();
    assert_eq!(extent.tail, extent.head);
}

#[test]
fn a_ring_holds_only_what_was_not_released() {
    holds_only_what_was_not_released(Spool::create);
}

#[test]
fn a_plain_spool_holds_only_what_was_not_released() {
    holds_only_what_was_not_released(Spool::create_plain);
}
