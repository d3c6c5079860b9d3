//! What a command's end says to the program that called it.

/// The documented exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, and what was examined is fine.
    Fine,
    /// Done, and what was examined is not fine.
    NotFine,
    /// The command line was not understood; nothing was done.
    Usage,
    /// It could not be done.
    NotDone,
}

impl Exit {
    /// The process's exit code.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Fine => 0,
            Self::NotFine => 1,
            Self::Usage => 2,
            Self::NotDone => 3,
        }
    }
}
