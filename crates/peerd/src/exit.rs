//! What the process ends with. Scripts depend on the numbers.

use crate::{config, init, restore};

/// The exit code for an error: 5 for what exists already, 6 for invalid input, 1 for the rest. Wrong usage is 2 and
/// never comes here.
pub fn code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref() {
        Some(
            init::Error::Exists { .. }
            | init::Error::Unfinished { .. }
            // Two at once.
            | init::Error::Identity(peerd_identity::Error::Exists { .. }),
        ) => return 5,
        Some(init::Error::Config(_)) => return 6,
        _ => {}
    }
    match error.downcast_ref() {
        Some(restore::Error::Exists(_)) => return 5,
        Some(_) => return 6,
        None => {}
    }
    if error.is::<config::Error>() { 6 } else { 1 }
}
