//! Buffers that a thread uses for one call after another, so that the hot path allocates nothing.

use std::cell::RefCell;

/// A buffer that grew beyond this is given back, so that one huge call does not hold memory for ever.
const KEPT: usize = 64 << 10;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends an empty buffer to `use_it`; a nested call gets one of its own.
pub(super) fn with_buffer<R>(use_it: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut buffer =
        BUFFER.with(|kept| kept.try_borrow_mut().map(|mut kept| std::mem::take(&mut *kept)).unwrap_or_default());
    buffer.clear();
    let answer = use_it(&mut buffer);
    if buffer.capacity() <= KEPT {
        BUFFER.with(|kept| {
            if let Ok(mut kept) = kept.try_borrow_mut() {
                *kept = buffer;
            }
        });
    }
    answer
}
