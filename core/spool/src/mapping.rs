//! A file mapped shared: the raw memory under a ring.

#![expect(unsafe_code, reason = "maps a file and hands out its words")]

use crate::fork::generation;
use crate::layout::HEADER;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::fs::File;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;

/// A shared mapping of `length` bytes that is not inherited by forked children.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    length: usize,
    /// The generation that may touch it.
    generation: u64,
}

// SAFETY: the memory is shared between threads by design; everything that several threads touch goes through atomics, the
// rest through `bytes` and `bytes_mut`, whose callers answer for exclusion.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `length` bytes of `file`, which must be allocated that far: a hole would be SIGBUS on a full disk.
    ///
    /// # Errors
    /// `ENODEV` on a file system without shared mappings; whatever else mmap says.
    pub(crate) fn shared(file: &File, length: usize) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let base =
            unsafe { mmap(ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, file, 0) }?;
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mmap gave the null address"))?;
        let mapping = Self { base, length, generation: generation() };
        mapping.keep_from_children();
        mapping.touch_where_the_kernel_cannot();
        Ok(mapping)
    }

    /// Whether this process is the one that made the mapping, and not a child forked from it.
    #[inline]
    pub(crate) fn is_ours(&self) -> bool {
        generation() == self.generation
    }

    /// Makes every page writable ahead of use (a first touch costs microseconds). Where the kernel cannot do it without
    /// disturbing writers, it was done when the mapping was made.
    pub(crate) fn populate(&self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::mm::{Advice, madvise};
            // SAFETY: exactly this mapping; MADV_POPULATE_WRITE faults pages in and changes no byte.
            let _is_only_faster =
                unsafe { madvise(self.base.as_ptr().cast(), self.length, Advice::LinuxPopulateWrite) };
        }
    }

    /// The word at `offset`.
    ///
    /// # Safety
    /// `offset` is a multiple of 8 and `offset + 8` is within the mapping.
    #[inline]
    pub(crate) unsafe fn word(&self, offset: usize) -> &AtomicU64 {
        debug_assert!(offset.is_multiple_of(8) && offset + 8 <= self.length, "a word outside the mapping");
        // SAFETY: within the mapping and aligned by contract (the base is page-aligned); any bits are a valid u64; the
        // memory lives as long as `self`.
        unsafe { &*self.base.as_ptr().add(offset).cast::<AtomicU64>() }
    }

    /// `length` bytes at `offset`.
    ///
    /// # Safety
    /// The range is within the mapping and nobody writes to it while the slice lives.
    pub(crate) unsafe fn bytes(&self, offset: usize, length: usize) -> &[u8] {
        debug_assert!(offset + length <= self.length, "bytes outside the mapping");
        // SAFETY: by contract.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(offset), length) }
    }

    /// `length` bytes at `offset`, to be written.
    ///
    /// # Safety
    /// The range is within the mapping and nobody else reads or writes it while the slice lives.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "the ring hands each range to one producer; the caller answers for it")]
    pub(crate) unsafe fn bytes_mut(&self, offset: usize, length: usize) -> &mut [u8] {
        debug_assert!(offset + length <= self.length, "bytes outside the mapping");
        // SAFETY: by contract.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr().add(offset), length) }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn keep_from_children(&self) {
        use rustix::mm::{Advice, madvise};
        // SAFETY: exactly this mapping. A refusal is harmless: every use asks `is_ours` first; this only makes a mistake loud.
        let _is_only_stricter = unsafe { madvise(self.base.as_ptr().cast(), self.length, Advice::LinuxDontFork) };
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn keep_from_children(&self) {}

    /// Kernels before 5.14 have no MADV_POPULATE_WRITE. There the pages are touched here, while nobody else knows of the
    /// mapping: a touch later would race with producers.
    fn touch_where_the_kernel_cannot(&self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::mm::{Advice, madvise};
            // SAFETY: the header page of this mapping; changes no byte.
            let known = unsafe { madvise(self.base.as_ptr().cast(), HEADER, Advice::LinuxPopulateWrite) };
            if known.is_ok() {
                return;
            }
        }
        for offset in (0..self.length).step_by(HEADER) {
            // SAFETY: in range, and not shared yet. Volatile, because the compiler would drop a store of the same value.
            unsafe {
                let byte = self.base.as_ptr().add(offset);
                byte.write_volatile(byte.read_volatile());
            }
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // In a child the range is not mapped, or holds something newer.
        if self.is_ours() {
            // SAFETY: exactly this mapping; `self` is going, so no reference into it lives.
            let _stays_mapped = unsafe { munmap(self.base.as_ptr().cast(), self.length) };
        }
    }
}
