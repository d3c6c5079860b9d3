//! A process's stream from its first record to its recovery, on a real disk.

mod dying;
mod erasing;
mod reading;
mod recovery;
mod writing;
