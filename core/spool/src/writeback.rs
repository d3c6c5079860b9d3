//! Starts the disk on what was just written, so that a later sync waits less.

#![expect(unsafe_code, reason = "a Linux system call without a safe wrapper")]

use std::fs::File;

/// Asks the kernel to begin writing `length` bytes of `file` from `offset` to the disk. It neither waits nor promises anything:
/// only a sync does. Where the system has no such call, nothing happens.
pub fn start_writeback(file: &File, offset: u64, length: u64) {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd as _;
        /// `SYNC_FILE_RANGE_WRITE` of `linux/fs.h`.
        const WRITE: u32 = 2;
        unsafe extern "C" {
            fn sync_file_range(fd: i32, offset: i64, length: i64, flags: u32) -> i32;
        }
        // SAFETY: takes a descriptor, which `file` keeps open, and numbers; touches no memory of this process.
        let _is_only_earlier =
            unsafe { sync_file_range(file.as_raw_fd(), offset.cast_signed(), length.cast_signed(), WRITE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, offset, length);
}
