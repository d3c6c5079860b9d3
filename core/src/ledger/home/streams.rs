//! The streams of a home: made, and listed.

use super::{Home, make_directory};
use crate::error::Error;
use crate::ledger::files::io_error;
use crate::ledger::id::StreamId;
use std::io::ErrorKind;
use std::path::PathBuf;

impl Home {
    /// Makes the directory of a stream, 0700.
    ///
    /// # Errors
    /// [`ErrorCode::HomeUnusable`] where it cannot be made.
    pub fn make_stream(&self, stream: StreamId) -> Result<PathBuf, Error> {
        let path = self.stream_path(stream);
        make_directory(&path)?;
        Ok(path)
    }

    /// Makes the directory of approvals, 0700, if it is not there.
    ///
    /// # Errors
    /// [`ErrorCode::HomeUnusable`] where it cannot be made.
    pub fn make_approvals(&self) -> Result<(), Error> {
        make_directory(&self.approvals_path())
    }

    /// All streams that have a directory, in the order of their ids.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where the directory cannot be read.
    pub fn streams(&self) -> Result<Vec<StreamId>, Error> {
        let path = self.streams_path();
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io_error(&path, "read", &error)),
        };
        let mut streams = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| io_error(&path, "read", &error))?;
            if let Some(stream) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
                streams.push(stream);
            }
        }
        streams.sort_unstable();
        Ok(streams)
    }

    /// The numbers of a stream's segments, growing.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where the stream's directory cannot be read.
    pub fn segments(&self, stream: StreamId) -> Result<Vec<u32>, Error> {
        let path = self.stream_path(stream);
        let entries = std::fs::read_dir(&path).map_err(|error| io_error(&path, "read", &error))?;
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| io_error(&path, "read", &error))?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
            numbers.extend(number.and_then(|number| number.parse::<u32>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}
