//! What of an object goes to a peer: the one place where that is decided.

use bytes::Bytes;
use peerd_core::artifact::{self, Artifact, Selected, Selection};
use peerd_core::object::{Lanes, ObjectState, PlainState, Provenance};
use peerd_core::policy::{self, Permit};
use peerd_core::{EnrollmentId, Time};

use super::item;
use super::terms::ExportTerms;
use crate::Error;
use crate::object::stored::{StoredRef, damaged};

/// What becomes of an object on the exporting side.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// It goes, in these bytes.
    Send(Bytes),
    /// Its deletion goes, in these bytes, to those who have, or had, the object; others have nothing to hear.
    SendToHolders(Bytes),
    /// Its deletion goes back, in these bytes, to where the object came from.
    SendBack(Bytes),
    /// It must not go; if the other side may have it, it is retracted.
    Withhold,
    /// There is nothing to say that the other side does not know.
    Nothing,
    /// It would have to go and is too large.
    TooLarge,
}

/// What the other side has of what it once sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knows {
    /// All of it: it need not be sent back.
    WhatItSent,
    /// Perhaps not all: it stands at the beginning although it stood further on, as after a restore.
    Less,
}

/// Decides on one object, by its stored bytes. The permit is the proof that the policies let objects go to this peer
/// now.
pub(super) fn offer(
    permit: &Permit<policy::Flow>,
    terms: &ExportTerms,
    bytes: &Bytes,
    me: EnrollmentId,
    knows: Knows,
) -> Result<Offer, Error> {
    let stored = StoredRef::read(bytes)?;
    let connection = &terms.connection;
    let theirs = stored.provenance.via == Some(connection.id);
    if theirs && stored.clean && knows == Knows::WhatItSent {
        return Ok(Offer::Nothing);
    }
    if permit.covers().data != artifact::data_of(&terms.feed.object_type) {
        return Ok(Offer::Withhold);
    }
    let foreign = stored.provenance.is_imported() && !theirs;
    if permit.enrollment() != connection.remote
        || foreign && !connection.re_export
        || stored.provenance.hops >= Provenance::HOPS_MAX
    {
        return Ok(Offer::Withhold);
    }
    let about = About {
        theirs,
        re_exported: connection.re_export && foreign,
        me,
    };
    // Without security it crosses every connection.
    if stored
        .plain()
        .is_some_and(|plain| goes_whole(terms, &about, &plain))
    {
        return Ok(sized(item::of_stored(bytes, &stored)).map_or(Offer::TooLarge, Offer::Send));
    }
    about.offer(
        terms,
        stored.provenance.hops,
        &stored.state()?,
        permit.decided_at(),
    )
}

/// Where an object comes from, as seen from one connection.
struct About {
    /// It came over this connection.
    theirs: bool,
    /// It came over another one, and goes on.
    re_exported: bool,
    me: EnrollmentId,
}

impl About {
    /// The lanes that flow for an object whose row has this owner.
    fn lanes(&self, terms: &ExportTerms, owner: Option<EnrollmentId>) -> Lanes {
        let own_row = owner == Some(self.me);
        Lanes {
            source: terms.export.lanes.source && (own_row || self.re_exported),
            ..terms.export.lanes
        }
    }

    fn offer(&self, terms: &ExportTerms, hops: u8, state: &ObjectState, now: Time) -> Result<Offer, Error> {
        let (security, levels) = (state.security(&terms.levels), &terms.levels);
        if !security.crosses(&terms.connection.security, levels) {
            return Ok(Offer::Withhold);
        }
        let selected = match &terms.selection {
            // What came over this connection goes back where it is known, whatever goes by itself.
            Some(selection) if !self.theirs => selected(selection, state, now)?,
            _ => Selected::Yes,
        };
        if selected == Selected::No {
            return Ok(Offer::Withhold);
        }
        let lanes = self.lanes(terms, state.source().map(|source| source.owner));
        let part = state.exported(lanes, &terms.export.properties);
        let part = part.map_err(|error| damaged(Some(error.into())))?;
        if part.is_hollow() {
            return Ok(if self.theirs {
                Offer::Nothing
            } else {
                Offer::Withhold
            });
        }
        let Some(bytes) = sized(item::encode(hops, &part)) else {
            return Ok(Offer::TooLarge);
        };
        Ok(match (state.is_deleted(), self.theirs) {
            (false, _) if selected == Selected::WhereItIs => Offer::SendToHolders(bytes),
            (false, _) => Offer::Send(bytes),
            (true, false) => Offer::SendToHolders(bytes),
            (true, true) => Offer::SendBack(bytes),
        })
    }
}

/// Whether an artifact goes: a deletion is for whoever has it, and what is no whole artifact is for nobody.
fn selected(selection: &Selection, state: &ObjectState, now: Time) -> Result<Selected, Error> {
    if !state.is_live() {
        return Ok(Selected::Yes);
    }
    let artifact = Artifact::of(state).map_err(|error| damaged(Some(error.into())))?;
    Ok(artifact.map_or(Selected::No, |artifact| selection.selects(&artifact, now)))
}

/// Whether a plain object goes as it is stored: its row, and all of it.
fn goes_whole(terms: &ExportTerms, about: &About, plain: &PlainState<'_>) -> bool {
    // Both are in the order of the numbers.
    let mut shared = terms.export.properties.iter();
    about.lanes(terms, Some(plain.owner)).source
        && plain.row.iter().all(|(id, _)| shared.any(|one| *one == id))
}

fn sized(bytes: Bytes) -> Option<Bytes> {
    (bytes.len() <= item::BYTES_MAX).then_some(bytes)
}
