//! Objects as elements that people can read: each property under its name, with its type's text, and beside it who
//! wrote it and when, so that the canonical bytes of the state come out of it again.

use std::collections::BTreeMap;
use std::fmt::Display;

use peerd_core::EnrollmentId;
use peerd_core::object::{
    Dot, Hlc, Life, ObjectKey, ObjectState, Provenance, Register, SourceRow, StateParts, VersionVector, Write,
};
use peerd_core::ontology::{Property, PropertyId, PropertyType, Schema};
use peerd_core::security::Security;
use peerd_core::value::{EncodedValue, Properties, Row};
use peerd_node::exchange::{Change, Item};

use super::out::Out;
use super::value;
use super::walk::{Element, Walk};
use crate::Refused;

/// The most enrollments that the objects of one bundle may name.
pub(super) const ENROLLMENTS_MAX: usize = 4_096;

/// The enrollments that objects name, each once: an object names them by their place.
#[derive(Default)]
pub(super) struct Table {
    places: BTreeMap<EnrollmentId, usize>,
    list: Vec<EnrollmentId>,
}

impl Table {
    fn place(&mut self, enrollment: EnrollmentId) -> usize {
        *self.places.entry(enrollment).or_insert_with(|| {
            self.list.push(enrollment);
            self.list.len() - 1
        })
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn write(&self, out: &mut Out) {
        out.open("enrollments");
        for enrollment in &self.list {
            out.leaf("enrollment", &enrollment.to_string());
        }
        out.close("enrollments");
        out.line();
    }

    pub(super) fn read(walk: &mut Walk<'_>) -> Result<Table, Refused> {
        let mut table = Table::default();
        walk.open_plain("enrollments")?;
        while let Some(enrollment) = walk.optional("enrollment")? {
            table.list.push(enrollment);
            if table.list.len() > ENROLLMENTS_MAX {
                return Err(walk.refused("there are too many enrollments"));
            }
        }
        walk.close()?;
        Ok(table)
    }
}

/// Why an object cannot be written in this form.
pub(super) type Unfit = String;

/// Writes one object.
pub(super) fn write(
    out: &mut Out,
    table: &mut Table,
    schema: &Schema,
    number: u32,
    item: &Item,
) -> Result<(), Unfit> {
    let Item { key, change } = item;
    let name = schema.name().as_str();
    match change {
        Change::Retraction => {
            out.open_with(name, &[("n", &number)]);
            out.text("key", key);
            out.empty("retraction", &[]);
        }
        Change::State(bytes) => {
            let (hops, state) = bytes.split_first().ok_or("it has no state")?;
            let state = ObjectState::decode(state).map_err(|error| error.to_string())?;
            out.open_with(name, &[("n", &number)]);
            out.text("key", key);
            out.open_with("state", &[("hops", hops)]);
            write_state(out, table, schema, state.into_parts())?;
            out.close("state");
        }
    }
    out.close(name);
    out.line();
    Ok(())
}

fn write_state(out: &mut Out, table: &mut Table, schema: &Schema, parts: StateParts) -> Result<(), Unfit> {
    let StateParts {
        origin,
        purged,
        life,
        source,
        edits,
        security,
    } = parts;
    write_dot(out, table, "origin", origin, &[]);
    if let Some(purged) = purged {
        write_dot(out, table, "purged", purged, &[]);
    }
    if let (Some(by), true) = (life.by, life.step > 0) {
        let hides = life.hides_source_to;
        let more: [(&str, &dyn Display); 3] = [
            ("step", &life.step),
            ("hides-wall", &hides.wall_micros()),
            ("hides-count", &hides.counter()),
        ];
        write_dot(out, table, "life", by, &more);
    }
    if let Some(SourceRow { owner, version, row }) = source {
        let (place, wall, count) = (table.place(owner), version.wall_micros(), version.counter());
        out.open_with("source", &[("by", &place), ("wall", &wall), ("count", &count)]);
        for (id, bytes) in row.iter() {
            property(schema, id)?
                .of
                .check_encoded(bytes)
                .map_err(|error| error.to_string())?;
        }
        for (id, value) in row.decode().map_err(|error| error.to_string())?.iter() {
            let Property { name, of, .. } = property(schema, id)?;
            value::write(out, name.as_str(), of, value);
        }
        out.close("source");
    }
    if !security.is_empty() {
        out.open("security");
        write_register(out, table, &security, |out, dot, one| {
            write_security(out, dot, one);
            Ok(())
        })?;
        out.close("security");
    }
    if !edits.is_empty() {
        out.open("edits");
        for (id, register) in &edits {
            let Property { name, of, .. } = property(schema, *id)?;
            out.open(name.as_str());
            write_register(out, table, register, |out, dot, write| {
                write_edit(out, dot, of, write)
            })?;
            out.close(name.as_str());
        }
        out.close("edits");
    }
    Ok(())
}

fn write_security(out: &mut Out, dot: &[(&str, &dyn Display)], one: &Security) {
    out.open_with("write", dot);
    if let Some(level) = &one.classification {
        out.leaf("classification", level.as_str());
    }
    for marking in &one.markings {
        out.leaf("marking", marking.as_str());
    }
    out.close("write");
}

fn write_edit(
    out: &mut Out,
    dot: &[(&str, &dyn Display)],
    of: &PropertyType,
    write: &Write,
) -> Result<(), Unfit> {
    let generation: (&str, &dyn Display) = ("generation", &write.generation);
    out.open_with("write", &[&[generation], dot].concat());
    match &write.value {
        None => out.empty("null", &[]),
        Some(encoded) => {
            of.check_encoded(encoded.as_bytes())
                .map_err(|error| error.to_string())?;
            let value = encoded.decode().map_err(|error| error.to_string())?;
            value::write(out, "value", of, &value);
        }
    }
    out.close("write");
    Ok(())
}

fn property(schema: &Schema, id: PropertyId) -> Result<&Property, Unfit> {
    schema
        .property(id)
        .ok_or_else(|| format!("property {} is not in the schema", id.0))
}

fn write_dot(out: &mut Out, table: &mut Table, name: &str, dot: Dot, more: &[(&str, &dyn Display)]) {
    let (place, wall, count) = (
        table.place(dot.enrollment),
        dot.hlc.wall_micros(),
        dot.hlc.counter(),
    );
    let own: [(&str, &dyn Display); 3] = [("by", &place), ("wall", &wall), ("count", &count)];
    out.empty(name, &[&own, more].concat());
}

fn write_register<T: Clone + Ord>(
    out: &mut Out,
    table: &mut Table,
    register: &Register<T>,
    write: impl Fn(&mut Out, &[(&str, &dyn Display)], &T) -> Result<(), Unfit>,
) -> Result<(), Unfit> {
    for dot in register.seen_beyond() {
        write_dot(out, table, "seen", dot, &[]);
    }
    for (dot, one) in register.writes() {
        let (place, wall, count) = (
            table.place(dot.enrollment),
            dot.hlc.wall_micros(),
            dot.hlc.counter(),
        );
        write(out, &[("by", &place), ("wall", &wall), ("count", &count)], one)?;
    }
    Ok(())
}

/// Reads one object, whose element was opened, to its end. Also says its number.
pub(super) fn read(
    walk: &mut Walk<'_>,
    table: &Table,
    schema: &Schema,
    element: &Element<'_>,
) -> Result<(u32, Item), Refused> {
    let [number] = walk.attributes(element, ["n"])?;
    let number = walk.number(&number)?;
    walk.open_plain("key")?;
    let key = walk.escaped_text(ObjectKey::PRIMARY_KEY_MAX)?;
    ObjectKey::check(&key).map_err(|error| walk.refused(error))?;
    let change = if walk.is_at("retraction")? {
        walk.open_plain("retraction")?;
        walk.close()?;
        Change::Retraction
    } else {
        let state = walk.open("state")?;
        let [hops] = walk.attributes(&state, ["hops"])?;
        let hops: u8 = walk.number(&hops)?;
        if hops > Provenance::HOPS_MAX {
            return Err(walk.refused("it crossed more connections than any may"));
        }
        let parts = Reading {
            walk: &mut *walk,
            table,
            schema,
        }
        .state()?;
        let bytes = parts.encode().map_err(|error| walk.refused(error))?;
        walk.close()?;
        Change::State([&[hops][..], &bytes].concat().into())
    };
    walk.close()?;
    Ok((number, Item { key, change }))
}

struct Reading<'w, 'a> {
    walk: &'w mut Walk<'a>,
    table: &'w Table,
    schema: &'w Schema,
}

impl Reading<'_, '_> {
    fn state(&mut self) -> Result<StateParts, Refused> {
        let (origin, []) = self.dot("origin", [])?;
        let purged = if self.walk.is_at("purged")? {
            Some(self.dot("purged", []).map(|(dot, [])| dot)?)
        } else {
            None
        };
        let life = if self.walk.is_at("life")? {
            let (by, [step, wall, count]) = self.dot("life", ["step", "hides-wall", "hides-count"])?;
            Life {
                step: self.walk.number(&step)?,
                by: Some(by),
                hides_source_to: self.clock(&wall, &count)?,
            }
        } else {
            Life::default()
        };
        Ok(StateParts {
            origin,
            purged,
            life,
            source: self.source()?,
            security: self.security()?,
            edits: self.edits()?,
        })
    }

