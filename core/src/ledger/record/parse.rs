//! Reads lines as typed records.

use super::line::RawRecord;
use super::payloads::Payloads;
use super::typed::{Kind, Record};
use crate::error::{Error, ErrorCode};
use crate::ledger::entry::ActionId;

impl Record {
    /// Reads a line, given without its newline. Members it does not know are kept in `extra`.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerVersion`] for another format version, [`ErrorCode::LedgerCorrupt`] for what is no record.
    pub fn parse(line: &[u8]) -> Result<Self, Error> {
        match RawRecord::split(line) {
            Some(raw) => Self::parse_raw(&raw, line),
            None if line.starts_with(b"{\"v\":") && !line.starts_with(super::render::PREFIX) => {
                Err(Error::new(ErrorCode::LedgerVersion, "the record has a version that this product does not read"))
            }
            None => Err(Error::new(ErrorCode::LedgerCorrupt, "the line is not a record")),
        }
    }

    pub(crate) fn parse_raw(raw: &RawRecord<'_>, line: &[u8]) -> Result<Self, Error> {
        let kind = Kind::parse(raw.kind).ok_or_else(|| {
            let kind = String::from_utf8_lossy(raw.kind);
            Error::new(ErrorCode::LedgerCorrupt, format!("the record is of the unknown kind `{kind}`"))
        })?;
        Self::parse_kind(kind, line).map_err(|error| {
            Error::new(ErrorCode::LedgerCorrupt, format!("the record does not fit its schema: {error}"))
        })
    }

    /// The call it is about.
    #[must_use]
    pub fn action_id(&self) -> Option<ActionId> {
        match self {
            Self::Decided(record) => Some(ActionId(record.action_id.0)),
            Self::Completed(record) => Some(ActionId(record.action_id.0)),
            Self::Approval(record) => Some(ActionId(record.action_id.0)),
            _ => None,
        }
    }

    /// Hashes of its sidecar lines, by the part's name.
    #[must_use]
    pub fn payload(&self) -> Option<&Payloads> {
        match self {
            Self::Decided(record) => record.payload.as_ref(),
            Self::Completed(record) => record.payload.as_ref(),
            Self::Approval(record) => record.payload.as_ref(),
            Self::Control(record) => record.payload.as_ref(),
            _ => None,
        }
    }
}
