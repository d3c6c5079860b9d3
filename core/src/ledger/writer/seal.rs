//! Checkpoints of a live stream, and its end.

use super::Writer;
use crate::error::Error;
use crate::ledger::files::{io_error, sync_directory};
use crate::ledger::index::IndexLine;
use crate::ledger::ratchet::checkpoint;
use std::time::{Duration, Instant};

/// Checkpoints are not made more often, however many records there are: each costs half a dozen syncs.
const SHORTEST: Duration = Duration::from_secs(1);

impl Writer {
    pub(super) fn checkpoint_due(&self) -> bool {
        let (Some(open), Some(since)) = (&self.segment, self.seals.uncovered_since) else { return false };
        let uncovered = (open.appender.position().seq - 1).saturating_sub(self.seals.covered);
        let rested = self.seals.last.is_none_or(|last| last.elapsed() >= SHORTEST);
        uncovered > 0
            && rested
            && (since.elapsed() >= self.options.checkpoint_age || uncovered >= self.options.checkpoint_records)
    }

    /// Seals what is written and signs it.
    pub(super) fn checkpoint(&mut self) -> Result<(), Error> {
        let time = self.options.clock.now();
        let Some(open) = &self.segment else { return Ok(()) };
        let line = IndexLine::Sealed(open.appender.seal(time));
        self.seals.last = Some(Instant::now());
        self.sign(line)
    }

    /// Ends the stream: its last record, the segment's last line, a checkpoint; then the spool goes.
    pub(super) fn close(&mut self) -> Result<(), Error> {
        let time = self.options.clock.now();
        if let Some(open) = &mut self.segment {
            if !self.seals.closed {
                let status = self.control.status();
                let counted: Vec<(&str, u64)> =
                    status.counted.iter().map(|(name, count)| (name.as_str(), *count)).collect();
                open.appender.closed(time, status.dropped, &counted);
                self.seals.closed = true;
            }
            open.appender.sync()?;
            let written = open.appender.position().seq - 1;
            let line = IndexLine::Closed(open.appender.seal(time));
            self.control.status().written = written;
            if self.seals.covered < written || self.seals.unsigned {
                self.sign(line)?;
            }
        }
        let spool = self.home.stream_path(self.stream).join("spool");
        std::fs::remove_file(&spool).map_err(|error| io_error(&spool, "removed", &error))?;
        sync_directory(&self.home.stream_path(self.stream))
    }

    /// Puts `line` into the index unless an attempt before did, and signs the index.
    fn sign(&mut self, line: IndexLine) -> Result<(), Error> {
        let lock = self.home.lock()?;
        let Some(open) = &self.segment else { return Ok(()) };
        let written = open.appender.position().seq - 1;
        let lines = if self.seals.covered < written { vec![line] } else { Vec::new() };
        lock.append_index(&mut self.index, &lines)?;
        self.seals.covered = written;
        self.seals.unsigned = true;
        let outbox = &mut self.outbox;
        let time = self.options.clock.now();
        checkpoint(&lock, &mut self.index, &[], time, &mut self.entropy, &mut |note| outbox.send(note))?;
        self.seals.unsigned = false;
        self.seals.uncovered_since = None;
        Ok(())
    }
}