    fn source(&mut self) -> Result<Option<SourceRow>, Refused> {
        if !self.walk.is_at("source")? {
            return Ok(None);
        }
        let element = self.walk.open("source")?;
        let [by, wall, count] = self.walk.attributes(&element, ["by", "wall", "count"])?;
        let (owner, version) = (self.enrollment(&by)?, self.clock(&wall, &count)?);
        let schema = self.schema;
        let mut row = Properties::default();
        for Property { id, name, of, .. } in schema.properties() {
            if self.walk.is_at(name.as_str())? {
                self.walk.open_plain(name.as_str())?;
                row.insert(*id, value::read(self.walk, of)?);
            }
        }
        self.walk.close()?;
        let row = Row::of(&row).map_err(|error| self.walk.refused(error))?;
        Ok(Some(SourceRow { owner, version, row }))
    }

    fn security(&mut self) -> Result<Register<Security>, Refused> {
        if !self.walk.is_at("security")? {
            return Ok(Register::default());
        }
        self.walk.open_plain("security")?;
        let register = self.register([], |reading, []| {
            let mut one = Security {
                classification: reading.walk.optional("classification")?,
                ..Security::default()
            };
            while let Some(marking) = reading.walk.optional("marking")? {
                if !one.markings.insert(marking) || one.markings.len() > ObjectState::MARKINGS_MAX {
                    return Err(reading
                        .walk
                        .refused("a marking stands twice, or there are too many"));
                }
            }
            Ok(one)
        })?;
        self.walk.close()?;
        Ok(register)
    }

