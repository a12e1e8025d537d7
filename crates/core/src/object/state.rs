//! What is stored of one object, and travels between enrollments.

use std::collections::BTreeMap;

use super::{Dot, Hlc, Register, VersionVector};
use crate::EnrollmentId;
use crate::ontology::PropertyId;
use crate::security::{Levels, Security};
use crate::value::{EncodedValue, Malformed, Row};

/// The last full row of a backing source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRow {
    /// The enrollment whose source it is, and the only one that writes it.
    pub owner: EnrollmentId,
    /// The owner's clock when the row was loaded; the greater one is the newer row.
    pub version: Hlc,
    /// The values.
    pub row: Row,
}

/// One user edit of one property.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Write {
    /// The life of the object that was edited: how often it had been deleted before.
    pub generation: u32,
    /// The value; `None` says that there is none, whatever the source says.
    pub value: Option<EncodedValue>,
}

/// Whether users created or deleted the object, and how often.
///
/// `step` is 0 until they do; then an odd step is a creation and an even one a deletion. A later step wins over an
/// earlier one, so a deletion wins over everything that was done to the life it ended, and a re-creation over every
/// deletion of an earlier life. Two copies at the same step take the greater dot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Life {
    /// How many creations and deletions there were.
    pub step: u32,
    /// Who did the last of them, and when; `None` at step 0.
    pub by: Option<Dot>,
    /// A re-created object does not show the source row of its earlier life: rows up to this version stay hidden.
    pub hides_source_to: Hlc,
}

impl Life {
    /// How often the object was deleted; edits belong to the generation they were made in.
    pub const fn generation(self) -> u32 {
        self.step / 2
    }

    /// Whether the last thing that happened was a deletion.
    pub const fn is_deleted(self) -> bool {
        self.step > 0 && self.step.is_multiple_of(2)
    }
}

/// Which of an object's two lanes, for one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Lanes {
    /// Source rows.
    pub source: bool,
    /// User edits, creations, deletions and purges.
    pub actions: bool,
}

impl Lanes {
    /// Both lanes.
    pub const BOTH: Lanes = Lanes {
        source: true,
        actions: true,
    };

    /// The lanes that both sides want.
    pub const fn and(self, other: Lanes) -> Lanes {
        Lanes {
            source: self.source && other.source,
            actions: self.actions && other.actions,
        }
    }

    /// Whether anything flows.
    pub const fn any(self) -> bool {
        self.source || self.actions
    }
}

/// Everything that is known of one object. Two copies are made one by [`merge`](super::merge()).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectState {
    /// The earliest write that is known: it names where the object comes from.
    pub(super) origin: Dot,
    /// The purge, if there was one: then lanes and life are gone for good.
    pub(super) purged: Option<Dot>,
    pub(super) life: Life,
    pub(crate) source: Option<SourceRow>,
    pub(super) edits: BTreeMap<PropertyId, Register<Write>>,
    pub(crate) security: Register<Security>,
}

impl ObjectState {
    /// An object of which only its first write is known: what local operations start from. It is not there for readers
    /// until it has a row or was created.
    pub fn blank(hlc: Hlc, me: EnrollmentId) -> ObjectState {
        ObjectState {
            origin: Dot { hlc, enrollment: me },
            purged: None,
            life: Life::default(),
            source: None,
            edits: BTreeMap::new(),
            security: Register::default(),
        }
    }

    /// The enrollment of the earliest known write.
    pub fn origin(&self) -> EnrollmentId {
        self.origin.enrollment
    }

    /// The source row.
    pub fn source(&self) -> Option<&SourceRow> {
        self.source.as_ref()
    }

    /// The source row, unless it belongs to an earlier life.
    pub(super) fn shown_source(&self) -> Option<&SourceRow> {
        let hidden = self.life.hides_source_to;
        self.source.as_ref().filter(|source| source.version > hidden)
    }

    /// Created and deleted how often.
    pub fn life(&self) -> Life {
        self.life
    }

    /// Whether readers see the object at all.
    pub fn is_live(&self) -> bool {
        self.purged.is_none()
            && !self.life.is_deleted()
            && (self.life.step > 0 || self.shown_source().is_some())
    }

