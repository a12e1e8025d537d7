//! How a copy came here. It differs from side to side, so it is kept beside the state, never merged into it.

use serde::{Deserialize, Serialize};

use crate::ConnectionId;

/// The way a copy took. A node stores it beside the state; the hop count travels beside the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Provenance {
    /// How many connections it crossed; zero is our own.
    pub hops: u8,
    /// The connection over which it came, unless it is our own.
    pub via: Option<ConnectionId>,
}

impl Provenance {
    /// The most connections a copy may cross.
    pub const HOPS_MAX: u8 = 16;

    /// A copy that was made here.
    pub const OWN: Provenance = Provenance { hops: 0, via: None };

    /// The provenance of what arrives over a connection from a side that holds it after `hops`; `None` when it has gone
    /// too far.
    pub fn received(via: ConnectionId, hops: u8) -> Option<Provenance> {
        let hops = hops.checked_add(1).filter(|hops| *hops <= Provenance::HOPS_MAX)?;
        Some(Provenance { hops, via: Some(via) })
    }

    /// The shortest of two ways, for a copy that came twice. What is our own stays our own.
    pub fn shortest(self, other: Provenance) -> Provenance {
        self.min(other)
    }

    /// Whether it came from elsewhere: then it is exported only where the connection says so.
    pub const fn is_imported(self) -> bool {
        self.hops > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b088_hops_are_counted_and_bounded_and_our_own_stays_our_own() {
        let via = ConnectionId::from_bytes([1; 16]);
        let first = Provenance::received(via, 0).expect("near");
        assert_eq!(first.hops, 1);
        assert!(first.is_imported());
        assert_eq!(first.shortest(Provenance::OWN), Provenance::OWN);
        assert_eq!(Provenance::received(via, Provenance::HOPS_MAX), None);
        assert_eq!(Provenance::received(via, u8::MAX), None);
    }
}
