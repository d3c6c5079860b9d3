//! A real fork: the child sees it at once, is refused, and leaves its parent's spool alone.

#![expect(unsafe_code, reason = "forks")]

use counterseal_spool::{AppendError, Identity, Read, Spool, generation};
use std::time::Duration;

unsafe extern "C" {
    fn fork() -> i32;
    fn _exit(status: i32) -> !;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
}

/// Runs `child` in a forked process and gives its exit status.
fn in_child(child: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child runs only `child` and `_exit`s; what it does needs no lock that another thread could hold.
    unsafe {
        match fork() {
            0 => _exit(child()),
            pid => {
                let mut status = 0;
                assert_eq!(waitpid(pid, &raw mut status, 0), pid);
                assert_eq!(status & 0x7f, 0, "the child died of signal {}", status & 0x7f);
                status >> 8
            }
        }
    }
}

#[test]
fn a_child_is_told_and_the_parent_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let identity = Identity { stream: [1; 16], nonce: [2; 16], boot: [0; 16], pid: 1 };
    let (spool, mut consumer) = Spool::create(&home.path().join("spool"), 4096, &identity).unwrap();
    let own = generation();
    spool.append(2, 1, Duration::ZERO, |place| place.fill(1)).unwrap();

    let status = in_child(|| {
        let refused = spool.append(2, 1, Duration::ZERO, |place| place.fill(2));
        let told = matches!(refused, Err(AppendError::Forked));
        let higher = generation() > own && generation() == generation();
        let grandchild = in_child(|| i32::from(generation() > own + 1));
        i32::from(told && higher && grandchild == 1 && spool.released() == 0 && spool.statistics().capacity == 0)
    });
    assert_eq!(status, 1);

    assert_eq!(generation(), own);
    spool.append(2, 1, Duration::ZERO, |place| place.fill(3)).unwrap();
    assert_eq!(consumer.read().unwrap(), Read::Record { kind: 2, payload: &[1] });
    assert_eq!(consumer.read().unwrap(), Read::Record { kind: 2, payload: &[3] });
    assert_eq!(consumer.read().unwrap(), Read::Empty);
}

#[test]
fn a_child_that_drops_its_parents_spool_unmaps_nothing() {
    let home = tempfile::tempdir().unwrap();
    let identity = Identity { stream: [1; 16], nonce: [2; 16], boot: [0; 16], pid: 1 };
    let mut made = Some(Spool::create(&home.path().join("spool"), 1 << 20, &identity).unwrap());
    let status = in_child(|| {
        // the child's own mapping may lie where the parent's was
        let (spool, mut consumer) = Spool::create(&home.path().join("child"), 1 << 20, &identity).unwrap();
        drop(made.take());
        spool.append(2, 1, Duration::ZERO, |place| place.fill(7)).unwrap();
        i32::from(consumer.read().unwrap() == Read::Record { kind: 2, payload: &[7] })
    });
    assert_eq!(status, 1);
}
