//! Seeing a fork without a system call.
//!
//! One private page holds the generation of this process. The kernel wipes it in a forked child (MADV_WIPEONFORK, Linux
//! 4.14); elsewhere a child hook stores 0, which is all it does. A zero therefore means: this process is a fork that has not been
//! here yet, and the next number is taken.

#![expect(unsafe_code, reason = "maps the page that the kernel wipes in a child, and reads it through a raw pointer")]

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// Points to a word that lives as long as the process and is never unmapped.
static PAGE: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());
/// Numbers given so far. Copied by fork, so a child's number is above each its parent had when it was born.
static GIVEN: AtomicU64 = AtomicU64::new(0);

/// The generation of this process: never 0, constant until a fork, and in the child above each that its parent had.
/// Costs two loads.
#[inline]
#[must_use]
pub fn generation() -> u64 {
    let page = PAGE.load(Ordering::Acquire);
    if page.is_null() {
        return read(start());
    }
    // SAFETY: `PAGE` only ever holds null or a pointer from `start`, which is valid for the life of the process.
    read(unsafe { &*page })
}

#[inline]
fn read(word: &AtomicU64) -> u64 {
    match word.load(Ordering::Relaxed) {
        0 => renew(word),
        generation => generation,
    }
}

#[cold]
fn renew(word: &AtomicU64) -> u64 {
    let next = GIVEN.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    match word.compare_exchange(0, next, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => next,
        Err(other) => other,
    }
}

#[cold]
fn start() -> &'static AtomicU64 {
    let fresh = wiped_page().unwrap_or_else(hooked_word);
    let held = match PAGE.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => fresh,
        // another thread was first: its word holds, and ours (a page, once) is left to the end of the process
        Err(other) => other,
    };
    // SAFETY: both come from `wiped_page` or `hooked_word`, which hand out words that are never freed.
    unsafe { &*held }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn wiped_page() -> Option<*mut AtomicU64> {
    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
    // the kernel rounds up to a page
    let size = size_of::<AtomicU64>();
    // SAFETY: a new private mapping at an address of the kernel's choice touches nothing that exists.
    let page =
        unsafe { mmap_anonymous(ptr::null_mut(), size, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE) }.ok()?;
    // SAFETY: exactly the mapping made above.
    if unsafe { madvise(page, size, Advice::LinuxWipeOnFork) }.is_ok() {
        return Some(page.cast());
    }
    // SAFETY: exactly the mapping made above, which nothing refers to yet. A failure leaves one unused page.
    let _unused_page_stays = unsafe { munmap(page, size) };
    None
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn wiped_page() -> Option<*mut AtomicU64> {
    None
}

/// The word of systems that cannot wipe a page; zeroed in the child by [`forget_generation`].
static HOOKED: AtomicU64 = AtomicU64::new(0);

fn hooked_word() -> *mut AtomicU64 {
    unsafe extern "C" {
        fn pthread_atfork(
            prepare: Option<extern "C" fn()>,
            parent: Option<extern "C" fn()>,
            child: Option<extern "C" fn()>,
        ) -> i32;
    }
    // SAFETY: POSIX; the hook is a function that lives for ever and only stores one atomic. A failure (no memory) would
    // leave forks unseen, which is why every spool also carries the pid of its owner and every record its stream.
    let _no_memory = unsafe { pthread_atfork(None, None, Some(forget_generation)) };
    ptr::from_ref(&HOOKED).cast_mut()
}

extern "C" fn forget_generation() {
    HOOKED.store(0, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_constant_in_one_process() {
        let first = generation();
        assert_ne!(first, 0);
        let others: Vec<_> = (0..4).map(|_| std::thread::spawn(generation)).collect();
        for other in others {
            assert_eq!(other.join().expect("a thread that only reads"), first);
        }
    }

    #[test]
    fn a_zeroed_word_is_a_new_generation() {
        let word = AtomicU64::new(0);
        let first = read(&word);
        word.store(0, Ordering::Relaxed);
        assert!(read(&word) > first);
    }

    #[test]
    fn the_hook_zeroes_the_word() {
        HOOKED.store(7, Ordering::Relaxed);
        forget_generation();
        assert_eq!(HOOKED.load(Ordering::Relaxed), 0);
    }
}
