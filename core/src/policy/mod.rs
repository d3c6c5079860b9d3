//! The policy document: strict loading with positions, checks at load, and its compiled form.
