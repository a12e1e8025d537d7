//! Objects of a type that has every type of property, with texts that nobody would wish for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use peerd_core::object::{Dot, Hlc, Life, Register, SourceRow, StateParts, VersionVector, Write};
use peerd_core::ontology::{ApiName, Property, PropertyId, PropertyType, Schema};
use peerd_core::security::Security;
use peerd_core::value::{EncodedValue, Finite, Geopoint, Properties, Row, Value};
use peerd_core::{ConnectionId, EnrollmentId, Time};
use peerd_node::exchange::{Change, Item};
use peerd_relay::Schemas;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use crate::samples::{connection, name};

/// Knows one schema in revision 3.
#[derive(Debug)]
pub(crate) struct Known(pub(crate) Schema);

impl Schemas for Known {
    fn schema(&self, of: ConnectionId, object_type: &str, revision: u64) -> Option<Cow<'_, Schema>> {
        let known = of == connection() && revision == 3 && self.0.name().as_str() == object_type;
        known.then_some(Cow::Borrowed(&self.0))
    }
}

fn api(name: &str) -> ApiName {
    name.parse().expect("an api name")
}

fn structure(fields: &[(&str, PropertyType)]) -> PropertyType {
    let fields = fields.iter().map(|(name, of)| (api(name), of.clone()));
    PropertyType::Struct(fields.collect())
}

/// Every type of property, under names that the form itself uses too.
pub(crate) fn schema() -> Schema {
    use PropertyType::{
        Array, Artifact, Boolean, Date, Decimal, Double, Geopoint, Integer, Long, Reference, String,
        Timestamp,
    };
    let inner = structure(&[("c", String), ("value", Array(Box::new(Long)))]);
    let types = [
        ("key", String),
        ("signature", String),
        ("flag", Boolean),
        ("small", Integer),
        ("large", Long),
        ("real", Double),
        ("exact", Decimal),
        ("day", Date),
        ("at", Timestamp),
        ("place", Geopoint),
        ("plane", Reference { to: api("plane") }),
        ("file", Artifact),
        ("list", Array(Box::new(String))),
        ("i", structure(&[("a", inner), ("b", Boolean), ("null", Double)])),
    ];
    let properties = types.into_iter().zip(1..).map(|((name, of), id)| Property {
        id: PropertyId(id * 3),
        name: api(name),
        of,
        nullable: name != "key",
    });
    Schema::new(api("flight"), PropertyId(3), properties.collect()).expect("a schema")
}

/// Texts, hostile ones among them.
pub(crate) fn text() -> BoxedStrategy<String> {
    let odd = prop::sample::select(vec![
        "",
        " ",
        "\n",
        "\t x \t",
        "a\r\nb\r",
        "\0",
        "\u{1}\u{1f}\u{7f}\u{85}",
        "\u{fffe}\u{ffff}\u{fffd}",
        "]]>",
        "<![CDATA[x]]>",
        "&amp;&#0;&lt;",
        "<!ENTITY x \"y\">",
        "<?xml version=\"1.0\"?>",
        "\\",
        "\\u0041",
        "\\\\u",
        "</flight><flight n=\"1\">",
        "<!-- -->",
        "\u{202e}right to left",
        "e\u{301}\u{e9}",
        "\u{10ffff}",
        "<signature>",
        "  two  blanks  ",
        "\u{feff}",
        "'\"",
    ]);
    prop_oneof![
        3 => odd.prop_map(str::to_owned),
        3 => "(?s).{0,30}",
        2 => "[a-zA-Z0-9 ]{0,200}",
    ]
    .boxed()
}

/// A primary key.
pub(crate) fn key() -> BoxedStrategy<String> {
    text()
        .prop_map(|text| text.replace('\0', "0"))
        .prop_filter("a key", |text| !text.is_empty() && text.len() <= 512)
        .boxed()
}

fn value(of: &PropertyType) -> BoxedStrategy<Value> {
    match of {
        PropertyType::String => text().prop_map(Value::String).boxed(),
        PropertyType::Reference { .. } => text().prop_map(Value::Reference).boxed(),
        PropertyType::Artifact => text().prop_map(Value::Artifact).boxed(),
        PropertyType::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        PropertyType::Integer => any::<i32>().prop_map(Value::Integer).boxed(),
        PropertyType::Long => any::<i64>().prop_map(Value::Long).boxed(),
        PropertyType::Double => prop_oneof![any::<f64>(), -1e3..1e3, Just(0.1), Just(1e300), Just(5e-324)]
            .prop_filter_map("finite", |number| Finite::new(number).map(Value::Double))
            .boxed(),
        PropertyType::Timestamp => prop_oneof![
            -62_135_596_800_000_000..=253_402_300_799_999_999_i64,
            Just(-62_135_596_800_000_000),
            Just(253_402_300_799_999_999),
            Just(1_357_034_400_000_000),
        ]
        .prop_map(|micros| Value::Timestamp(Time::from_micros(micros)))
        .boxed(),
        PropertyType::Decimal | PropertyType::Date => {
            let texts: &[&str] = match of {
                PropertyType::Decimal => &[
                    "0",
                    "-1.5",
                    "79228162514264337593543950335",
                    "0.0000000000000000000000000001",
                ],
                _ => &["0001-01-01", "1970-01-01", "2024-02-29", "9999-12-31"],
            };
            let of = of.clone();
            prop::sample::select(texts.to_vec())
                .prop_map(move |text| of.parse_text(text).expect("of its type"))
                .boxed()
        }
        PropertyType::Geopoint => (-90.0..=90.0_f64, -180.0..=180.0_f64)
            .prop_filter_map("a place", |(lat, lon)| {
                Geopoint::new(lat, lon).map(Value::Geopoint)
            })
            .boxed(),
        PropertyType::Array(of) => vec(value(of), 0..4).prop_map(Value::Array).boxed(),
        PropertyType::Struct(fields) => {
            let fields = fields
                .iter()
                .map(|(name, of)| (Just(name.clone()), option::of(value(of))));
            fields
                .collect::<Vec<_>>()
                .prop_map(|fields| {
                    let there = fields
                        .into_iter()
                        .filter_map(|(name, value)| Some((name, value?)));
                    Value::Struct(there.collect())
                })
                .boxed()
        }
    }
}

