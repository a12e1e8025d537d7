//! The canonical byte form of an object's state: what is stored, and what crosses a connection.
//!
//! All numbers are least-length varints unless said otherwise; every order is strictly ascending.
//!
//! ```text
//! state    := 1 (format version)
//!             flags byte: 1 purged, 2 life, 4 source
//!             count, enrollment id (32 bytes) …          every enrollment named below, once
//!             origin dot
//!             [purged dot]  [life]  [source]
//!             register of security
//!             count, (property number, register of write) …
//! dot      := place of the enrollment in the table, clock
//! clock    := wall microseconds, counter
//! life     := step (not 0), dot, clock up to which source rows are hidden
//! source   := place of the owner, clock, length, row bytes
//! register := count, dot …                               what was seen beyond the writes that stand, by enrollment
//!             count, (dot, content) …                    the writes that stand
//! write    := generation, 0 for null or the length of the value, value bytes
//! security := 0 or 1 and a level (length, text); count, markings (length, text) …
//! ```
//!
//! Equal states have equal bytes and decoding refuses every other spelling. Values inside rows and writes are carried as
//! they are; they are checked where they meet a type.

use std::collections::{BTreeMap, BTreeSet};

use super::{Dot, Hlc, Life, ObjectState, Register, SourceRow, VersionVector, Write};
use crate::EnrollmentId;
use crate::name::Name;
use crate::ontology::{ObjectType, PropertyId};
use crate::security::Security;
use crate::value::bytes::{Malformed, Reader, Writer};
use crate::value::{EncodedValue, ROW_BYTES_MAX, Row};

pub(super) const VERSION: u8 = 1;
const PURGED: u8 = 1;
const LIFE: u8 = 2;
pub(super) const SOURCE: u8 = 4;

impl ObjectState {
    /// The largest state, in bytes.
    pub const BYTES_MAX: usize = 16 << 20;
    /// The most enrollments that can have written to one object.
    pub const ENROLLMENTS_MAX: usize = 256;
    /// The most writes that can stand side by side in one register.
    pub const WRITES_MAX: usize = 256;
    /// The most markings of one security.
    pub const MARKINGS_MAX: usize = 256;

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut table: BTreeSet<EnrollmentId> = self.vector().iter().map(|dot| dot.enrollment).collect();
        table.insert(self.origin.enrollment);
        let mut out = Encoder {
            out: Writer::with_capacity(self.size_hint()),
            table: table.into_iter().collect(),
        };
        let flag = |set: bool, bit| if set { bit } else { 0 };
        out.out.byte(VERSION);
        out.out.byte(
            flag(self.purged.is_some(), PURGED)
                | flag(self.life.step > 0, LIFE)
                | flag(self.source.is_some(), SOURCE),
        );
        out.table();
        out.dot(&self.origin);
        if let Some(purged) = &self.purged {
            out.dot(purged);
        }
        if let (Some(by), true) = (&self.life.by, self.life.step > 0) {
            out.out.varint(self.life.step.into());
            out.dot(by);
            out.clock(self.life.hides_source_to);
        }
        if let Some(source) = &self.source {
            out.place(&source.owner);
            out.clock(source.version);
            out.out.bytes(source.row.as_bytes());
        }
        out.register(&self.security, write_security);
        out.out.count(self.edits.len());
        for (id, register) in &self.edits {
            out.out.varint(id.0.into());
            out.register(register, write_write);
        }
        out.out.into_bytes()
    }

    /// Reads a state from bytes of any origin.
    pub fn decode(bytes: &[u8]) -> Result<ObjectState, Malformed> {
        if bytes.len() > ObjectState::BYTES_MAX {
            return Err(Malformed::TooLarge);
        }
        let mut input = Decoder::start(bytes)?;
        let flags = input.flags;
        let origin = input.dot()?;
        let purged = if flags & PURGED == 0 {
            None
        } else {
            Some(input.dot()?)
        };
        let life = if flags & LIFE == 0 {
            Life::default()
        } else {
            input.life()?
        };
        let source = if flags & SOURCE == 0 {
            None
        } else {
            Some(input.source()?)
        };
        let security = input.register(read_security)?;
        let mut edits = BTreeMap::new();
        for _ in 0..input.rest.count(ObjectType::PROPERTIES_MAX)? {
            let id = PropertyId(input.rest.varint()?);
            if edits.last_key_value().is_some_and(|(last, _)| *last >= id) {
                return Err(Malformed::NotCanonical);
            }
            let register = input.register(read_write)?;
            if register.is_empty() {
                return Err(Malformed::NotCanonical);
            }
            edits.insert(id, register);
        }
        input.end()?;
        let emptied = life == Life::default() && source.is_none() && edits.is_empty();
        if purged.is_some() && !emptied {
            return Err(Malformed::NotCanonical);
        }
        Ok(ObjectState {
            origin,
            purged,
            life,
            source,
            edits,
            security,
        })
    }

    /// Whether the state can be stored and sent: everything that [`ObjectState::decode`] would refuse is refused here.
    pub(super) fn within_limits(&self) -> Result<(), Malformed> {
        // One more than the vector names: the origin.
        let widest = self
            .edits
            .values()
            .map(|register| register.writes().len())
            .chain([self.security.writes().len()])
            .max();
        let markings = self.security.writes().map(|(_, one)| one.markings.len()).max();
        if self.vector().len() >= ObjectState::ENROLLMENTS_MAX
            || widest > Some(ObjectState::WRITES_MAX)
            || markings > Some(ObjectState::MARKINGS_MAX)
            || self.edits.len() > ObjectType::PROPERTIES_MAX
            || self.size_hint() > ObjectState::BYTES_MAX
        {
            return Err(Malformed::TooLarge);
        }
        Ok(())
    }

    /// At least the number of bytes that the encoding takes.
    fn size_hint(&self) -> usize {
        // A dot takes at most 2 + 9 + 3 bytes, a write's generation and length 9, a marking or level 65.
        let dots = |seen: &VersionVector, writes: usize| 8 + 14 * (seen.len() + writes);
        let edits: usize = self
            .edits
            .values()
            .map(|register| {
                let values: usize = register
                    .writes()
                    .map(|(_, write)| 9 + write.value.as_ref().map_or(0, |value| value.as_bytes().len()))
                    .sum();
                dots(register.seen(), register.writes().len()) + values
            })
            .sum();
        let security: usize = self
            .security
            .writes()
            .map(|(_, one)| 70 + 65 * one.markings.len())
            .sum();
        let row = self
            .source
            .as_ref()
            .map_or(0, |source| source.row.as_bytes().len());
        let enrollments = 32 * (self.vector().len() + 1);
        100 + enrollments + row + security + dots(self.security.seen(), self.security.writes().len()) + edits
    }
}

