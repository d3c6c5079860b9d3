//! The measured call on the whole way through a guard, with its ledger on a disk.

use crate::subject;
use counterseal::call::CallContext;
use counterseal::clock::Clock;
use counterseal::guard::{Admission, Captured, Config, Guard, Ticket, Tool};
use counterseal::ledger::{Options, Outcome};
use counterseal::value::Value;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// As long as a flush or a close may take before a measurement is worthless.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A guard with the one tool, called over and over.
pub(crate) struct Guarded {
    guard: Arc<Guard>,
    tool: Arc<Tool>,
    context: CallContext,
    arguments: Value<'static>,
    result: Value<'static>,
}

impl Guarded {
    /// A guard under the policy in `text`, whose ledger is in `home`.
    pub(crate) fn start(text: &str, home: &Path) -> Result<Self, Box<dyn Error>> {
        let guard = Guard::start(Config {
            layers: subject::layers(text)?,
            home: home.to_owned(),
            agent: None,
            clock: Clock::System,
            previous: None,
            observer: None,
            asks: false,
            ledger: Options::default(),
        })?;
        let tool = guard.tool(subject::tool())?;
        let context = CallContext { implicit: true, ..CallContext::new("0123456789abcdef0123456789abcdef") };
        let (arguments, result) = (subject::arguments()?, subject::result());
        Ok(Self { guard, tool, context, arguments, result })
    }

    /// Up to the body; `None` where the call was refused.
    pub(crate) fn admit(&self) -> Option<Ticket> {
        match self.guard.admit(&self.tool, Ok(&self.arguments), &self.context) {
            Admission::Run(ticket) => Some(ticket),
            Admission::Sync(_) | Admission::Ask(_) | Admission::Refused(_) => None,
        }
    }

    /// The whole way; whether the call was let through.
    pub(crate) fn call(&self) -> bool {
        let Some(ticket) = self.admit() else { return false };
        ticket.complete(Outcome::Success, &Captured::Value(&self.result));
        true
    }

    /// Waits for the disk; whether everything got there.
    pub(crate) fn settle(&self) -> bool {
        let report = self.guard.flush(PATIENCE);
        report.pending == 0 && report.dropped == 0
    }

    /// Closes the ledger, so that it is sealed and signed to its end.
    pub(crate) fn close(self) -> Result<(), Box<dyn Error>> {
        Ok(self.guard.close(PATIENCE)?)
    }
}
