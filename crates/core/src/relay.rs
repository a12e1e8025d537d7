//! The rules of a data relay that need neither files nor a store: which bundles are missing, which are written again,
//! and what of a late one still counts.

mod health;
mod ledger;
mod resend;

pub use health::RelayVitals;
pub use ledger::{Heard, Ledger, SPANS_MAX, Span};
pub use resend::{Answered, Kept, due, repeats_due, settled};
