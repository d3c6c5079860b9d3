//! Redaction: what of arguments and results may be recorded. One rule for every channel.
