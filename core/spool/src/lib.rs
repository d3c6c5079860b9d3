//! The memory-mapped ring that holds records until the writer has put them into the ledger.
