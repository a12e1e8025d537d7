//! Artifacts: named, tagged files whose content is addressed by its BLAKE3.
//!
//! What is known of an artifact, beside its bytes, is an object of one built-in type that every space has. So a feed,
//! merge, conflicts, security, retraction, deletion and everything else that objects have, artifacts have as well. No
//! file writes the type, and no call of objects writes its objects: [`Artifact`] is what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::object::{Changes, Hlc, Lanes, ObjectInvalid, ObjectKey, ObjectState};
use crate::ontology::{
    ApiName, Conflicts, InvalidApiName, ObjectType, Property, PropertyId, PropertyType, Schema,
};
use crate::policy::DataType;
use crate::value::{EncodedValue, InvalidValue, Malformed, Value};
use crate::{ArtifactId, Blob, EnrollmentId, Time};

mod check;
mod select;
#[cfg(test)]
mod tests;

pub use check::InvalidArtifact;
pub use select::{Selected, Selection};

/// The name of the built-in type.
pub const TYPE: &str = "peerd_artifact";
/// What the names of built-in types start with: no ontology file defines such a type.
pub const RESERVED_PREFIX: &str = "peerd_";
/// What flows of artifacts: they have no backing source.
pub const LANES: Lanes = Lanes {
    source: false,
    actions: true,
};

const ID: PropertyId = PropertyId(1);
const NAME: PropertyId = PropertyId(2);
const MEDIA_TYPE: PropertyId = PropertyId(3);
const CONTENT: PropertyId = PropertyId(4);
const TAGS: PropertyId = PropertyId(5);
const PREVIOUS: PropertyId = PropertyId(6);

const BLAKE3: &str = "blake3";
const SIZE_BYTES: &str = "size_bytes";

/// What is known of an artifact beside its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// What people call it: any text, and never a path.
    pub name: String,
    /// The media type of its bytes.
    pub media_type: String,
    /// Its bytes.
    pub content: Blob,
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// When somebody last changed what both sides know of it, by the clock of where that was. It follows from the writes.
    pub updated_at: Time,
    /// What it was before, latest first. Known on the side that replaced it and nowhere else.
    pub previous: Vec<Blob>,
}

static BUILT_IN: LazyLock<Option<ObjectType>> = LazyLock::new(|| object_type().ok());

/// The built-in type. There always is one: that it can be made is tested.
pub fn built_in() -> Option<&'static ObjectType> {
    BUILT_IN.as_ref()
}

fn object_type() -> Result<ObjectType, InvalidApiName> {
    let property = |id, name: &str, of, nullable| {
        Ok(Property {
            id,
            name: name.parse()?,
            of,
            nullable,
        })
    };
    let content = PropertyType::Struct(BTreeMap::from([
        (BLAKE3.parse()?, PropertyType::String),
        (SIZE_BYTES.parse()?, PropertyType::Long),
    ]));
    let list = |of: PropertyType| PropertyType::Array(Box::new(of));
    Ok(ObjectType {
        name: TYPE.parse()?,
        title: None,
        primary_key: ID,
        conflicts: Conflicts::UserEditsWin,
        properties: vec![
            property(ID, "artifact_id", PropertyType::String, false)?,
            property(NAME, "name", PropertyType::String, false)?,
            property(MEDIA_TYPE, "media_type", PropertyType::String, false)?,
            property(CONTENT, "content", content.clone(), false)?,
            property(TAGS, "tags", list(PropertyType::String), false)?,
            property(PREVIOUS, "previous", list(content), true)?,
        ],
        ends: None,
    })
}

/// What a peer may know of the built-in type: not what an artifact was before.
pub fn schema() -> Option<Schema> {
    let of = built_in()?;
    let published = of.properties.iter().filter(|property| property.id != PREVIOUS);
    Schema::new(of.name.clone(), of.primary_key, published.cloned().collect()).ok()
}

/// Which data the objects of a type are, for connections and policies.
pub fn data_of(object_type: &str) -> DataType {
    if object_type == TYPE {
        DataType::Artifacts
    } else {
        DataType::Objects
    }
}

/// Whether a type of this name is built in.
pub fn is_reserved(name: &str) -> bool {
    name.starts_with(RESERVED_PREFIX)
}

impl ArtifactId {
    /// The key of its object.
    pub fn key(&self) -> Result<ObjectKey, ObjectInvalid> {
        let of = built_in().ok_or(ObjectInvalid::UnknownProperty(ID))?;
        of.key_of(&Value::String(self.to_string()))
    }
}

impl Artifact {
    /// How many contents that were replaced are kept.
    pub const PREVIOUS_MAX: usize = 3;

    /// What an object of the built-in type says; `None` when it is not live, or not whole: a peer may send anything.
    pub fn of(state: &ObjectState) -> Result<Option<Artifact>, Malformed> {
        if !state.is_live() {
            return Ok(None);
        }
        let value = |id: PropertyId| -> Result<Option<Value>, Malformed> {
            let value = state.edit_of(id).and_then(|(_, write)| write.value.as_ref());
            value.map(EncodedValue::decode).transpose()
        };
        let (Some(Value::String(name)), Some(Value::String(media_type))) = (value(NAME)?, value(MEDIA_TYPE)?)
        else {
            return Ok(None);
        };
        let (Some(content), Some(Value::Array(tags))) =
            (value(CONTENT)?.as_ref().and_then(blob), value(TAGS)?)
        else {
            return Ok(None);
        };
        let previous = match value(PREVIOUS)? {
            Some(Value::Array(items)) => items.iter().filter_map(blob).collect(),
            _ => Vec::new(),
        };
        Ok(Some(Artifact {
            name,
            media_type,
            content,
            tags: tags.into_iter().filter_map(text).collect(),
            updated_at: updated_at(state),
            previous,
        }))
    }

