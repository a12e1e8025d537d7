//! An object that arrived, in local terms.

use super::Mapping;
use crate::artifact;
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

    /// Every value is of its property's type, the row is complete, and what follows from the object's key does.
    fn check(&self, key: &ObjectKey, local: &ObjectType) -> Result<(), ItemRefusal> {
        let keyed = local.keyed_values(key)?.into_iter();
        let keyed = keyed.map(|(id, value)| Ok((id, EncodedValue::of(&value)?)));
        let keyed: Vec<(PropertyId, EncodedValue)> = keyed.collect::<Result<_, Malformed>>()?;
        let keeps_key = |id: PropertyId, value: Option<&[u8]>| {
            let kept = keyed.iter().find(|(keyed, _)| *keyed == id);
            if kept.is_some_and(|(_, kept)| value != Some(kept.as_bytes())) {
                return Err(mismatch(local, id).into());
            }
            Ok(())
        };
        if let Some(source) = self.source() {
            check_row(source.row.as_ref(), local, |id, value| keeps_key(id, Some(value)))?;
        }
        let is_artifact = local.name.as_str() == artifact::TYPE;
        for (id, register) in self.edits() {
            for (_, write) in register.writes() {
                let value = write.value.as_ref().map(EncodedValue::as_bytes);
                check_value(local, id, value)?;
                if let (true, Some(value), Some(property)) = (is_artifact, value, local.property(id)) {
                    artifact::check_value(property, value)?;
                }
                keeps_key(id, value)?;
            }
        }
        if is_artifact {
            artifact::check_object(key, self)?;
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
    let key = local.property(local.primary_key)?;
    // Of a link, and where the key is a number, more than one text follows from the key.
    let passes = lanes.and(mapping.import).source
        && incoming.owner != me
        && local.name == mapping.local_type
        && local.ends.is_none()
        && key.of == PropertyType::String
        && incoming.row.iter().all(|(id, _)| same(id));
    let keeps_key = |id: PropertyId, value: &[u8]| {
        if id == key.id && !EncodedValue::is_text(value, primary_key) {
            return Err(mismatch(local, id).into());
        }
        Ok(())
    };
    passes.then(|| check_row(incoming.row, local, keeps_key))
}

/// Every value is of its property's type, none is missing, and the object's key is kept.
fn check_row(
    row: RowRef<'_>,
    local: &ObjectType,
    keeps_key: impl Fn(PropertyId, &[u8]) -> Result<(), ItemRefusal>,
) -> Result<(), ItemRefusal> {
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
        keeps_key(id, value)?;
    }
    expected.try_for_each(is_nullable)
}

fn is_nullable(property: &Property) -> Result<(), ItemRefusal> {
    if property.nullable {
        return Ok(());
    }
    Err(ObjectInvalid::Missing(property.name.clone()).into())
}

fn mismatch(local: &ObjectType, id: PropertyId) -> ObjectInvalid {
    let name = local.property(id).map(|property| property.name.clone());
    name.map_or(ObjectInvalid::UnknownProperty(id), ObjectInvalid::KeyMismatch)
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
