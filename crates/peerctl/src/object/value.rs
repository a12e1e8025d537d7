//! Values of properties as natural JSON.

use std::collections::BTreeMap;

use peerd_wire::data::v1 as pb;
use peerd_wire::data::v1::value::Kind;
use serde_json::{Value, json};

use crate::field::time;

/// A value as JSON: numbers as numbers, decimals as text since JSON's numbers would round them, null when unset.
pub(super) fn natural(value: pb::Value) -> Value {
    let Some(kind) = value.kind else {
        return Value::Null;
    };
    match kind {
        Kind::StringValue(text)
        | Kind::DecimalValue(text)
        | Kind::DateValue(text)
        | Kind::ReferenceValue(text)
        | Kind::ArtifactValue(text) => Value::String(text),
        Kind::BooleanValue(truth) => Value::Bool(truth),
        Kind::IntegerValue(number) => number.into(),
        Kind::LongValue(number) => number.into(),
        // Not finite becomes null, as JSON knows no such number.
        Kind::DoubleValue(number) => number.into(),
        Kind::TimestampValue(at) => time(Some(at)).into(),
        Kind::GeopointValue(pb::Geopoint { latitude, longitude }) => {
            json!({"latitude": latitude, "longitude": longitude})
        }
        Kind::ArrayValue(pb::ArrayValue { items }) => items.into_iter().map(natural).collect(),
        Kind::StructValue(pb::StructValue { fields }) => Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| (name, natural(value)))
                .collect(),
        ),
    }
}

/// Values by property name.
pub(super) fn properties(values: BTreeMap<String, pb::Value>) -> BTreeMap<String, Value> {
    values
        .into_iter()
        .map(|(name, value)| (name, natural(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(kind: Kind) -> pb::Value {
        pb::Value { kind: Some(kind) }
    }

    #[test]
    fn every_kind_of_value_is_natural_json() {
        let at = prost_types::Timestamp {
            seconds: 1_357_034_400,
            nanos: 0,
        };
        let place = pb::Geopoint {
            latitude: 40.64,
            longitude: -73.78,
        };
        let several = pb::ArrayValue {
            items: vec![value(Kind::IntegerValue(1)), pb::Value::default()],
        };
        let named = pb::StructValue {
            fields: BTreeMap::from([("a".to_owned(), value(Kind::BooleanValue(true)))]),
        };
        let table = [
            (Kind::StringValue("JFK".into()), json!("JFK")),
            (Kind::BooleanValue(false), json!(false)),
            (Kind::IntegerValue(-13), json!(-13)),
            (Kind::LongValue(i64::MAX), json!(9_223_372_036_854_775_807_i64)),
            (Kind::DoubleValue(0.5), json!(0.5)),
            (Kind::DoubleValue(f64::NAN), json!(null)),
            (Kind::DecimalValue("1.10".into()), json!("1.10")),
            (Kind::DateValue("2013-01-01".into()), json!("2013-01-01")),
            (Kind::TimestampValue(at), json!("2013-01-01T10:00:00Z")),
            (
                Kind::GeopointValue(place),
                json!({"latitude": 40.64, "longitude": -73.78}),
            ),
            (Kind::ReferenceValue("JFK".into()), json!("JFK")),
            (Kind::ArtifactValue("art_1".into()), json!("art_1")),
            (Kind::ArrayValue(several), json!([1, null])),
            (Kind::StructValue(named), json!({"a": true})),
        ];
        for (kind, expected) in table {
            assert_eq!(natural(value(kind)), expected);
        }
        assert_eq!(natural(pb::Value::default()), Value::Null);
    }
}