struct Encoder {
    out: Writer,
    table: Vec<EnrollmentId>,
}

impl Encoder {
    fn table(&mut self) {
        self.out.count(self.table.len());
        for enrollment in &self.table {
            self.out.raw(enrollment.as_bytes());
        }
    }

    fn place(&mut self, enrollment: &EnrollmentId) {
        // The table was made from the same state, so the search finds it.
        let (Ok(place) | Err(place)) = self.table.binary_search(enrollment);
        self.out.count(place);
    }

    fn clock(&mut self, clock: Hlc) {
        self.out.varint(clock.wall_micros());
        self.out.varint(clock.counter().into());
    }

    fn dot(&mut self, dot: &Dot) {
        self.place(&dot.enrollment);
        self.clock(dot.hlc);
    }

    fn register<T: Clone + Ord>(&mut self, register: &Register<T>, write: impl Fn(&mut Writer, &T)) {
        let mut implied = VersionVector::default();
        for (dot, _) in register.writes() {
            implied.record(dot);
        }
        let beyond: Vec<Dot> = register
            .seen()
            .iter()
            .filter(|seen| !implied.covers(seen))
            .collect();
        self.out.count(beyond.len());
        for dot in &beyond {
            self.dot(dot);
        }
        self.out.count(register.writes().len());
        for (dot, value) in register.writes() {
            self.dot(&dot);
            write(&mut self.out, value);
        }
    }
}

fn write_write(out: &mut Writer, write: &Write) {
    out.varint(write.generation.into());
    out.bytes(write.value.as_ref().map_or(&[], EncodedValue::as_bytes));
}

fn write_security(out: &mut Writer, security: &Security) {
    match &security.classification {
        None => out.byte(0),
        Some(level) => {
            out.byte(1);
            out.bytes(level.as_str().as_bytes());
        }
    }
    out.count(security.markings.len());
    for marking in &security.markings {
        out.bytes(marking.as_str().as_bytes());
    }
}

struct Decoder<'a> {
    rest: Reader<'a>,
    flags: u8,
    /// Each enrollment of the table, and whether anything named it.
    table: Vec<(EnrollmentId, bool)>,
}

