//! An object that arrived, in local terms.

use super::Mapping;
use crate::object::{Lanes, ObjectInvalid, ObjectKey, ObjectState, Register};
use crate::ontology::{ObjectType, PropertyId};
use crate::value::{EncodedValue, InvalidValue, Malformed};
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
                let name = local.property(id).map(|p| p.name.clone());
                return Err(name.map_or(ObjectInvalid::UnknownProperty(id), ObjectInvalid::KeyMismatch));
            }
            Ok(())
        };
        if let Some(source) = self.source() {
            let mut present = Vec::with_capacity(local.properties.len());
            for (id, value) in source.row.iter() {
                check_value(local, id, Some(value))?;
                keeps_key(id, Some(value))?;
                present.push(id);
            }
            let missing = local
                .properties
                .iter()
                .find(|p| !p.nullable && present.binary_search(&p.id).is_err());
            if let Some(missing) = missing {
                return Err(ObjectInvalid::Missing(missing.name.clone()).into());
            }
        }
        for (id, register) in self.edits() {
            for (_, write) in register.writes() {
                let value = write.value.as_ref().map(EncodedValue::as_bytes);
                check_value(local, id, value)?;
                keeps_key(id, value)?;
            }
        }
        Ok(())
    }
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
    property
        .of
        .check_encoded(bytes)
        .map_err(|why: InvalidValue| ObjectInvalid::Value {
            property: property.name.clone(),
            why,
        })
}
