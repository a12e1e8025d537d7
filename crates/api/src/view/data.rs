//! Objects, values and conflicts as messages.

use peerd_core::object::{Edited, Provenance};
use peerd_core::value::Value;
use peerd_node::object::{ConflictView, LoadProgress, Named, ObjectView, Rejection, SourceView};
use peerd_wire::data::v1 as pb;
use peerd_wire::data::v1::value::Kind;

use super::timestamp;

/// An object with all that is known of it.
pub(crate) fn object(view: ObjectView) -> pb::Object {
    let ObjectView {
        key,
        rid,
        properties,
        source,
        edits,
        deleted,
        origin,
        security,
        provenance: Provenance { hops, via },
    } = view;
    pb::Object {
        object_type: key.object_type().to_string(),
        key: key.primary_key().to_owned(),
        rid: rid.to_string(),
        properties: named(properties, value),
        source: source.map(source_row),
        edits: named(edits, edit),
        deleted,
        origin_enrollment_id: origin.to_string(),
        classification: security
            .classification
            .map(|level| level.to_string())
            .unwrap_or_default(),
        markings: security.markings.iter().map(ToString::to_string).collect(),
        hops: hops.into(),
        via_connection_id: via.map(|via| via.to_string()).unwrap_or_default(),
    }
}

/// An object as lists have it.
pub(crate) fn summary(view: ObjectView) -> pb::Object {
    object(ObjectView {
        source: None,
        edits: Named::new(),
        ..view
    })
}

/// A value that lost.
pub(crate) fn conflict(view: ConflictView) -> pb::Conflict {
    let ConflictView {
        id,
        key,
        property,
        winner,
        loser,
    } = view;
    pb::Conflict {
        conflict_id: id.to_string(),
        object_type: key.object_type().to_string(),
        key: key.primary_key().to_owned(),
        property: property.map(|name| name.to_string()).unwrap_or_default(),
        winner: winner.map(edit),
        loser: Some(edit(loser)),
    }
}

/// How far a load is.
pub(crate) fn progress(progress: LoadProgress) -> pb::LoadObjectsResponse {
    let LoadProgress {
        read,
        written,
        unchanged,
        rejected,
        rejections,
    } = progress;
    pb::LoadObjectsResponse {
        read,
        written,
        unchanged,
        rejected,
        rejections: rejections.into_iter().map(rejection).collect(),
    }
}

fn rejection(rejection: Rejection) -> pb::Rejection {
    let Rejection {
        line,
        reason,
        message,
    } = rejection;
    pb::Rejection {
        line,
        reason: reason.word().to_owned(),
        message,
    }
}

fn source_row(source: SourceView) -> pb::SourceRow {
    pb::SourceRow {
        properties: named(source.properties, value),
        enrollment_id: source.owner.to_string(),
    }
}

fn edit(edited: Edited) -> pb::Edit {
    pb::Edit {
        value: Some(edited.value.map_or(pb::Value { kind: None }, value)),
        at: Some(timestamp(edited.by.hlc.time())),
        enrollment_id: edited.by.enrollment.to_string(),
    }
}

fn named<T, M, O>(all: Named<T>, render: impl Fn(T) -> M) -> O
where
    O: FromIterator<(String, M)>,
{
    all.into_iter()
        .map(|(name, one)| (name.into(), render(one)))
        .collect()
}

/// A value. It is as deep as its type, which is at most four.
fn value(value: Value) -> pb::Value {
    let kind = match value {
        Value::String(text) => Kind::StringValue(text),
        Value::Boolean(yes) => Kind::BooleanValue(yes),
        Value::Integer(number) => Kind::IntegerValue(number),
        Value::Long(number) => Kind::LongValue(number),
        Value::Double(number) => Kind::DoubleValue(number.as_f64()),
        Value::Decimal(number) => Kind::DecimalValue(number.normalize().to_string()),
        Value::Date(day) => Kind::DateValue(day.to_string()),
        Value::Timestamp(time) => Kind::TimestampValue(timestamp(time)),
        Value::Geopoint(place) => Kind::GeopointValue(pb::Geopoint {
            latitude: place.lat(),
            longitude: place.lon(),
        }),
        Value::Reference(key) => Kind::ReferenceValue(key),
        Value::Artifact(id) => Kind::ArtifactValue(id),
        Value::Array(items) => Kind::ArrayValue(pb::ArrayValue {
            items: items.into_iter().map(self::value).collect(),
        }),
        Value::Struct(fields) => Kind::StructValue(pb::StructValue {
            fields: named(fields, self::value),
        }),
    };
    pb::Value { kind: Some(kind) }
}
