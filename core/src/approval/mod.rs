//! Approvals: calls that wait for people.
//!
//! [`Approval`] is one pure state machine: a [`Request`], then [`Event`]s, each of which it takes or refuses. It starts
//! `pending` and ends as exactly one of `approved`, `denied`, `expired` and `cancelled`; a yes is good for one run. A home
//! keeps each as a file of its request and events (`docs/formats.md` §9), so that what a process knows is what it folded.
//!
//! Pure: `machine`, `request`, `event`, `edit`, `binding`, `grant`, `terms`. With a disk: `store`; with a thread: `desk`.

mod binding;
pub mod desk;
mod edit;
mod event;
mod grant;
mod machine;
mod person;
mod request;
pub mod store;
mod terms;

pub use binding::{Binding, has_opaque};
pub use edit::Edit;
pub use event::{Answer, Consent, Event};
pub use grant::{Grant, Granted};
pub use machine::{Approval, State};
pub use person::{Approver, Person};
pub use request::{ApprovalId, Call, Request, Requirement, Shown};
pub use terms::{DEFAULT_TIMEOUT, Terms};
