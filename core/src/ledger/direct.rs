//! A stream that is written at once, without spool and thread: how a command leaves its own records.

use super::entropy::Entropy;
use super::home::HomeLock;
use super::id::StreamId;
use super::index::{IndexLine, IndexTree};
use super::lock::FileLock;
use super::ratchet::checkpoint;
use super::record::Position;
use super::segment::SegmentAppender;
use crate::clock::UnixNanos;
use crate::error::{Error, ErrorCode};

/// Writes a stream of a few records, closes and signs it: `write` appends what lies between `opened` and `closed`. When it
/// returns, the records are on the disk and under a checkpoint, which `sink` got too.
///
/// # Errors
/// [`ErrorCode::LedgerIo`] and [`ErrorCode::CheckpointKey`]; a stream that broke off is adopted like any other.
pub(crate) fn write_stream(
    lock: &HomeLock<'_>,
    time: UnixNanos,
    entropy: &mut Entropy,
    sink: &mut dyn FnMut(&str) -> Result<(), Error>,
    write: impl FnOnce(&mut SegmentAppender),
) -> Result<StreamId, Error> {
    let home = lock.home();
    let stream = StreamId(entropy.draw()?);
    home.make_stream(stream)?;
    let Some(_alive) = FileLock::try_acquire(&home.stream_lock_path(stream))? else {
        return Err(Error::new(
            ErrorCode::LedgerIo,
            format!("the new stream `{stream}` is another process's; try again"),
        ));
    };
    // records of a command have no payloads, so nothing is drawn from this
    let salts = Entropy::system();
    let mut index = IndexTree::new();
    let mut open = SegmentAppender::create(lock, &mut index, stream, 1, Position::START, time, salts)?;
    write(&mut open);
    open.closed(time, 0, &[]);
    open.sync()?;
    checkpoint(lock, &mut index, &[IndexLine::Closed(open.seal(time))], time, entropy, sink)?;
    Ok(stream)
}
