//! Ids of calls: 128 random bits from a block of the system's generator, refilled when used up and dropped on fork.

use crate::ledger::ActionId;
use counterseal_spool::generation;
use std::cell::RefCell;

/// Ids taken from the system at once; one system call costs more than making a hundred ids.
const BLOCK: usize = 256;

struct Pool {
    block: [[u8; 16]; BLOCK],
    used: usize,
    generation: u64,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { block: [[0; 16]; BLOCK], used: BLOCK, generation: 0 }) };
}

/// A fresh id; `None` where the system gives no randomness, in which case no call may run.
pub(super) fn next() -> Option<ActionId> {
    POOL.with_borrow_mut(|pool| {
        // a forked child starts with its parent's pool: without this both would hand out the same ids
        let process = generation();
        if pool.generation != process {
            pool.used = BLOCK;
            pool.generation = process;
        }
        if pool.used >= BLOCK {
            getrandom::fill(pool.block.as_flattened_mut()).ok()?;
            pool.used = 0;
        }
        let id = pool.block.get_mut(pool.used)?;
        pool.used += 1;
        Some(ActionId(std::mem::take(id)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_differ_across_blocks_and_threads() {
        let collect = || (0..3 * BLOCK).map(|_| next().unwrap().0).collect::<Vec<_>>();
        let other = std::thread::spawn(collect).join().unwrap();
        let mut all: HashSet<_> = collect().into_iter().collect();
        all.extend(other);
        assert_eq!(all.len(), 6 * BLOCK);
    }
}