impl<'a> Decoder<'a> {
    fn start(bytes: &'a [u8]) -> Result<Decoder<'a>, Malformed> {
        let mut rest = Reader::new(bytes);
        if rest.byte()? != VERSION {
            return Err(Malformed::Version);
        }
        let flags = rest.byte()?;
        if flags & !(PURGED | LIFE | SOURCE) != 0 {
            return Err(Malformed::Meaningless);
        }
        let mut table: Vec<(EnrollmentId, bool)> = Vec::new();
        for _ in 0..rest.count(ObjectState::ENROLLMENTS_MAX)? {
            let enrollment = EnrollmentId::from_bytes(rest.array()?);
            if table.last().is_some_and(|(last, _)| *last >= enrollment) {
                return Err(Malformed::NotCanonical);
            }
            table.push((enrollment, false));
        }
        Ok(Decoder { rest, flags, table })
    }

    fn end(self) -> Result<(), Malformed> {
        if self.table.iter().any(|(_, named)| !named) {
            return Err(Malformed::NotCanonical);
        }
        self.rest.end()
    }

    fn enrollment(&mut self) -> Result<EnrollmentId, Malformed> {
        let place: usize = self.rest.varint()?;
        let (enrollment, named) = self.table.get_mut(place).ok_or(Malformed::Meaningless)?;
        *named = true;
        Ok(*enrollment)
    }

    fn clock(&mut self) -> Result<Hlc, Malformed> {
        let (wall, counter) = (self.rest.varint()?, self.rest.varint()?);
        Hlc::new(wall, counter).ok_or(Malformed::Meaningless)
    }

    fn dot(&mut self) -> Result<Dot, Malformed> {
        Ok(Dot {
            enrollment: self.enrollment()?,
            hlc: self.clock()?,
        })
    }

    fn life(&mut self) -> Result<Life, Malformed> {
        let step = self.rest.varint()?;
        if step == 0 || step > Life::STEP_MAX {
            return Err(Malformed::Meaningless);
        }
        Ok(Life {
            step,
            by: Some(self.dot()?),
            hides_source_to: self.clock()?,
        })
    }

    fn source(&mut self) -> Result<SourceRow, Malformed> {
        Ok(SourceRow {
            owner: self.enrollment()?,
            version: self.clock()?,
            row: Row::from_bytes(self.rest.bytes(ROW_BYTES_MAX)?)?,
        })
    }

    fn register<T: Clone + Ord>(
        &mut self,
        read: impl Fn(&mut Reader<'a>) -> Result<T, Malformed>,
    ) -> Result<Register<T>, Malformed> {
        let mut beyond: Vec<Dot> = Vec::new();
        for _ in 0..self.rest.count(ObjectState::ENROLLMENTS_MAX)? {
            let dot = self.dot()?;
            if beyond
                .last()
                .is_some_and(|last| last.enrollment >= dot.enrollment)
            {
                return Err(Malformed::NotCanonical);
            }
            beyond.push(dot);
        }
        let mut seen = VersionVector::default();
        let mut writes = BTreeMap::new();
        for _ in 0..self.rest.count(ObjectState::WRITES_MAX)? {
            let dot = self.dot()?;
            if writes.last_key_value().is_some_and(|(last, _)| *last >= dot) {
                return Err(Malformed::NotCanonical);
            }
            writes.insert(dot, read(&mut self.rest)?);
            seen.record(dot);
        }
        for dot in beyond {
            // What the writes already say is not said again.
            if seen.covers(&dot) {
                return Err(Malformed::NotCanonical);
            }
            seen.record(dot);
        }
        Ok(Register::from_parts(seen, writes))
    }
}

fn read_write(input: &mut Reader<'_>) -> Result<Write, Malformed> {
    let generation = input.varint()?;
    let value = input.bytes(ROW_BYTES_MAX)?;
    Ok(Write {
        generation,
        value: (!value.is_empty()).then(|| EncodedValue::from_bytes(value)),
    })
}

fn read_name(input: &mut Reader<'_>) -> Result<Name, Malformed> {
    input.text(Name::MAX)?.parse().map_err(|_| Malformed::Meaningless)
}

fn read_security(input: &mut Reader<'_>) -> Result<Security, Malformed> {
    let classification = match input.byte()? {
        0 => None,
        1 => Some(read_name(input)?),
        _ => return Err(Malformed::Meaningless),
    };
    let mut markings = BTreeSet::new();
    for _ in 0..input.count(ObjectState::MARKINGS_MAX)? {
        let marking = read_name(input)?;
        if markings.last().is_some_and(|last| *last >= marking) {
            return Err(Malformed::NotCanonical);
        }
        markings.insert(marking);
    }
    Ok(Security {
        classification,
        markings,
    })
}
