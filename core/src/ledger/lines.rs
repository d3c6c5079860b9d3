//! Reads a file line by line through one large buffer, without copying and with a bound on a line's length.

use std::fs::File;
use std::io::{self, Read as _};

/// Read at once. Large enough that system calls do not count, small enough to stay in the processor's cache.
const BLOCK: usize = 256 * 1024;
/// No line of a ledger comes near it; whatever does is not one.
const LONGEST: usize = 8 * 1024 * 1024;

/// A line of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    /// Without its newline.
    pub(crate) text: &'a [u8],
    /// Its offset in the file.
    pub(crate) at: u64,
    /// Whether a newline ends it; only the last may lack one.
    pub(crate) ended: bool,
}

impl Line<'_> {
    /// The offset after it and its newline.
    pub(crate) const fn end(&self) -> u64 {
        self.at + self.text.len() as u64 + self.ended as u64
    }
}

/// Reads lines.
#[derive(Debug)]
pub(crate) struct LineReader {
    file: File,
    buffer: Vec<u8>,
    /// The unread part of the buffer.
    unread: std::ops::Range<usize>,
    /// Offset in the file of the unread part.
    at: u64,
    exhausted: bool,
}

impl LineReader {
    /// Reads from where the file stands, which is at offset `at`.
    pub(crate) const fn new(file: File, at: u64) -> Self {
        Self { file, buffer: Vec::new(), unread: 0..0, at, exhausted: false }
    }

    /// The next line; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let Some(length) = self.find(0)? else { return Ok(None) };
        let (start, at) = (self.unread.start, self.at);
        let ended = start + length < self.unread.end;
        self.unread.start = (start + length + 1).min(self.unread.end);
        self.at = at + length as u64 + u64::from(ended);
        let text = self.buffer.get(start..start + length).unwrap_or_default();
        Ok(Some(Line { text, at, ended }))
    }

    /// The next line, which stays the next.
    pub(crate) fn peek(&mut self) -> io::Result<Option<Line<'_>>> {
        let Some(length) = self.find(0)? else { return Ok(None) };
        Ok(Some(self.line(0, length)))
    }

    /// The line after the next.
    pub(crate) fn peek_second(&mut self) -> io::Result<Option<Line<'_>>> {
        let Some(first) = self.find(0)? else { return Ok(None) };
        let Some(length) = self.find(first + 1)? else { return Ok(None) };
        Ok(Some(self.line(first + 1, length)))
    }

    fn line(&self, from: usize, length: usize) -> Line<'_> {
        let start = self.unread.start + from;
        let text = self.buffer.get(start..start + length).unwrap_or_default();
        Line { text, at: self.at + from as u64, ended: start + length < self.unread.end }
    }

    /// The length of the line that begins `from` bytes into the unread part, reading on until its end is there.
    fn find(&mut self, from: usize) -> io::Result<Option<usize>> {
        let mut searched = from;
        loop {
            let unread = self.buffer.get(self.unread.clone()).unwrap_or_default();
            if let Some(found) = memchr::memchr(b'\n', unread.get(searched..).unwrap_or_default()) {
                return Ok(Some(searched + found - from));
            }
            searched = unread.len().max(from);
            if searched - from > LONGEST {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is longer than 8 MiB"));
            }
            if self.exhausted {
                return Ok((searched > from).then_some(searched - from));
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        let end = self.unread.end;
        if self.buffer.len() < end + BLOCK {
            self.buffer.resize(end + BLOCK, 0);
        }
        let space = self.buffer.get_mut(end..).unwrap_or_default();
        match self.file.read(space) {
            Ok(0) => self.exhausted = true,
            Ok(read) => self.unread.end += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{Seek as _, Write as _};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn lines_are_those_of_the_text(lengths in prop::collection::vec(0_usize..300_000, 0..6), ended in any::<bool>()) {
            let mut text: Vec<u8> = Vec::new();
            for (nth, length) in lengths.iter().enumerate() {
                text.extend(std::iter::repeat_n(b'a' + u8::try_from(nth).unwrap(), *length));
                text.push(b'\n');
            }
            if !ended {
                text.pop();
            }
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&text).unwrap();
            file.rewind().unwrap();
            let mut reader = LineReader::new(file, 0);
            let mut joined = Vec::new();
            loop {
                let second = reader.peek_second().unwrap().map(|line| (line.text.to_vec(), line.at));
                let peeked = reader.peek().unwrap().map(|line| (line.text.to_vec(), line.at, line.ended));
                let Some(line) = reader.next().unwrap() else { break };
                prop_assert_eq!(peeked, Some((line.text.to_vec(), line.at, line.ended)));
                prop_assert_eq!(line.at, joined.len() as u64);
                joined.extend_from_slice(line.text);
                if line.ended {
                    joined.push(b'\n');
                }
                prop_assert_eq!(line.end(), joined.len() as u64);
                prop_assert_eq!(reader.peek().unwrap().map(|line| (line.text.to_vec(), line.at)), second);
            }
            prop_assert_eq!(joined, text);
        }
    }
}