fn hlc() -> impl Strategy<Value = Hlc> {
    let wall = prop_oneof![
        0..2_000_000_u64,
        Just(253_402_300_799_999_999),
        Just(1_357_034_400_000_000)
    ];
    (wall, any::<u16>()).prop_filter_map("a clock", |(wall, counter)| Hlc::new(wall, counter))
}

fn dot() -> impl Strategy<Value = Dot> {
    (hlc(), 0..5_u8).prop_map(|(hlc, by)| Dot {
        hlc,
        enrollment: EnrollmentId::from_bytes([by; 32]),
    })
}

fn register<T: Clone + Ord + std::fmt::Debug + 'static>(
    one: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Register<T>> {
    (vec(dot(), 0..3), btree_map(dot(), one, 0..3)).prop_map(|(seen, writes)| {
        let mut vector = VersionVector::default();
        for dot in seen {
            vector.record(dot);
        }
        Register::of(vector, writes)
    })
}

fn security() -> impl Strategy<Value = Register<Security>> {
    let one = (option::of(Just(name("secret"))), any::<[bool; 2]>()).prop_map(|(classification, which)| {
        let names = ["medical", "eyes-only"].into_iter().zip(which);
        Security {
            classification,
            markings: names
                .filter(|(_, is)| *is)
                .map(|(marking, _)| name(marking))
                .collect(),
        }
    });
    register(one)
}

fn row() -> BoxedStrategy<Row> {
    let values = schema()
        .properties()
        .iter()
        .map(|property| (Just(property.id), option::of(value(&property.of))))
        .collect::<Vec<_>>();
    values
        .prop_map(|values| {
            let there = values.into_iter().filter_map(|(id, value)| Some((id, value?)));
            Row::of(&there.collect::<Properties>()).expect("small")
        })
        .boxed()
}

fn edits() -> BoxedStrategy<BTreeMap<PropertyId, Register<Write>>> {
    let registers = schema()
        .properties()
        .iter()
        .map(|property| {
            let value = option::of(value(&property.of));
            let write = (0..4_u32, value).prop_map(|(generation, value)| Write {
                generation,
                value: value.map(|value| EncodedValue::of(&value).expect("small")),
            });
            (Just(property.id), option::weighted(0.3, register(write)))
        })
        .collect::<Vec<_>>();
    registers
        .prop_map(|registers| {
            let written = registers
                .into_iter()
                .filter_map(|(id, register)| Some((id, register?)));
            written.filter(|(_, register)| !register.is_empty()).collect()
        })
        .boxed()
}

/// The state of an object with a few hops before it, as it is sent.
pub(crate) fn state() -> BoxedStrategy<Vec<u8>> {
    let life = option::of((1..6_u32, dot(), hlc())).prop_map(|life| match life {
        None => Life::default(),
        Some((step, by, hides_source_to)) => Life {
            step,
            by: Some(by),
            hides_source_to,
        },
    });
    let source = option::of((0..5_u8, hlc(), row())).prop_map(|source| {
        source.map(|(owner, version, row)| SourceRow {
            owner: EnrollmentId::from_bytes([owner; 32]),
            version,
            row,
        })
    });
    let parts = (
        dot(),
        option::weighted(0.1, dot()),
        life,
        source,
        edits(),
        security(),
    );
    (parts, 0..=16_u8)
        .prop_map(|((origin, purged, life, source, edits, security), hops)| {
            let gone = purged.is_some();
            let parts = StateParts {
                origin,
                purged,
                life: if gone { Life::default() } else { life },
                source: source.filter(|_| !gone),
                edits: if gone { BTreeMap::new() } else { edits },
                security,
            };
            [&[hops][..], &parts.encode().expect("a state")].concat()
        })
        .boxed()
}

/// An object, or its retraction.
pub(crate) fn item() -> impl Strategy<Value = Item> {
    (key(), option::weighted(0.9, state())).prop_map(|(key, state)| Item {
        key,
        change: state.map_or(Change::Retraction, |state| Change::State(state.into())),
    })
}
