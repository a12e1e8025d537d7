//! Conflicts: values that lost against a concurrent write or a delete, until somebody decides.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::state::shown;
use super::{Changes, Dot, Hlc, ObjectKey, ObjectState, Refused, Write};
use crate::ontology::PropertyId;
use crate::value::Malformed;
use crate::{ConflictId, EnrollmentId};

/// A value that lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Derived from the object's key, the property's number and the losing write: the same whenever it is computed.
    pub id: ConflictId,
    /// The property.
    pub property: PropertyId,
    /// Who wrote the losing value, and when.
    pub lost: Dot,
    /// The losing value.
    pub loser: Write,
    /// The write that is seen instead; `None` where the object was deleted, or its new life has no edit of the property.
    pub winner: Option<(Dot, Write)>,
}

/// How a conflict is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// What is seen now stays; the losing value is dismissed.
    Winner,
    /// The losing value is written again, as a new edit. A deleted object comes back with it.
    Loser,
}

impl ObjectState {
    /// The conflicts of this object, by property and age.
    pub fn conflicts(&self, key: &ObjectKey) -> Vec<Conflict> {
        let generation = self.life.generation();
        let mut conflicts = Vec::new();
        for (property, register) in &self.edits {
            let winner = shown(register, generation).filter(|_| !self.is_deleted());
            for (lost, loser) in register.writes() {
                // Who writes what is seen anyway loses nothing.
                if winner.is_none_or(|(dot, seen)| dot != lost && seen.value != loser.value) {
                    conflicts.push(Conflict {
                        id: id(key, *property, lost),
                        property: *property,
                        lost,
                        loser: loser.clone(),
                        winner: winner.map(|(dot, write)| (dot, write.clone())),
                    });
                }
            }
        }
        conflicts
    }

    /// Settles a conflict. To dismiss the loser is itself a change that travels: it is gone for everybody who sees this
    /// state.
    pub fn resolve(
        &mut self,
        key: &ObjectKey,
        conflict: ConflictId,
        keep: Keep,
        hlc: Hlc,
        me: EnrollmentId,
    ) -> Result<(), Refused> {
        let found = self.conflicts(key).into_iter().find(|one| one.id == conflict);
        let Conflict {
            property,
            lost,
            loser,
            ..
        } = found.ok_or(Refused::NoSuchConflict)?;
        let dot = self.next_dot(hlc, me)?;
        self.committed(|next| {
            if let Some(register) = next.edits.get_mut(&property) {
                register.remove(&lost);
            }
            if keep == Keep::Winner {
                return Ok(());
            }
            if !next.is_live() {
                next.revive(dot, Hlc::ZERO)?;
            }
            let value = loser.value.map(|value| value.decode()).transpose()?;
            next.put(&Changes(BTreeMap::from([(property, value)])), dot)
        })
    }

    /// Whether the bytes of every edit and of the row decode; for tests and for the check after a restore.
    pub fn verify(&self) -> Result<(), Malformed> {
        if let Some(source) = &self.source {
            source.row.decode()?;
        }
        for (_, write) in self.edits.values().flat_map(super::Register::writes) {
            if let Some(value) = &write.value {
                value.decode()?;
            }
        }
        Ok(())
    }
}

fn id(key: &ObjectKey, property: PropertyId, lost: Dot) -> ConflictId {
    let hash = Sha256::new_with_prefix(b"peerd/v1/conflict\0")
        .chain_update(key.object_type().as_str())
        .chain_update([0])
        .chain_update(key.primary_key())
        .chain_update([0])
        .chain_update(property.0.to_be_bytes())
        .chain_update(lost.enrollment.as_bytes())
        .chain_update(lost.hlc.wall_micros().to_be_bytes())
        .chain_update(lost.hlc.counter().to_be_bytes())
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    ConflictId::from_bytes(bytes)
}
