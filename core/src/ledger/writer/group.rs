//! A group: what the spool holds, up to half of it, appended and synced at once.

use super::{Step, Writer};
use crate::error::{Error, ErrorCode};
use crate::ledger::codec::decode;
use crate::ledger::event::Dropped;
use crate::ledger::segment::SegmentAppender;
use counterseal_spool::{Consumer, Read};
use std::time::Instant;

/// Bytes held in memory between reading and syncing: no more is read until the disk takes them.
const HELD: usize = 32 << 20;

/// What reading came to.
#[derive(Debug, Default)]
struct Taken {
    records: u64,
    skipped: u64,
    unreadable: u64,
    more: bool,
    error: Option<Error>,
}

impl Writer {
    /// Writes a group. After an error the same records are written again by the next call, at the same place.
    pub(super) fn write_group(&mut self) -> Result<Step, Error> {
        let refused = self.consumer.spool().statistics().refused;
        let waiting = self.consumer.spool().head() != self.consumer.spool().released();
        if !waiting && refused == self.refused {
            return Ok(Step::Idle);
        }
        self.ensure_segment()?;
        let Some(open) = &mut self.segment else { return Ok(Step::Idle) };
        let taken = take(&mut self.consumer, &mut open.appender);
        let time = self.options.clock.now();
        if taken.unreadable > 0 {
            open.appender.dropped(time, &Dropped { count: taken.unreadable, why: "unreadable" });
        }
        if refused > self.refused {
            open.appender.dropped(time, &Dropped { count: refused - self.refused, why: "full" });
        }
        {
            let mut status = self.control.status();
            status.dropped += taken.unreadable + (refused - self.refused);
            status.skipped += taken.skipped;
        }
        let dropped = taken.unreadable > 0 || refused > self.refused;
        self.refused = refused;
        if open.appender.pending() == 0 && taken.records == 0 && taken.skipped == 0 && !dropped {
            // the next slot is not committed yet
            return taken.error.map_or(Ok(Step::Idle), Err);
        }
        open.appender.sync()?;
        let written = open.appender.position().seq - 1;
        // before the room is given back: whoever waits for that reads these numbers next
        {
            let mut status = self.control.status();
            status.written = written;
            status.last_sync = Some(Instant::now());
            status.last_error = None;
        }
        self.consumer
            .release(written, self.refused)
            .map_err(|error| Error::new(ErrorCode::LedgerIo, format!("the spool cannot be given back: {error}")))?;
        self.seals.uncovered_since.get_or_insert_with(Instant::now);
        match taken.error {
            Some(error) => Err(error),
            None if taken.more => Ok(Step::More),
            None => Ok(Step::Wrote),
        }
    }
}

/// Reads up to half of the spool: while the disk works on one half, callers fill the other.
fn take(consumer: &mut Consumer, appender: &mut SegmentAppender) -> Taken {
    let mut taken = Taken::default();
    let end = consumer.spool().released() + consumer.spool().statistics().capacity / 2;
    loop {
        if consumer.position() >= end || appender.pending() >= HELD {
            taken.more = true;
            return taken;
        }
        match consumer.read() {
            Ok(Read::Record { kind, payload }) => {
                match decode(kind, payload).map(|record| record.append_to(appender)) {
                    Ok(Ok(())) => {
                        taken.records += 1;
                        appender.start_early();
                    }
                    // no randomness for a salt, or bytes that this very program wrote wrongly: the record cannot be had
                    Ok(Err(error)) => {
                        taken.unreadable += 1;
                        taken.error = Some(error);
                    }
                    Err(malformed) => {
                        taken.unreadable += 1;
                        taken.error = Some(Error::new(ErrorCode::LedgerCorrupt, malformed.to_string()));
                    }
                }
            }
            Ok(Read::Abandoned) => taken.skipped += 1,
            Ok(Read::Empty | Read::Pending) => return taken,
            Err(error) => {
                taken.error = Some(Error::new(ErrorCode::LedgerIo, format!("the spool cannot be read: {error}")));
                return taken;
            }
        }
    }
}
