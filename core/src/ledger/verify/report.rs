//! What a verification found.

use crate::ledger::id::StreamId;
use serde::Serialize;
use std::fmt;

macro_rules! problems {
    ($($variant:ident $text:literal $doc:literal;)*) => {
        /// What can be wrong with a ledger; stable codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ProblemCode { $(#[doc = $doc] $variant,)* }

        impl ProblemCode {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// One line for the documentation.
            #[must_use]
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

problems! {
    FileUnreadable "file_unreadable" "a file cannot be read, or is no text of lines";
    HomeChanged "home_changed" "home.json is missing, changed or another home's";
    KeyMismatch "key_mismatch" "the checkpoint key is missing or is not the one the last checkpoint names";
    DigestKeyMismatch "digest_key_mismatch" "digest.key is not the key with which digests of the records were made";
    FirstKeyMismatch "first_key_mismatch" "the first key is not the one held outside";
    CheckpointMalformed "checkpoint_malformed" "a checkpoint is not a signed note of this home";
    CheckpointSignature "checkpoint_signature" "a checkpoint is not signed by the key the one before it names";
    CheckpointOrder "checkpoint_order" "a checkpoint covers less than the one before it";
    CheckpointRoot "checkpoint_root" "the index is not what a checkpoint signed";
    CheckpointMissing "checkpoint_missing" "a checkpoint held outside is not in the home";
    IndexMalformed "index_malformed" "a line of the index is not one";
    IndexOrder "index_order" "a line of the index contradicts those before it";
    IndexCut "index_cut" "the index has fewer lines than a checkpoint signed";
    SegmentMissing "segment_missing" "a segment's file is missing and no record says it was pruned";
    SegmentUnindexed "segment_unindexed" "a file stands where a segment would and the index does not know it";
    EntryUnknown "entry_unknown" "something lies among the streams that the ledger did not put there";
    SegmentMismatch "segment_mismatch" "a segment does not begin with its own opened record";
    RecordMalformed "record_malformed" "a line is not a record";
    RecordChanged "record_changed" "a record is not what its hash says";
    RecordMissing "record_missing" "records are missing between two others";
    RecordMoved "record_moved" "a record stands twice or in another place";
    ChainBroken "chain_broken" "a record does not hang on the one before it";
    RecordsCut "records_cut" "a segment has fewer records than were sealed";
    RecordAdded "record_added" "records stand after the end of a closed segment or stream";
    SealMismatch "seal_mismatch" "the records are not those that were sealed";
    RecordSchema "record_schema" "a record does not fit its schema";
    PayloadMissing "payload_missing" "a payload is missing from the sidecar";
    PayloadAdded "payload_added" "a line of the sidecar belongs to no record";
    PayloadChanged "payload_changed" "a payload is not what its record's hash says";
    PayloadMalformed "payload_malformed" "a line of the sidecar is not one";
    ErasedUnrecorded "erased_unrecorded" "a payload is erased and no record says so";
    ErasureUnfinished "erasure_unfinished" "a record says a payload is erased and it is still there";
}

impl Serialize for ProblemCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Place {
    /// The file, from the home.
    pub file: String,
    /// The stream, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<u32>,
    /// The line in the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The record's number in the stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The byte in the file where the line begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

impl Place {
    /// A file of the home.
    pub(crate) fn file(file: impl Into<String>) -> Self {
        Self { file: file.into(), ..Self::default() }
    }

    /// A segment's file.
    pub(crate) fn segment(stream: StreamId, segment: u32, extension: &str) -> Self {
        Self {
            file: format!("streams/{stream}/{segment:06}.{extension}"),
            stream: Some(stream.to_string()),
            segment: Some(segment),
            ..Self::default()
        }
    }

    /// A line in it.
    pub(crate) fn line(mut self, line: u64, offset: u64) -> Self {
        (self.line, self.offset) = (Some(line), Some(offset));
        self
    }

    /// A record.
    pub(crate) fn seq(mut self, seq: u64) -> Self {
        self.seq = Some(seq);
        self
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What.
    pub code: ProblemCode,
    /// Where.
    pub place: Place,
    /// What exactly, for people.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.place.file)?;
        if let Some(line) = self.place.line {
            write!(f, ":{line}")?;
        }
        if let Some(seq) = self.place.seq {
            write!(f, ": record {seq}")?;
        }
        if let Some(offset) = self.place.offset {
            write!(f, " (byte {offset})")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// What a verification found. It holds if [`Report::holds`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// The home's id, where known.
    pub home: Option<String>,
    /// Streams in the index.
    pub streams: u64,
    /// Segments in the index.
    pub segments: u64,
    /// Records read.
    pub records: u64,
    /// Bytes of records read.
    pub bytes: u64,
    /// Checkpoints of the home whose signature was verified.
    pub checkpoints: u64,
    /// Checkpoints held outside that were compared; `None` where none were given.
    pub outside: Option<u64>,
    /// Records that a verified checkpoint covers and that are what it covers.
    pub sealed: u64,
    /// Records that a verified checkpoint covers in a seal that does not hold: the problems say where that begins.
    pub doubtful: u64,
    /// Records that none covers yet: they could be cut off and rewritten unnoticed.
    pub unsealed: u64,
    /// Segments that were pruned, with the record that says so.
    pub pruned: u64,
    /// Payloads verified; `None` without `deep`.
    pub payloads: Option<u64>,
    /// Payloads that were erased, with the record that says so; `None` without `deep`.
    pub erased: Option<u64>,
    /// What is wrong, at most [`Report::MOST_PROBLEMS`].
    pub problems: Vec<Problem>,
    /// How many problems there are, listed or not.
    pub problems_found: u64,
    /// What is worth knowing and not wrong, such as a stream that is being written.
    pub remarks: Vec<String>,
}

impl Report {
    /// How many problems are listed; the rest are counted.
    pub const MOST_PROBLEMS: usize = 1000;

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.problems_found == 0
    }

    pub(crate) fn problem(&mut self, code: ProblemCode, place: Place, message: impl Into<String>) {
        self.problems_found += 1;
        if self.problems.len() < Self::MOST_PROBLEMS {
            self.problems.push(Problem { code, place, message: message.into() });
        }
    }

    pub(crate) fn remark(&mut self, text: impl Into<String>) {
        self.remarks.push(text.into());
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        let listed = self.problems.len() as u64;
        if self.problems_found > listed {
            writeln!(f, "{} more problems are not listed", self.problems_found - listed)?;
        }
        for remark in &self.remarks {
            writeln!(f, "note: {remark}")?;
        }
        let verdict = if self.holds() { "the ledger verifies" } else { "the ledger does not verify" };
        write!(
            f,
            "{verdict}: {} records in {} segments of {} streams, {} sealed by {} checkpoints, ",
            self.records, self.segments, self.streams, self.sealed, self.checkpoints
        )?;
        if self.doubtful > 0 {
            write!(f, "{} under a seal that does not hold, ", self.doubtful)?;
        }
        write!(f, "{} not sealed yet", self.unsealed)?;
        match self.outside {
            Some(outside) => write!(f, "; compared with {outside} checkpoints held outside")?,
            None => write!(f, "; not compared with any checkpoint held outside")?,
        }
        if let (Some(payloads), Some(erased)) = (self.payloads, self.erased) {
            write!(f, "; {payloads} payloads verified, {erased} erased")?;
        }
        if self.pruned > 0 {
            write!(f, "; {} segments pruned", self.pruned)?;
        }
        Ok(())
    }
}
