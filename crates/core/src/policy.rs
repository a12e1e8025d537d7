//! The Control Panel: which addresses this side may reach or be reached from, and which enrollments data may go to
//! and come from.
//!
//! Everything is denied that no active policy allows. A [`Policy`] is a record that people propose and decide on; a
//! [`PolicySet`] is what all of them together say, as an immutable value that answers questions. An allowed question
//! yields a [`Permit`], and what acts for a peer demands one: nothing outside this module can make it.
//!
//! One policy must admit the whole question. Two policies that each match a half of it allow nothing.

mod address;
mod decision;
mod record;
mod rule;
mod set;

pub use address::{Destination, Target};
pub use decision::{
    Accept, Act, DataType, Decision, Denial, Dial, Direction, Flow, Permit, Question, Verdict,
};
pub use record::{Decided, InvalidPolicy, Policy, Proposal, Refused, Standing, State, Verb};
pub use rule::{
    Enrollments, InvalidEnrollments, InvalidJustification, InvalidPorts, Justification, Ports, Rule, Side,
};
pub use set::PolicySet;
