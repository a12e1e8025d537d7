//! What is done to an object here: rows of its source, edits, creation, deletion, purge, security.
//!
//! Each operation takes the clock of the write, from [`Hlc::tick`], and moves it after everything the object has seen
//! when a remote clock was ahead: within one object, what comes after has the later dot.

use std::collections::BTreeMap;

use super::state::shown;
use super::{Dot, Hlc, Life, ObjectState, SourceRow, Write};
use crate::EnrollmentId;
use crate::ontology::PropertyId;
use crate::security::Security;
use crate::value::{EncodedValue, Malformed, Row, Value};

/// New values of properties; `None` takes the value away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(pub BTreeMap<PropertyId, Option<Value>>);

/// Why an operation was not done. The object is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such object, or it was deleted.
    #[error("there is no such object")]
    NotLive,
    /// It is there already.
    #[error("the object exists already")]
    Exists,
    /// It was purged, and a purge is final.
    #[error("the object was purged")]
    Purged,
    /// The row belongs to the source of another enrollment.
    #[error("the object is owned by the source of {}", .0.short())]
    SourceOwned(EnrollmentId),
    /// A clock or a counter of the object has no next value. Only a broken or lying writer gets it there.
    #[error("the object's clock is at its end")]
    ClockExhausted,
    /// There is no such conflict, or it was settled.
    #[error("there is no such conflict")]
    NoSuchConflict,
    /// The result would be larger than an object may be.
    #[error("the object would exceed a limit")]
    TooLarge(#[from] Malformed),
}

impl ObjectState {
    /// How many losing values of a property are kept beside a new edit; older ones are given up.
    pub const LOSERS_MAX: usize = 8;

    /// Takes a full row from the source of `me`. Returns whether anything changed: loading the same row again does not.
    pub fn load_row(&mut self, row: Row, hlc: Hlc, me: EnrollmentId) -> Result<bool, Refused> {
        self.not_purged()?;
        let mut version = hlc;
        if let Some(known) = &self.source {
            if known.owner != me {
                return Err(Refused::SourceOwned(known.owner));
            }
            // A row that a re-creation hides is shown when the source says it again.
            if known.row == row && self.shown_source().is_some() {
                return Ok(false);
            }
            version = after(hlc, known.version)?;
        }
        version = after_or_at(version, self.life.hides_source_to)?;
        self.committed(|next| {
            next.source = Some(SourceRow {
                owner: me,
                version,
                row,
            });
            Ok(())
        })?;
        Ok(true)
    }

    /// Edits properties of a live object. A losing value that is still listed as a conflict stays listed.
    pub fn edit(&mut self, changes: &Changes, hlc: Hlc, me: EnrollmentId) -> Result<(), Refused> {
        self.not_purged()?;
        if !self.is_live() {
            return Err(Refused::NotLive);
        }
        let dot = self.next_dot(hlc, me)?;
        self.committed(|next| next.put(changes, dot))
    }

    /// Creates the object, or creates it afresh after it was deleted: nothing of an earlier life is seen in the new one.
    pub fn create(&mut self, changes: &Changes, hlc: Hlc, me: EnrollmentId) -> Result<(), Refused> {
        self.not_purged()?;
        if self.is_live() {
            return Err(Refused::Exists);
        }
        let hides_source_to = self.source.as_ref().map_or(Hlc::ZERO, |source| source.version);
        let dot = self.next_dot(hlc, me)?;
        self.committed(|next| {
            next.revive(dot, hides_source_to)?;
            next.put(changes, dot)
        })
    }

    /// Deletes the object. Edits that were not seen here are kept as conflicts when they arrive; those that were seen
    /// end with the object.
    pub fn delete(&mut self, hlc: Hlc, me: EnrollmentId) -> Result<(), Refused> {
        self.not_purged()?;
        if !self.is_live() {
            return Err(Refused::NotLive);
        }
        let dot = self.next_dot(hlc, me)?;
        self.committed(|next| {
            next.life = Life {
                // From 0 and 1 to 2, from 3 to 4: a deletion is the even step after the present generation.
                step: even_after(next.life.step).ok_or(Refused::ClockExhausted)?,
                by: Some(dot),
                hides_source_to: next.life.hides_source_to,
            };
            next.edits.values_mut().for_each(super::Register::clear);
            Ok(())
        })
    }

