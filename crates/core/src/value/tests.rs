use std::collections::BTreeMap;

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::ontology::PropertyType;

fn name(text: &str) -> ApiName {
    text.parse().expect("a name")
}

fn nested() -> PropertyType {
    PropertyType::Struct(BTreeMap::from([
        (
            name("codes"),
            PropertyType::Array(Box::new(PropertyType::Integer)),
        ),
        (name("label"), PropertyType::String),
    ]))
}

/// A type together with values of it.
fn plain() -> impl Strategy<Value = (PropertyType, Value)> {
    let reference = PropertyType::Reference { to: name("airport") };
    let finite = any::<f64>().prop_filter_map("finite", Finite::new);
    let day = (1_i16..=9999, 1_i8..=12, 1_i8..=28);
    let micros = -62_135_596_800_000_000_i64..=253_402_300_799_999_999;
    prop_oneof![
        ".{0,12}".prop_map(|text| (PropertyType::String, Value::String(text))),
        any::<bool>().prop_map(|value| (PropertyType::Boolean, Value::Boolean(value))),
        any::<i32>().prop_map(|value| (PropertyType::Integer, Value::Integer(value))),
        any::<i64>().prop_map(|value| (PropertyType::Long, Value::Long(value))),
        finite.prop_map(|value| (PropertyType::Double, Value::Double(value))),
        (any::<i64>(), 0_u32..=28).prop_map(|(mantissa, scale)| {
            let number = Decimal::from_i128_with_scale(mantissa.into(), scale).normalize();
            (PropertyType::Decimal, Value::Decimal(number))
        }),
        day.prop_map(|(y, m, d)| (
            PropertyType::Date,
            Value::Date(Date::new(y, m, d).expect("a date"))
        )),
        micros.prop_map(|at| (PropertyType::Timestamp, Value::Timestamp(Time::from_micros(at)))),
        (-90.0..=90.0, -180.0..=180.0).prop_map(|(lat, lon)| {
            let place = Geopoint::new(lat, lon).expect("a place");
            (PropertyType::Geopoint, Value::Geopoint(place))
        }),
        "[a-z]{1,8}".prop_map(move |key| (reference.clone(), Value::Reference(key))),
        "[a-z]{1,8}".prop_map(|id| (PropertyType::Artifact, Value::Artifact(id))),
    ]
}

fn typed() -> impl Strategy<Value = (PropertyType, Value)> {
    let structs = (
        prop::collection::vec(any::<i32>(), 0..4),
        prop::option::of(".{0,5}"),
    );
    prop_oneof![
        4 => plain(),
        1 => plain().prop_map(|(of, value)| {
            let twice = vec![value.clone(), value];
            (PropertyType::Array(Box::new(of)), Value::Array(twice))
        }),
        1 => structs.prop_map(|(codes, label)| {
            let codes = Value::Array(codes.into_iter().map(Value::Integer).collect());
            let mut fields = BTreeMap::from([(name("codes"), codes)]);
            fields.extend(label.map(|label| (name("label"), Value::String(label))));
            (nested(), Value::Struct(fields))
        }),
    ]
}

fn rows() -> impl Strategy<Value = Properties> {
    prop::collection::btree_map(any::<u16>(), typed(), 0..6).prop_map(|values| {
        let numbered = values.into_iter().map(|(id, (_, value))| (PropertyId(id), value));
        numbered.collect()
    })
}

