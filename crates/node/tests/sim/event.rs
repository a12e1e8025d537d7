//! What happens, in full. Parties and connections are named by their place, so that a seed's log is the same each run.

use peerd_core::peering::{DataTypes, Flow, Imported};
use peerd_core::policy::Side;

/// A party's place among the parties.
pub(crate) type Who = usize;
/// A connection's place in the order of requests.
pub(crate) type Which = usize;
/// A parcel's place among those in flight.
pub(crate) type Place = usize;

/// Which ways objects flow, seen from who says it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ways {
    Out,
    In,
    Both,
    /// Artifacts too.
    Everything,
}

impl Ways {
    pub(crate) const ALL: [Ways; 4] = [Ways::Out, Ways::In, Ways::Both, Ways::Everything];

    pub(crate) const fn flow(self) -> Flow {
        let objects = DataTypes {
            objects: true,
            artifacts: false,
        };
        let (exports, imports) = match self {
            Ways::Out => (objects, DataTypes::NONE),
            Ways::In => (DataTypes::NONE, objects),
            Ways::Both => (objects, objects),
            Ways::Everything => (DataTypes::ALL, DataTypes::ALL),
        };
        Flow { exports, imports }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// `by` gives out a link code and `to` enters it.
    Link {
        by: Who,
        to: Who,
    },
    /// `by` shows its proof to `to`; the answer may get lost.
    Enroll {
        by: Who,
        to: Who,
        answer_lost: bool,
    },
    Request {
        by: Who,
        to: Who,
        flow: Ways,
        level: Option<&'static str>,
    },
    Approve {
        by: Who,
        which: Which,
        level: Option<&'static str>,
    },
    Reject {
        by: Who,
        which: Which,
    },
    Revoke {
        by: Who,
        which: Which,
    },
    Activate {
        by: Who,
        which: Which,
    },
    Disable {
        by: Who,
        which: Which,
    },
    Enable {
        by: Who,
        which: Which,
    },
    SetDataTypes {
        by: Who,
        which: Which,
        flow: Ways,
    },
    Propose {
        by: Who,
        which: Which,
        level: Option<&'static str>,
    },
    Decide {
        by: Who,
        which: Which,
        approve: bool,
    },
    Close {
        by: Who,
        which: Which,
        imported: Imported,
        force: bool,
    },
    /// Everything that waits goes on its way.
    Send {
        from: Who,
        to: Who,
    },
    /// A parcel arrives, and its answer goes on its way. `again` leaves a copy in flight.
    Deliver {
        place: Place,
        again: bool,
    },
    Lose {
        place: Place,
    },
    /// A message arrives with somebody else's signature, or in somebody else's session.
    Forge {
        place: Place,
        by: Who,
    },
    Cut {
        a: Who,
        b: Who,
    },
    Heal {
        a: Who,
        b: Who,
    },
    Restart {
        who: Who,
    },
    Wait {
        hours: u64,
    },
    Expire {
        who: Who,
    },
    Permit {
        who: Who,
        other: Who,
        side: Side,
    },
    Forbid {
        who: Who,
        other: Who,
        side: Side,
    },
}
