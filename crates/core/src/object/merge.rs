//! Two copies of an object become one.
//!
//! # Why every order ends in equal bytes
//!
//! [`merge`] is the join of a lattice, built from parts whose joins are commutative, associative and idempotent:
//!
//! - `origin` is the least dot, `purged` and `life` are the greatest: chains.
//! - `source`: the greater version first; among rows of one version, which differ only when an export left properties
//!   out, the union of the properties, and the greater bytes where even these differ. A chain, then a product of chains.
//! - each register, of a property or of the security: see [`Register`](super::Register). An absent register is the least
//!   one, so an export may leave properties out.
//! - a purge is above every state of life, source and edits, which it empties. Origin and security stay beside it: the
//!   tombstone of a secret object is as secret as the object was.
//!
//! A product of lattices is a lattice. Joins only ever take the greater of what is there, so merging again, or merging
//! something older, changes nothing. And the encoding of a state is canonical, so equal states are equal bytes.
//!
//! Losing values are part of the registers and so of the lattice; which of the writes wins is computed when it is read.
//!
//! The one thing that is not joined but refused is a source row of another owner: a source has one writer, and no
//! rule by which a stranger's row could ever win would be safe.

use std::collections::BTreeMap;

use super::{Life, ObjectState, SourceRow};
use crate::EnrollmentId;
use crate::security::Levels;
use crate::value::{Malformed, Row};

/// The outcome of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The joined state.
    pub state: ObjectState,
    /// Whether it differs from the local one. `false` means that the incoming one brought nothing new.
    pub changed: bool,
}

impl Merged {
    /// Whether the joined object crosses more freely than the local one did. The writer claims to have seen what it
    /// lowered; whether it may is the importer's to decide.
    pub fn lowers_security_of(&self, local: &ObjectState, levels: &Levels) -> bool {
        !local
            .security(levels)
            .at_most(&self.state.security(levels), levels)
    }
}

/// Why an incoming state is not merged. The local one stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeRefused {
    /// The row is owned by another source.
    #[error("the source row is owned by {}, not by {}", owner.short(), claimed.short())]
    SourceOwned {
        /// The owner of the row that is here.
        owner: EnrollmentId,
        /// The owner of the row that came.
        claimed: EnrollmentId,
    },
    /// The result would be larger than an object may be.
    #[error("the merged object would exceed a limit")]
    TooLarge(#[from] Malformed),
}

/// Joins what came into what is here.
pub fn merge(local: &ObjectState, incoming: &ObjectState) -> Result<Merged, MergeRefused> {
    if local == incoming {
        return Ok(Merged {
            state: local.clone(),
            changed: false,
        });
    }
    let mut state = local.clone();
    state.origin = local.origin.min(incoming.origin);
    state.purged = local.purged.max(incoming.purged);
    state.security.join(&incoming.security);
    if state.purged.is_some() {
        state.empty();
    } else {
        state.life = local.life.max(incoming.life);
        state.source = source(local.source.as_ref(), incoming.source.as_ref())?;
        for (id, register) in &incoming.edits {
            state.edits.entry(*id).or_default().join(register);
        }
    }
    state.within_limits()?;
    let changed = state != *local;
    Ok(Merged { state, changed })
}

impl ObjectState {
    /// Takes away what a purge takes away.
    pub(super) fn empty(&mut self) {
        self.life = Life::default();
        self.source = None;
        self.edits = BTreeMap::new();
    }
}

fn source(
    local: Option<&SourceRow>,
    incoming: Option<&SourceRow>,
) -> Result<Option<SourceRow>, MergeRefused> {
    let (Some(a), Some(b)) = (local, incoming) else {
        return Ok(local.or(incoming).cloned());
    };
    if a.owner != b.owner {
        return Err(MergeRefused::SourceOwned {
            owner: a.owner,
            claimed: b.owner,
        });
    }
    if a.version != b.version || a.row == b.row {
        return Ok(Some(if a.version >= b.version { a } else { b }.clone()));
    }
    let mut union: BTreeMap<_, &[u8]> = a.row.iter().collect();
    for (id, value) in b.row.iter() {
        let known = union.entry(id).or_insert(value);
        *known = value.max(*known);
    }
    let row = Row::of_encoded(union)?;
    Ok(Some(SourceRow { row, ..*a }))
}
