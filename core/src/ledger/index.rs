//! The home's index: one line when a segment opens, is sealed up to a record, and closes. Each line is a leaf of the
//! tree that checkpoints sign, so a missing segment shows.

use super::hex;
use super::id::StreamId;
use super::merkle::Tree;
use super::record::json::{push_hash, push_id, push_integer};
use super::record::time::{Stamp, parse_time};
use crate::clock::UnixNanos;

/// A line of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexLine {
    /// A segment opens; written before its file is made, so that no file is ever without a line.
    Opened {
        /// When.
        time: UnixNanos,
        /// Its stream.
        stream: StreamId,
        /// Its number in the stream, from 1.
        segment: u32,
        /// The last hash of the segment before it; zero for the first.
        prev: [u8; 32],
    },
    /// A segment is sealed up to a record.
    Sealed(Seal),
    /// Nothing will be added to a segment.
    Closed(Seal),
}

/// What a segment holds up to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// When it was sealed.
    pub time: UnixNanos,
    /// The segment's stream.
    pub stream: StreamId,
    /// The segment's number in it.
    pub segment: u32,
    /// Records from the segment's start.
    pub records: u64,
    /// Bytes from the segment's start.
    pub bytes: u64,
    /// Merkle root over those records' hashes.
    pub root: [u8; 32],
    /// The hash of the last of them.
    pub last: [u8; 32],
}

impl IndexLine {
    /// The stream the line speaks of.
    #[must_use]
    pub const fn stream(&self) -> StreamId {
        match self {
            Self::Opened { stream, .. } => *stream,
            Self::Sealed(seal) | Self::Closed(seal) => seal.stream,
        }
    }

    /// The segment the line speaks of.
    #[must_use]
    pub const fn segment(&self) -> u32 {
        match self {
            Self::Opened { segment, .. } => *segment,
            Self::Sealed(seal) | Self::Closed(seal) => seal.segment,
        }
    }

    /// The line without its newline: a leaf of the home's tree.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(320);
        let (kind, time) = match self {
            Self::Opened { time, .. } => ("opened", *time),
            Self::Sealed(seal) => ("sealed", seal.time),
            Self::Closed(seal) => ("closed", seal.time),
        };
        out.extend_from_slice(b"{\"v\":1,\"kind\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"time\":\"");
        out.extend_from_slice(Stamp::new().text(time));
        out.extend_from_slice(b"\",\"stream\":");
        push_id(&mut out, &self.stream().0);
        out.extend_from_slice(b",\"segment\":");
        push_integer(&mut out, self.segment());
        match self {
            Self::Opened { prev, .. } => {
                out.extend_from_slice(b",\"prev\":");
                push_hash(&mut out, prev);
            }
            Self::Sealed(seal) | Self::Closed(seal) => {
                out.extend_from_slice(b",\"records\":");
                push_integer(&mut out, seal.records);
                out.extend_from_slice(b",\"bytes\":");
                push_integer(&mut out, seal.bytes);
                out.extend_from_slice(b",\"root\":");
                push_hash(&mut out, &seal.root);
                out.extend_from_slice(b",\"last\":");
                push_hash(&mut out, &seal.last);
            }
        }
        out.push(b'}');
        out
    }

    /// Reads a line given without its newline. Members it does not know are passed over.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        let raw: RawLine<'_> = serde_json::from_slice(line).ok()?;
        if raw.v != 1 {
            return None;
        }
        let time = parse_time(raw.time.as_bytes())?;
        let stream = raw.stream.parse().ok()?;
        let hash = |text: Option<&str>| hex::parse::<32>(text?.as_bytes());
        let seal = || {
            Some(Seal {
                time,
                stream,
                segment: raw.segment,
                records: raw.records?,
                bytes: raw.bytes?,
                root: hash(raw.root)?,
                last: hash(raw.last)?,
            })
        };
        match raw.kind {
            "opened" => Some(Self::Opened { time, stream, segment: raw.segment, prev: hash(raw.prev)? }),
            "sealed" => seal().map(Self::Sealed),
            "closed" => seal().map(Self::Closed),
            _ => None,
        }
    }
}

#[derive(serde::Deserialize)]
struct RawLine<'a> {
    v: u32,
    kind: &'a str,
    time: &'a str,
    stream: &'a str,
    segment: u32,
    prev: Option<&'a str>,
    records: Option<u64>,
    bytes: Option<u64>,
    root: Option<&'a str>,
    last: Option<&'a str>,
}

/// The tree over the index as far as it has been read, so that a checkpoint hashes only the lines that are new.
#[derive(Debug, Clone, Default)]
pub struct IndexTree {
    tree: Tree,
    bytes: u64,
}

impl IndexTree {
    /// The tree of an empty index.
    #[must_use]
    pub const fn new() -> Self {
        Self { tree: Tree::new(), bytes: 0 }
    }

    /// How many lines it covers.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.tree.size()
    }

    /// How many bytes of the file it covers.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The root over the lines.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        self.tree.root()
    }

    /// Takes in what follows [`Self::bytes`] in the file; a last line without newline is left for later. Gives back how
    /// many bytes were left.
    pub fn extend(&mut self, new: &[u8]) -> u64 {
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', new) {
            self.tree.push(new.get(from..end).unwrap_or_default());
            from = end + 1;
        }
        self.bytes += from as u64;
        (new.len() - from) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back() {
        let stream = StreamId([5; 16]);
        let seal =
            Seal { time: UnixNanos(7), stream, segment: 3, records: 9, bytes: 4321, root: [1; 32], last: [2; 32] };
        for line in [
            IndexLine::Opened { time: UnixNanos(1), stream, segment: 1, prev: [0; 32] },
            IndexLine::Sealed(seal),
            IndexLine::Closed(seal),
        ] {
            assert_eq!(IndexLine::parse(&line.render()), Some(line));
        }
        let closed = String::from_utf8(IndexLine::Closed(seal).render()).unwrap();
        assert!(IndexLine::parse(closed.replace("}", ",\"later\":[1]}").as_bytes()).is_some());
        assert!(IndexLine::parse(closed.replace("\"v\":1", "\"v\":2").as_bytes()).is_none());
    }

    #[test]
    fn a_torn_line_waits() {
        let mut tree = IndexTree::new();
        assert_eq!(tree.extend(b"one\ntw"), 2);
        assert_eq!((tree.lines(), tree.bytes()), (1, 4));
        assert_eq!(tree.extend(b"two\n"), 0);
        let mut whole = Tree::new();
        whole.push(b"one");
        whole.push(b"two");
        assert_eq!(tree.root(), whole.root());
    }
}
