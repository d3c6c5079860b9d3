//! Which home a command works on.

use crate::failure::Failure;
use counterseal::ledger::Home;
use std::path::PathBuf;

/// The option that every command on a home has.
#[derive(Debug, clap::Args)]
pub(crate) struct HomeOption {
    /// The home: the directory that the processes of one agent share
    ///
    /// Left out: `COUNTERSEAL_HOME`, else the user's state directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
}

impl HomeOption {
    /// Where the home is.
    pub(crate) fn path(&self) -> Result<PathBuf, Failure> {
        self.home.clone().map_or_else(|| Home::default_path().map_err(Failure::from), Ok)
    }

    /// The home, which must be there already.
    pub(crate) fn open(&self) -> Result<Home, Failure> {
        Ok(Home::open(&self.path()?)?)
    }
}
