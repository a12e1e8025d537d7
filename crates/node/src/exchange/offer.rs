//! What of an object goes to a peer: the one place where that is decided.

use bytes::Bytes;
use peerd_core::EnrollmentId;
use peerd_core::object::{Lanes, Provenance};
use peerd_core::policy::{self, Permit};
use peerd_core::value::Malformed;

use super::item;
use super::terms::ExportTerms;
use crate::object::stored::Stored;

/// What becomes of an object on the exporting side.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// It goes, in these bytes.
    Send(Bytes),
    /// It must not go; if the other side may have it, it is retracted.
    Withhold,
    /// There is nothing to say that the other side does not know.
    Nothing,
    /// It would have to go and is too large.
    TooLarge,
}

/// Decides on one object. The permit is the proof that the policies let objects go to this peer now.
///
/// `marked` says whether the peer may have the object from us.
pub(super) fn offer(
    permit: &Permit<policy::Flow>,
    terms: &ExportTerms,
    stored: &Stored,
    marked: bool,
    me: EnrollmentId,
) -> Result<Offer, Malformed> {
    let connection = &terms.connection;
    let theirs = stored.provenance.via == Some(connection.id);
    if theirs && stored.clean {
        return Ok(Offer::Nothing);
    }
    let foreign = stored.provenance.is_imported() && !theirs;
    let state = &stored.state;
    if permit.enrollment() != connection.remote
        || foreign && !connection.re_export
        || stored.provenance.hops >= Provenance::HOPS_MAX
        || !state
            .security(&terms.levels)
            .crosses(&connection.security, &terms.levels)
    {
        return Ok(Offer::Withhold);
    }
    // A tombstone is for those who have, or had, the object.
    if state.is_deleted() && !marked && !theirs {
        return Ok(Offer::Nothing);
    }
    let own_row = state.source().is_some_and(|source| source.owner == me);
    let lanes = Lanes {
        source: terms.export.lanes.source && (own_row || connection.re_export && foreign),
        ..terms.export.lanes
    };
    let part = state.exported(lanes, &terms.export.properties)?;
    if part.is_hollow() {
        return Ok(if theirs { Offer::Nothing } else { Offer::Withhold });
    }
    let bytes = item::encode(stored.provenance.hops, &part);
    Ok(if bytes.len() > item::BYTES_MAX {
        Offer::TooLarge
    } else {
        Offer::Send(bytes)
    })
}