    /// Whether users deleted or purged it.
    pub fn is_deleted(&self) -> bool {
        self.purged.is_some() || self.life.is_deleted()
    }

    /// Whether it was purged.
    pub fn is_purged(&self) -> bool {
        self.purged.is_some()
    }

    /// The register of each property that was ever edited.
    pub fn edits(&self) -> impl Iterator<Item = (PropertyId, &Register<Write>)> {
        self.edits.iter().map(|(id, register)| (*id, register))
    }

    /// The edit that is seen of a property: the last of the present life.
    pub fn edit_of(&self, id: PropertyId) -> Option<(Dot, &Write)> {
        shown(self.edits.get(&id)?, self.life.generation())
    }

    /// Classification and markings. Concurrent changes are joined to the most restrictive until somebody who saw them
    /// decides.
    pub fn security(&self, levels: &Levels) -> Security {
        self.security
            .writes()
            .fold(Security::unrestricted(), |joined, (_, one)| {
                joined.join(one.clone(), levels)
            })
    }

    /// Everything that was seen by whoever wrote this state.
    pub fn vector(&self) -> VersionVector {
        let mut vector = self.security.seen().clone();
        for register in self.edits.values() {
            vector.join(register.seen());
        }
        let source = self.source.as_ref().map(|source| Dot {
            hlc: source.version,
            enrollment: source.owner,
        });
        for dot in [self.purged, self.life.by, source].into_iter().flatten() {
            vector.record(dot);
        }
        vector
    }

    /// The latest clock in it. An importer compares it with its own before it believes it ([`Hlc::observe`]).
    pub fn newest(&self) -> Hlc {
        self.vector().newest().max(self.life.hides_source_to)
    }

    /// The part of the state that flows: these lanes, and these properties under new numbers. The security always goes
    /// along. Also says how many properties were left out.
    pub(crate) fn restricted(
        &self,
        lanes: Lanes,
        renumber: impl Fn(PropertyId) -> Option<PropertyId>,
    ) -> Result<(ObjectState, usize), Malformed> {
        let mut part = ObjectState {
            origin: self.origin,
            purged: self.purged.filter(|_| lanes.actions),
            life: if lanes.actions { self.life } else { Life::default() },
            source: None,
            edits: BTreeMap::new(),
            security: self.security.clone(),
        };
        let mut left_out = std::collections::BTreeSet::new();
        if let Some(source) = self.source.as_ref().filter(|_| lanes.source) {
            let mut as_it_is = true;
            let mut kept = Vec::new();
            for (id, value) in source.row.iter() {
                as_it_is &= renumber(id) == Some(id);
                match renumber(id) {
                    Some(new) => kept.push((new, value)),
                    None => {
                        left_out.insert(id);
                    }
                }
            }
            let row = if as_it_is {
                source.row.clone()
            } else {
                Row::of_encoded(kept)?
            };
            part.source = Some(SourceRow { row, ..*source });
        }
        for (id, register) in self.edits.iter().filter(|_| lanes.actions) {
            match renumber(*id) {
                Some(new) => {
                    part.edits.insert(new, register.clone());
                }
                None => {
                    left_out.insert(*id);
                }
            }
        }
        Ok((part, left_out.len()))
    }

    /// The state that is sent: these lanes and these properties, under the numbers they have here. A row of which
    /// everything goes is copied as it is.
    pub fn exported(
        &self,
        lanes: Lanes,
        properties: &std::collections::BTreeSet<PropertyId>,
    ) -> Result<ObjectState, Malformed> {
        let (state, _) = self.restricted(lanes, |id| properties.contains(&id).then_some(id))?;
        Ok(state)
    }

    /// Whether it says nothing but where it came from and its security.
    pub fn is_hollow(&self) -> bool {
        self.purged.is_none() && self.life.step == 0 && self.source.is_none() && self.edits.is_empty()
    }
}

/// The last write of a generation.
pub(super) fn shown(register: &Register<Write>, generation: u32) -> Option<(Dot, &Write)> {
    register
        .writes()
        .rev()
        .find(|(_, write)| write.generation == generation)
}