    /// Who said which content an artifact has; `None` when nobody did.
    pub fn content_author(state: &ObjectState) -> Option<EnrollmentId> {
        state.edit_of(CONTENT).map(|(dot, _)| dot.enrollment)
    }

    /// All bytes that a live artifact refers to: those it has, those it had, and those that lost against others and can
    /// still be chosen.
    pub fn blobs_of(state: &ObjectState) -> BTreeSet<Blob> {
        let registers = state.edits().filter(|(id, _)| [CONTENT, PREVIOUS].contains(id));
        let writes = registers.flat_map(|(_, register)| register.writes());
        let values = writes.filter_map(|(_, write)| write.value.as_ref()?.decode().ok());
        let blobs = values.flat_map(|value| match value {
            Value::Array(items) => items.iter().filter_map(blob).collect(),
            value => blob(&value).into_iter().collect::<Vec<Blob>>(),
        });
        blobs.filter(|_| state.is_live()).collect()
    }

    /// Gives it other bytes, and keeps those it has for a while.
    pub fn replace(&mut self, content: Blob) {
        if content == self.content {
            return;
        }
        let before = std::mem::replace(&mut self.content, content);
        self.previous.retain(|one| *one != content && *one != before);
        self.previous.insert(0, before);
        self.previous.truncate(Artifact::PREVIOUS_MAX);
    }

    /// What to write of it that is not so yet.
    pub fn changes(&self, before: Option<&Artifact>) -> Changes {
        let differs =
            |same: fn(&Artifact, &Artifact) -> bool| before.is_none_or(|before| !same(self, before));
        let text = |text: &String| Value::String(text.clone());
        let written = [
            (NAME, differs(|a, b| a.name == b.name), text(&self.name)),
            (
                MEDIA_TYPE,
                differs(|a, b| a.media_type == b.media_type),
                text(&self.media_type),
            ),
            (
                CONTENT,
                differs(|a, b| a.content == b.content),
                written(self.content),
            ),
            (
                TAGS,
                differs(|a, b| a.tags == b.tags),
                Value::Array(self.tags.iter().map(text).collect()),
            ),
            (
                PREVIOUS,
                before.map_or(&Vec::new(), |before| &before.previous) != &self.previous,
                Value::Array(self.previous.iter().copied().map(written).collect()),
            ),
        ];
        let changed = written.into_iter().filter(|(_, changed, _)| *changed);
        Changes(changed.map(|(id, _, value)| (id, Some(value))).collect())
    }

    /// All that a new one says, with its key.
    pub fn created(&self, id: ArtifactId) -> Changes {
        let mut changes = self.changes(None);
        changes.0.insert(ID, Some(Value::String(id.to_string())));
        changes
    }
}

/// No property: two who change different ones at once would both write it.
fn updated_at(state: &ObjectState) -> Time {
    let known = state.edits().filter(|(id, _)| *id != PREVIOUS);
    let newest = known.map(|(_, register)| register.newest()).max();
    newest.map_or(Time::EPOCH, Hlc::time)
}

fn written(blob: Blob) -> Value {
    // Checked where it was made: no file has more bytes than a long has values.
    let size = i64::try_from(blob.size).unwrap_or(i64::MAX);
    let fields = [
        (BLAKE3, Value::String(blob.hash.to_string())),
        (SIZE_BYTES, Value::Long(size)),
    ];
    let named = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.parse::<ApiName>().ok()?, value)));
    Value::Struct(named.collect())
}

fn blob(value: &Value) -> Option<Blob> {
    let Value::Struct(fields) = value else {
        return None;
    };
    match (fields.get(BLAKE3)?, fields.get(SIZE_BYTES)?) {
        (Value::String(blake3), Value::Long(size)) => Some(Blob {
            hash: blake3.parse().ok()?,
            size: u64::try_from(*size).ok()?,
        }),
        _ => None,
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// Checks an object of the built-in type that a peer sent, beyond each of its values: its key is an id, and while it is
/// live it is a whole artifact.
pub(crate) fn check_object(key: &ObjectKey, state: &ObjectState) -> Result<(), ObjectInvalid> {
    let missing = |id| {
        let property = built_in().and_then(|of| of.property(id));
        property.map_or(ObjectInvalid::UnknownProperty(id), |property| {
            ObjectInvalid::Missing(property.name.clone())
        })
    };
    if key.primary_key().parse::<ArtifactId>().is_err() {
        return Err(missing(ID));
    }
    match Artifact::of(state) {
        Ok(None) if state.is_live() => Err(missing(CONTENT)),
        Ok(_) => Ok(()),
        Err(_) => Err(missing(CONTENT)),
    }
}

/// Checks one value of an object of the built-in type that a peer sent, beyond that it is of the property's type.
pub(crate) fn check_value(property: &Property, bytes: &[u8]) -> Result<(), ObjectInvalid> {
    let invalid = |why| ObjectInvalid::Value {
        property: property.name.clone(),
        why,
    };
    let value = EncodedValue::from_bytes(bytes).decode();
    let value = value.map_err(|error| invalid(error.into()))?;
    let checked = match (property.id, &value) {
        (ID, Value::String(id)) => id
            .parse()
            .map(|_: ArtifactId| ())
            .map_err(|_| InvalidArtifact::Id),
        (NAME, Value::String(name)) => check::name(name),
        (MEDIA_TYPE, Value::String(media_type)) => check::media_type(media_type),
        (CONTENT, content) => blob(content).map(|_| ()).ok_or(InvalidArtifact::Digest),
        (TAGS, Value::Array(tags)) => check::tags_in_order(tags),
        _ => Ok(()),
    };
    checked.map_err(|why| invalid(InvalidValue::Artifact(why)))
}