    fn edits(&mut self) -> Result<BTreeMap<PropertyId, Register<Write>>, Refused> {
        let mut edits = BTreeMap::new();
        if !self.walk.is_at("edits")? {
            return Ok(edits);
        }
        self.walk.open_plain("edits")?;
        let schema = self.schema;
        for Property { id, name, of, .. } in schema.properties() {
            if !self.walk.is_at(name.as_str())? {
                continue;
            }
            self.walk.open_plain(name.as_str())?;
            let register = self.register(["generation"], |reading, [generation]| {
                let generation = reading.walk.number(&generation)?;
                let value = if reading.walk.is_at("null")? {
                    reading.walk.open_plain("null")?;
                    reading.walk.close()?;
                    None
                } else {
                    reading.walk.open_plain("value")?;
                    let value = value::read(reading.walk, of)?;
                    Some(EncodedValue::of(&value).map_err(|error| reading.walk.refused(error))?)
                };
                Ok(Write { generation, value })
            })?;
            self.walk.close()?;
            edits.insert(*id, register);
        }
        self.walk.close()?;
        Ok(edits)
    }

    /// The register of the present element, up to its end.
    fn register<T: Clone + Ord, const N: usize>(
        &mut self,
        more: [&str; N],
        read: impl Fn(&mut Self, [String; N]) -> Result<T, Refused>,
    ) -> Result<Register<T>, Refused> {
        let (mut seen, mut writes) = (VersionVector::default(), BTreeMap::new());
        while self.walk.is_at("seen")? {
            let (dot, []) = self.dot("seen", [])?;
            seen.record(dot);
            if seen.len() > ObjectState::ENROLLMENTS_MAX {
                return Err(self.walk.refused("there are too many writers"));
            }
        }
        while self.walk.is_at("write")? {
            let element = self.walk.open("write")?;
            let (dot, more) = self.dot_of(&element, more)?;
            let one = read(self, more)?;
            self.walk.close()?;
            if writes.insert(dot, one).is_some() || writes.len() > ObjectState::WRITES_MAX {
                return Err(self.walk.refused("a write stands twice, or there are too many"));
            }
        }
        Ok(Register::of(seen, writes))
    }

    /// An empty element that is a dot, with more attributes.
    fn dot<const N: usize>(&mut self, name: &str, more: [&str; N]) -> Result<(Dot, [String; N]), Refused> {
        let element = self.walk.open(name)?;
        let dot = self.dot_of(&element, more)?;
        self.walk.close()?;
        Ok(dot)
    }

    fn dot_of<const N: usize>(
        &self,
        element: &Element<'_>,
        more: [&str; N],
    ) -> Result<(Dot, [String; N]), Refused> {
        let (own, rest) = self.walk.attributes_and(element, ["by", "wall", "count"], more)?;
        let [by, wall, count] = own;
        let dot = Dot {
            enrollment: self.enrollment(&by)?,
            hlc: self.clock(&wall, &count)?,
        };
        Ok((dot, rest))
    }

    fn enrollment(&self, place: &str) -> Result<EnrollmentId, Refused> {
        let place: usize = self.walk.number(place)?;
        let found = self.table.list.get(place).copied();
        found.ok_or_else(|| self.walk.refused("it names an enrollment that is not listed"))
    }

    fn clock(&self, wall: &str, count: &str) -> Result<Hlc, Refused> {
        Hlc::new(self.walk.number(wall)?, self.walk.number(count)?)
            .ok_or_else(|| self.walk.refused("a clock is beyond its end"))
    }
}
