//! What the index says of each stream, read on from where the last look ended.

use crate::error::Error;
use crate::ledger::files::{io_error, open_for_reading};
use crate::ledger::home::Home;
use crate::ledger::id::StreamId;
use crate::ledger::index::{IndexLine, Seal};
use crate::ledger::lines::LineReader;
use std::collections::HashMap;
use std::io::{Seek as _, SeekFrom};

/// The last segment of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Last {
    pub(super) segment: u32,
    /// The last hash of the segment before it.
    pub(super) prev: [u8; 32],
    /// Records in the segments before it.
    pub(super) before: u64,
    /// Up to where it is sealed.
    pub(super) seal: Option<Seal>,
    pub(super) closed: bool,
}

/// All streams of the index.
#[derive(Debug, Default)]
pub(super) struct Streams {
    last: HashMap<StreamId, Last>,
    read: u64,
}

impl Streams {
    /// Reads the lines that are new. A torn one is left for later.
    pub(super) fn refresh(&mut self, home: &Home) -> Result<(), Error> {
        let path = home.index_path();
        let unreadable = |error| io_error(&path, "read", &error);
        let mut file = open_for_reading(&path).map_err(unreadable)?;
        file.seek(SeekFrom::Start(self.read)).map_err(unreadable)?;
        let mut reader = LineReader::new(file, self.read);
        while let Some(line) = reader.next().map_err(unreadable)? {
            if !line.ended {
                break;
            }
            self.read = line.end();
            // a line that cannot be read is the verifier's to name; here it says nothing
            if let Some(line) = IndexLine::parse(line.text) {
                self.take(line);
            }
        }
        Ok(())
    }

    fn take(&mut self, line: IndexLine) {
        match line {
            IndexLine::Opened { stream, segment, prev, .. } => {
                let before = self
                    .last
                    .get(&stream)
                    .map_or(0, |last| last.before + last.seal.filter(|_| last.closed).map_or(0, |seal| seal.records));
                self.last.insert(stream, Last { segment, prev, before, seal: None, closed: false });
            }
            IndexLine::Sealed(seal) | IndexLine::Closed(seal) => {
                if let Some(last) = self.last.get_mut(&seal.stream).filter(|last| last.segment == seal.segment) {
                    last.seal = Some(seal);
                    last.closed = last.closed || matches!(line, IndexLine::Closed(_));
                }
            }
        }
    }

    /// The last segment of `stream`; `None` where it has none.
    pub(super) fn last(&self, stream: StreamId) -> Option<Last> {
        self.last.get(&stream).copied()
    }

    /// Whether the index has a segment of `stream` that is not closed.
    pub(super) fn is_open(&self, stream: StreamId) -> bool {
        self.last.get(&stream).is_some_and(|last| !last.closed)
    }
}