    /// Purges the object, whatever state it is in. Nothing brings it back.
    pub fn purge(&mut self, hlc: Hlc, me: EnrollmentId) -> Result<bool, Refused> {
        if self.purged.is_some() {
            return Ok(false);
        }
        self.purged = Some(self.next_dot(hlc, me)?);
        self.empty();
        Ok(true)
    }

    /// Sets classification and markings, in place of all that was seen here: the one way to lower them. Whether the
    /// caller may is decided before. Returns whether anything changed.
    pub fn set_security(&mut self, security: Security, hlc: Hlc, me: EnrollmentId) -> Result<bool, Refused> {
        let mut standing = self.security.writes();
        let same = match (standing.next(), standing.next()) {
            (None, _) => security == Security::unrestricted(),
            (Some((_, only)), None) => *only == security,
            _ => false,
        };
        drop(standing);
        if same {
            return Ok(false);
        }
        let dot = self.next_dot(hlc, me)?;
        self.committed(|next| {
            next.security.put(dot, security, |_, _| false);
            Ok(())
        })?;
        Ok(true)
    }

    pub(super) fn not_purged(&self) -> Result<(), Refused> {
        if self.is_purged() {
            Err(Refused::Purged)
        } else {
            Ok(())
        }
    }

    /// The dot of the next write: after the clock given, and after everything seen.
    pub(super) fn next_dot(&self, hlc: Hlc, me: EnrollmentId) -> Result<Dot, Refused> {
        let seen = self.vector();
        let hlc = if seen.is_empty() {
            hlc
        } else {
            after(hlc, seen.newest())?
        };
        Ok(Dot { hlc, enrollment: me })
    }

    /// Starts the next life.
    pub(super) fn revive(&mut self, dot: Dot, hides_source_to: Hlc) -> Result<(), Refused> {
        let step = self
            .life
            .step
            .checked_add(1)
            .filter(|step| *step <= Life::STEP_MAX);
        self.life = Life {
            step: step.ok_or(Refused::ClockExhausted)?,
            by: Some(dot),
            hides_source_to,
        };
        Ok(())
    }

    /// Writes values in the present generation, in place of those that are seen now.
    pub(super) fn put(&mut self, changes: &Changes, dot: Dot) -> Result<(), Refused> {
        let generation = self.life.generation();
        for (id, value) in &changes.0 {
            let value = value.as_ref().map(EncodedValue::of).transpose()?;
            let register = self.edits.entry(*id).or_default();
            let replaced = shown(register, generation).map(|(dot, _)| dot);
            let kept: Vec<Dot> = register
                .writes()
                .rev()
                .map(|(known, _)| known)
                .filter(|known| Some(*known) != replaced)
                .take(ObjectState::LOSERS_MAX)
                .collect();
            register.put(dot, Write { generation, value }, |known, _| kept.contains(&known));
        }
        Ok(())
    }

    /// Applies an operation to a copy, so that one that is refused half-way leaves nothing behind.
    pub(super) fn committed(
        &mut self,
        operation: impl FnOnce(&mut ObjectState) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let mut next = self.clone();
        operation(&mut next)?;
        next.within_limits()?;
        *self = next;
        Ok(())
    }
}

impl Life {
    /// The last step that is accepted, far beyond what honest use reaches.
    pub const STEP_MAX: u32 = 1 << 30;
}

fn even_after(step: u32) -> Option<u32> {
    let next = if step == 0 { 2 } else { step.checked_add(1)? };
    (next <= Life::STEP_MAX).then_some(next)
}

fn after(hlc: Hlc, seen: Hlc) -> Result<Hlc, Refused> {
    let least = seen.successor().ok_or(Refused::ClockExhausted)?;
    Ok(hlc.max(least))
}

/// After `hidden` where something is hidden at all.
fn after_or_at(hlc: Hlc, hidden: Hlc) -> Result<Hlc, Refused> {
    if hidden == Hlc::ZERO {
        Ok(hlc)
    } else {
        after(hlc, hidden)
    }
}