proptest! {
    #[test]
    fn a_value_survives_its_encoding_and_fits_its_type((of, value) in typed()) {
        let encoded = EncodedValue::of(&value).expect("small");
        prop_assert_eq!(encoded.decode(), Ok(value.clone()));
        prop_assert_eq!(of.check_encoded(encoded.as_bytes()), Ok(()));
        prop_assert!(of.admits(&value));
        prop_assert!(PropertyType::Array(Box::new(PropertyType::Artifact)).check_encoded(encoded.as_bytes()).is_err()
            || matches!(&value, Value::Array(items) if items.iter().all(|item| matches!(item, Value::Artifact(_)))));
    }

    #[test]
    fn a_value_survives_json((of, value) in typed()) {
        let text = value.to_json().to_string();
        let json: serde_json::Value = serde_json::from_str(&text).expect("json");
        let back = of.from_json(&json).expect("a value");
        // Text to double may differ in the last place where the JSON parser does not promise more.
        if !text.contains('.') && !text.contains('e') {
            prop_assert_eq!(back, value);
        }
    }

    #[test]
    fn a_row_survives_its_encoding(row in rows()) {
        let encoded = Row::of(&row).expect("small");
        prop_assert_eq!(encoded.decode().expect("canonical"), row);
        prop_assert_eq!(Row::from_bytes(encoded.as_bytes()), Ok(encoded));
    }

    #[test]
    fn random_bytes_never_panic_and_what_is_accepted_is_canonical(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(value) = EncodedValue::from_bytes(&bytes).decode() {
            prop_assert_eq!(EncodedValue::of(&value), Ok(EncodedValue::from_bytes(&bytes)));
        }
        if let Ok(row) = Row::from_bytes(&bytes)
            && let Ok(values) = row.decode()
        {
            prop_assert_eq!(Row::of(&values), Ok(row));
        }
    }

    #[test]
    fn a_mutated_value_never_panics_and_stays_canonical(
        (of, value) in typed(), place in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = EncodedValue::of(&value).expect("small").as_bytes().to_vec();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let decoded = EncodedValue::from_bytes(&bytes).decode();
        if let Ok(value) = &decoded {
            prop_assert_eq!(EncodedValue::of(value), Ok(EncodedValue::from_bytes(&bytes)));
        }
        // The check that builds nothing agrees with the decoder.
        prop_assert_eq!(of.check_encoded(&bytes).is_ok(), decoded.is_ok_and(|value| of.admits(&value)));
    }

    #[test]
    fn text_never_panics(text in ".{0,40}") {
        for of in [PropertyType::Date, PropertyType::Timestamp, PropertyType::Decimal, PropertyType::Geopoint, nested()] {
            let _ = of.parse_text(&text);
        }
    }
}

#[test]
fn the_encoding_of_each_type_is_fixed() {
    let place = Geopoint::new(40.0, -73.5).expect("a place");
    let golden: [(Value, &[u8]); 13] = [
        (Value::String("é".into()), b"\x01\x02\xc3\xa9"),
        (Value::Boolean(false), b"\x02"),
        (Value::Boolean(true), b"\x03"),
        (Value::Integer(-1), b"\x04\x01"),
        (Value::Long(150), b"\x05\xac\x02"),
        (
            Value::Double(Finite::new(-0.0).expect("finite")),
            b"\x06\0\0\0\0\0\0\0\0",
        ),
        (Value::Decimal(Decimal::new(1250, 3)), b"\x07\x02\xfa\x01"),
        (Value::Date(Date::constant(1970, 1, 2)), b"\x08\x02"),
        (Value::Timestamp(Time::from_micros(1)), b"\x09\x02"),
        (
            Value::Geopoint(place),
            b"\x0a\x40\x44\0\0\0\0\0\0\xc0\x52\x60\0\0\0\0\0",
        ),
        (Value::Reference("EWR".into()), b"\x0b\x03EWR"),
        (Value::Array(vec![Value::Boolean(true)]), b"\x0d\x01\x03"),
        (
            Value::Struct(BTreeMap::from([(name("a"), Value::Integer(0))])),
            b"\x0e\x01\x01a\x04\x00",
        ),
    ];
    for (value, bytes) in golden {
        assert_eq!(
            EncodedValue::of(&value).expect("small").as_bytes(),
            bytes,
            "{value:?}"
        );
    }
}

