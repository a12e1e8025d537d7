//! An object that arrived, in local terms.

use super::Mapping;
use crate::object::{Lanes, ObjectInvalid, ObjectKey, ObjectState, PlainState, Register};
use crate::ontology::{ObjectType, Property, PropertyId, PropertyType};
use crate::value::{EncodedValue, InvalidValue, Malformed, RowRef};
use crate::{EnrollmentId, Reason};

/// What becomes of an object that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translated {
    /// Its key here.
    pub key: ObjectKey,
    /// Its state under local numbers, with nothing in it that is not mapped.
    pub state: ObjectState,
    /// How many properties were left out because they are not mapped.
    pub dropped: usize,
}

/// Why one object is refused. The rest of its batch goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemRefusal {
    /// Its type is not the one mapped.
    #[error("the object is not of the mapped type")]
    WrongType,
    /// It does not fit the local type.
    #[error(transparent)]
    Invalid(#[from] ObjectInvalid),
    /// Its bytes are damaged or too many.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It claims a row of our own source.
    #[error("the object claims a row of this enrollment's own source")]
    SourceOwned,
    /// Nothing of it may come in.
    #[error("nothing of the object may come in")]
    NothingMapped,
}

impl ItemRefusal {
    /// The stable word that is sent back and recorded.
    pub const fn reason(&self) -> Reason {
        match self {
            ItemRefusal::Malformed(Malformed::TooLarge) => Reason::TooLarge,
            ItemRefusal::SourceOwned => Reason::SourceOwned,
            _ => Reason::ObjectInvalid,
        }
    }
}

/// Turns an object of the other side into local terms: numbers are translated, values are checked against the local
/// types, and everything that is not mapped or not of these lanes is left out.
///
/// `ours` is the state that is here already, if any: a row that names `me` as its owner must be one that we wrote, or
/// older, because nobody else writes our source.
pub fn translate(
    key: &ObjectKey,
    incoming: &ObjectState,
    mapping: &Mapping,
    lanes: Lanes,
    local: &ObjectType,
    (me, ours): (EnrollmentId, Option<&ObjectState>),
) -> Result<Translated, ItemRefusal> {
    if *key.object_type() != mapping.remote_type || local.name != mapping.local_type {
        return Err(ItemRefusal::WrongType);
    }
    let lanes = lanes.and(mapping.import);
    // Where all numbers are equal this copies the row as it is; values are never re-encoded in any case.
    let (mut state, dropped) = incoming.restricted(lanes, |id| mapping.local(id))?;
    if state.is_hollow() {
        return Err(ItemRefusal::NothingMapped);
    }
    state.disown(me, ours, lanes)?;
    let key = key.under(mapping.local_type.clone());
    state.check(&key, local)?;
    Ok(Translated { key, state, dropped })
}

impl ObjectState {
    /// Refuses a row of our own source that we did not write; one that is not newer than ours is left out, because
    /// ours is at least as good.
    fn disown(
        &mut self,
        me: EnrollmentId,
        ours: Option<&ObjectState>,
        lanes: Lanes,
    ) -> Result<(), ItemRefusal> {
        let Some(claimed) = self.source().filter(|source| source.owner == me) else {
            return Ok(());
        };
        let known = ours
            .and_then(ObjectState::source)
            .is_some_and(|own| own.owner == me && own.version >= claimed.version);
        if !known {
            return Err(ItemRefusal::SourceOwned);
        }
        self.source = None;
        if !lanes.actions {
            // Without the actions lane nothing of it is theirs to change, its security least of all.
            self.security = Register::default();
        }
        Ok(())
    }

    /// Every value is of its property's type, the row is complete, and the primary key is the object's.
    fn check(&self, key: &ObjectKey, local: &ObjectType) -> Result<(), ItemRefusal> {
        let primary_key = key.primary_key();
        if let Some(source) = self.source() {
            check_row(source.row.as_ref(), primary_key, local)?;
        }
        for (id, register) in self.edits() {
            for (_, write) in register.writes() {
                let value = write.value.as_ref().map(EncodedValue::as_bytes);
                check_value(local, id, value)?;
                check_key(local, primary_key, id, value)?;
            }
        }
        Ok(())
    }
}

/// Checks an object of the other side that is its source row and nothing else, where it needs no translation: the
/// source lane flows, and every property has the same number on both sides. What it says is what [`translate`] says;
/// `None` where that takes more, or may come to something else than the same bytes.
pub fn pass_plain(
    primary_key: &str,
    incoming: &PlainState<'_>,
    mapping: &Mapping,
    lanes: Lanes,
    local: &ObjectType,
    me: EnrollmentId,
) -> Option<Result<(), ItemRefusal>> {
    let same = |id: PropertyId| mapping.local(id) == Some(id);
    let passes = lanes.and(mapping.import).source
        && incoming.owner != me
        && local.name == mapping.local_type
        && incoming.row.iter().all(|(id, _)| same(id));
    passes.then(|| check_row(incoming.row, primary_key, local))
}

/// Every value is of its property's type, none is missing, and the primary key is the object's.
fn check_row(row: RowRef<'_>, primary_key: &str, local: &ObjectType) -> Result<(), ItemRefusal> {
    // Both are in the order of the numbers.
    let mut expected = local.properties.iter();
    for (id, value) in row.iter() {
        let property = loop {
            match expected.next() {
                Some(property) if property.id < id => is_nullable(property)?,
                Some(property) if property.id == id => break property,
                _ => return Err(ObjectInvalid::UnknownProperty(id).into()),
            }
        };
        check_encoded(property, value)?;
        check_key(local, primary_key, id, Some(value))?;
    }
    expected.try_for_each(is_nullable)
}

fn is_nullable(property: &Property) -> Result<(), ItemRefusal> {
    if property.nullable {
        return Ok(());
    }
    Err(ObjectInvalid::Missing(property.name.clone()).into())
}

/// A value of the primary key is the one the object is known by.
fn check_key(
    local: &ObjectType,
    primary_key: &str,
    id: PropertyId,
    value: Option<&[u8]>,
) -> Result<(), ItemRefusal> {
    if id != local.primary_key {
        return Ok(());
    }
    let property = local.property(id).ok_or(ObjectInvalid::UnknownProperty(id))?;
    let is_key = match (value, &property.of) {
        (Some(value), PropertyType::String) => EncodedValue::is_text(value, primary_key),
        (value, _) => value == Some(EncodedValue::of(&local.key_value(primary_key)?)?.as_bytes()),
    };
    if is_key {
        return Ok(());
    }
    Err(ObjectInvalid::KeyMismatch(property.name.clone()).into())
}

fn check_value(local: &ObjectType, id: PropertyId, value: Option<&[u8]>) -> Result<(), ObjectInvalid> {
    let property = local.property(id).ok_or(ObjectInvalid::UnknownProperty(id))?;
    let Some(bytes) = value else {
        return if property.nullable {
            Ok(())
        } else {
            Err(ObjectInvalid::Missing(property.name.clone()))
        };
    };
    check_encoded(property, bytes)
}

fn check_encoded(property: &Property, bytes: &[u8]) -> Result<(), ObjectInvalid> {
    property
        .of
        .check_encoded(bytes)
        .map_err(|why: InvalidValue| ObjectInvalid::Value {
            property: property.name.clone(),
            why,
        })
}
