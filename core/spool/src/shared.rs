//! A file of words that processes share: mapped once, grown in place.
//!
//! Unlike a spool it is meant for forked children too: they inherit the mapping.

#![expect(unsafe_code, reason = "maps a file and hands out its words")]

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::fs::File;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const WORD: usize = size_of::<u64>();

/// The words of a file, up to where the file reaches. The file may grow up to what was reserved, by this or another process,
/// and never shrinks.
#[derive(Debug)]
pub struct SharedWords {
    file: File,
    base: NonNull<AtomicU64>,
    /// Words of address space.
    reserved: usize,
    /// Words that the file is known to reach; never more than `reserved`.
    reached: AtomicUsize,
}

// SAFETY: the memory is reached through atomics only.
unsafe impl Send for SharedWords {}
// SAFETY: as above.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// Maps `file`, which was opened for reading and writing, with address space for `bytes` of it.
    ///
    /// # Errors
    /// `ENODEV` on a file system without shared mappings; whatever else fstat and mmap say.
    pub fn map(file: File, bytes: usize) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists. What lies behind the end of the file is
        // address space only: `range` lends nothing of it.
        let base =
            unsafe { mmap(ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &file, 0) }?;
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mmap gave the null address"))?;
        let words = Self { file, base, reserved: bytes / WORD, reached: AtomicUsize::new(0) };
        words.look_how_far()?;
        Ok(words)
    }

    /// The words from `start` on, `length` of them; `None` where the file does not reach.
    ///
    /// A file that somebody else cuts short while it is mapped ends the process with SIGBUS, as every mapped file does; so does writing to a hole
    /// on a full disk, which [`SharedWords::allocate`] is for.
    #[inline]
    #[must_use]
    pub fn range(&self, start: usize, length: usize) -> Option<&[AtomicU64]> {
        let end = start.checked_add(length)?;
        if end > self.reached.load(Ordering::Relaxed) && !self.reaches(end) {
            return None;
        }
        // SAFETY: `end` is at most `reached`, which is within both the mapping and the file; the base is aligned to a page; any
        // bits are a valid u64; the mapping lives as long as `self`.
        Some(unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(start), length) })
    }

    /// The word at `index`; `None` where the file does not reach.
    #[inline]
    #[must_use]
    pub fn word(&self, index: usize) -> Option<&AtomicU64> {
        self.range(index, 1)?.first()
    }

    #[cold]
    fn reaches(&self, end: usize) -> bool {
        end <= self.reserved && self.look_how_far().is_ok() && end <= self.reached.load(Ordering::Relaxed)
    }

    fn look_how_far(&self) -> io::Result<()> {
        let bytes = self.file.metadata()?.len();
        let words = usize::try_from(bytes).unwrap_or(usize::MAX) / WORD;
        self.reached.fetch_max(words.min(self.reserved), Ordering::Relaxed);
        Ok(())
    }

    /// Takes room on the disk for `length` words from `start` on, which nobody uses yet, and makes the file reach them. Bytes that were never
    /// written read 0; on a system without such a call they are written 0.
    ///
    /// # Errors
    /// What the file system says, `ENOSPC` for one; `EFBIG` behind what was reserved. Nothing is worse than before then.
    pub fn allocate(&self, start: usize, length: usize) -> io::Result<()> {
        let end = start.checked_add(length).filter(|end| *end <= self.reserved);
        let end = end.ok_or_else(|| io::Error::from(rustix::io::Errno::FBIG))?;
        take_room(&self.file, start as u64 * WORD as u64, length as u64 * WORD as u64)?;
        if self.reaches(end) { Ok(()) } else { Err(io::Error::other("the file did not grow")) }
    }

    /// Makes pages writable ahead of use (a first touch costs microseconds each). Only ever faster.
    pub fn populate(&self, start: usize, length: usize) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(words) = self.range(start, length) {
            use rustix::mm::{Advice, madvise};
            let address = words.as_ptr().cast_mut().cast();
            // SAFETY: within this mapping and the file; MADV_POPULATE_WRITE faults pages in and changes no byte. It wants the address of
            // a page and says so otherwise.
            let _is_only_faster = unsafe { madvise(address, length * WORD, Advice::LinuxPopulateWrite) };
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let _ = (start, length);
    }

    /// How many words the file reaches.
    ///
    /// # Errors
    /// What fstat says.
    pub fn length(&self) -> io::Result<usize> {
        self.look_how_far()?;
        Ok(self.reached.load(Ordering::Relaxed))
    }

    /// Waits until the disk has what was stored.
    ///
    /// # Errors
    /// What the disk says.
    pub fn sync(&self) -> io::Result<()> {
        let bytes = self.length()? * WORD;
        // SAFETY: exactly the part of this mapping that the file reaches.
        unsafe { rustix::mm::msync(self.base.as_ptr().cast(), bytes, rustix::mm::MsyncFlags::SYNC) }?;
        Ok(())
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: exactly this mapping, which a forked child has a copy of its own of; `self` is going, so nothing of it is lent.
        let _stays_mapped = unsafe { munmap(self.base.as_ptr().cast(), self.reserved * WORD) };
    }
}

/// Takes `length` bytes at `offset` on the disk without changing what was written there.
fn take_room(file: &File, offset: u64, length: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::io::Errno;
        loop {
            match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), offset, length) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    let zeros = [0u8; 4096];
    let mut done = 0;
    while done < length {
        let step = (length - done).min(zeros.len() as u64);
        file.write_all_at(zeros.get(..step as usize).unwrap_or(&zeros), offset + done)?;
        done += step;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> File {
        tempfile::tempfile().unwrap()
    }

    #[test]
    fn lends_what_the_file_reaches_and_nothing_else() {
        let words = SharedWords::map(file(), 1 << 20).unwrap();
        assert!(words.word(0).is_none());
        words.allocate(0, 512).unwrap();
        assert_eq!(words.length().unwrap(), 512);
        assert_eq!(words.word(511).unwrap().load(Ordering::Relaxed), 0);
        assert!(words.word(512).is_none() && words.range(500, 13).is_none() && words.range(usize::MAX, 2).is_none());
        words.word(511).unwrap().store(7, Ordering::Relaxed);
        words.allocate(512, 512).unwrap();
        assert_eq!(words.word(511).unwrap().load(Ordering::Relaxed), 7);
        assert_eq!(words.word(1023).unwrap().load(Ordering::Relaxed), 0);
        assert!(words.allocate(1 << 17, 1).is_err(), "behind what was reserved");
        words.sync().unwrap();
    }

    #[test]
    fn sees_what_another_mapping_of_the_file_does_and_grows_with_it() {
        let file = file();
        let one = SharedWords::map(file.try_clone().unwrap(), 1 << 20).unwrap();
        let other = SharedWords::map(file, 1 << 20).unwrap();
        one.allocate(0, 1024).unwrap();
        one.word(1000).unwrap().store(5, Ordering::Relaxed);
        assert_eq!(other.word(1000).unwrap().load(Ordering::Relaxed), 5);
    }
}