#[test]
fn bytes_with_another_spelling_or_without_meaning_are_refused() {
    let refused: [(&[u8], Malformed); 10] = [
        (b"", Malformed::Truncated),
        (b"\x02\x00", Malformed::Trailing),
        (b"\x05\x80\x00", Malformed::NotCanonical),
        (b"\x06\x80\0\0\0\0\0\0\0", Malformed::NotCanonical),
        (b"\x06\x7f\xf0\0\0\0\0\0\0", Malformed::Meaningless),
        (b"\x07\x01\x14", Malformed::NotCanonical),
        (b"\x01\x01\xff", Malformed::Meaningless),
        (b"\x0d\xff\xff\x03\x03", Malformed::Truncated),
        (b"\x0d\x01\x0d\x01\x0d\x01\x0d\x01\x03", Malformed::TooLarge),
        (b"\x63", Malformed::Meaningless),
    ];
    for (bytes, why) in refused {
        assert_eq!(EncodedValue::from_bytes(bytes).decode(), Err(why), "{bytes:?}");
    }
    assert_eq!(
        Row::from_bytes(b"\x02\x01\x02\x01\x01\x02"),
        Err(Malformed::NotCanonical)
    );
    assert_eq!(
        Row::from_bytes(b"\x01\x01\x02\x01\x01\x02"),
        Err(Malformed::NotCanonical)
    );
    assert_eq!(Row::from_bytes(b"\x01\x09\x02"), Err(Malformed::Truncated));
}

#[test]
fn text_is_read_strictly() {
    let parse = |of: PropertyType, text: &str| of.parse_text(text);
    assert_eq!(parse(PropertyType::Integer, "-7"), Ok(Value::Integer(-7)));
    let too_big = Err(InvalidValue::OutOfRange { expected: "integer" });
    assert_eq!(parse(PropertyType::Integer, "2147483648"), too_big);
    assert_eq!(
        parse(PropertyType::Timestamp, "2013-01-01T05:00:00-05:00"),
        Ok(Value::Timestamp(Time::from_micros(1_357_034_400_000_000)))
    );
    assert_eq!(
        parse(PropertyType::Decimal, "1.50"),
        Ok(Value::Decimal(Decimal::new(15, 1)))
    );
    assert_eq!(
        parse(nested(), r#"{"codes":[1,2],"label":null}"#),
        nested().from_json(&serde_json::json!({"codes": [1, 2]}))
    );
    for (of, text) in [
        (PropertyType::Integer, " 7"),
        (PropertyType::Integer, "+7"),
        (PropertyType::Integer, "7.0"),
        (PropertyType::Long, "9223372036854775808"),
        (PropertyType::Double, "inf"),
        (PropertyType::Double, "NaN"),
        (PropertyType::Double, "1e999"),
        (PropertyType::Decimal, "1e3"),
        (PropertyType::Decimal, "0.12345678901234567890123456789012345"),
        (PropertyType::Boolean, "True"),
        (PropertyType::Date, "2013-02-30"),
        (PropertyType::Date, "2013-01-01T00:00:00Z"),
        (PropertyType::Timestamp, "2013-01-01T05:00:00"),
        (PropertyType::Geopoint, "91,0"),
        (PropertyType::Geopoint, "1;2"),
        (nested(), r#"{"codes":["x"]}"#),
        (nested(), r#"{"other":1}"#),
        (nested(), "["),
    ] {
        assert!(of.parse_text(text).is_err(), "{of} must refuse {text:?}");
    }
    let long = "x".repeat(STRING_BYTES_MAX + 1);
    assert!(matches!(
        parse(PropertyType::String, &long),
        Err(InvalidValue::TooLong { .. })
    ));
}

#[test]
fn json_is_read_by_type_and_never_rounded() {
    let read = |of: PropertyType, json: serde_json::Value| of.from_json(&json);
    assert_eq!(
        read(PropertyType::Decimal, serde_json::json!(12.5)),
        Ok(Value::Decimal(Decimal::new(125, 1)))
    );
    assert!(read(PropertyType::Decimal, serde_json::json!(0.123_456_789_012_345_6)).is_err());
    assert!(read(PropertyType::Integer, serde_json::json!(1.5)).is_err());
    assert!(read(PropertyType::String, serde_json::json!(1)).is_err());
    assert!(read(PropertyType::String, serde_json::Value::Null).is_err());
    let reference = PropertyType::Reference { to: name("flight") };
    assert_eq!(
        read(reference, serde_json::json!(42)),
        Ok(Value::Reference("42".into()))
    );
}
