//! The XML form: for guards that read every file, and for the people who decide what such a guard lets through.
//!
//! One kind of records in a file, every element in one place, no nesting beyond what a type has, nothing compressed. The
//! signature is over values, not over bytes, and stands apart from them: in an element of its own at the end, or in a
//! file of its own. Whoever indents, re-encodes or thins out the file leaves every remaining record verifiable.

use std::borrow::Cow;

use peerd_core::ontology::Schema;
use peerd_core::signature::Purpose;
use peerd_core::{ConnectionId, Reason};
use peerd_node::exchange::Flow;

use crate::bundle::{Opened, Opening, Writing, check};
use crate::hash::{self, Leaves};
use crate::record::{Objects, Scope};
use crate::{CannotWrite, Header, Kind, Records, Refused};
use head::{BUNDLE, NAMESPACE, SIGNATURE, Signature};
use out::Out;
use walk::Walk;

mod charset;
mod head;
mod moment;
mod object;
mod out;
mod record;
mod text;
mod value;
mod walk;
mod xsd;

pub use xsd::xsd;

/// The version of this form, as its root element says it.
const VERSION: &str = "1";

/// Knows the schemas of types, by which objects are written and read.
pub trait Schemas: std::fmt::Debug {
    /// The schema of a type as the exporting side published it in a sharing revision; `None` when it is not known here.
    fn schema(&self, connection: ConnectionId, object_type: &str, revision: u64) -> Option<Cow<'_, Schema>>;
}

/// Writes the file. The header is complete.
pub(crate) fn write(
    header: &Header,
    scope: &Scope,
    leaves: &Leaves,
    records: &Records,
    schemas: &dyn Schemas,
    writing: &Writing<'_>,
) -> Result<Vec<u8>, CannotWrite> {
    let mut out = Out::new();
    out.raw(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.open_with(BUNDLE, &[("xmlns", &NAMESPACE), ("version", &VERSION)]);
    out.line();
    head::write_header(&mut out, header)?;
    head::write_scope(&mut out, scope);
    let kind = header.kind.word();
    out.open(kind);
    out.line();
    match records {
        Records::Objects(objects) => write_objects(&mut out, header, objects, schemas)?,
        Records::Parity(_) => return Err(CannotWrite::facts("redundancy is for the sealed form")),
        records => record::write_all(&mut out, records),
    }
    out.close(kind);
    out.line();
    let signature = writing.signer.sign(Purpose::Bundle, &header.canonical())?;
    head::write_signature(&mut out, &signature, &leaves.hashes);
    out.close(BUNDLE);
    out.line();
    Ok(out.into_bytes())
}

fn write_objects(
    out: &mut Out,
    header: &Header,
    objects: &Objects,
    schemas: &dyn Schemas,
) -> Result<(), CannotWrite> {
    let Objects { flow, items, .. } = objects;
    let schema = schemas
        .schema(flow.connection, &flow.object_type, header.schema_revision)
        .filter(|schema| schema.name().as_str() == flow.object_type)
        .ok_or_else(|| CannotWrite::SchemaMissing {
            object_type: flow.object_type.clone(),
        })?;
    // The objects say which enrollments stand in the table before them.
    let (mut table, mut written) = (object::Table::default(), Out::new());
    for (item, number) in items.iter().zip(1..) {
        object::write(&mut written, &mut table, &schema, number, item)
            .map_err(|detail| CannotWrite::Record { number, detail })?;
    }
    if table.len() > object::ENROLLMENTS_MAX {
        return Err(CannotWrite::TooMany {
            count: table.len(),
            max: object::ENROLLMENTS_MAX,
        });
    }
    table.write(out);
    out.raw(&written.into_bytes());
    Ok(())
}

/// Reads the header of a file, unverified.
pub(crate) fn peek(bytes: &[u8]) -> Result<Header, Refused> {
    let text = charset::decoded(bytes)?;
    let mut walk = Walk::over(&text);
    open_bundle(&mut walk)?;
    head::read_header(&mut walk)
}

/// Reads of which connection and type the objects of a file are, unverified; `None` where it has no objects.
pub(crate) fn peek_flow(bytes: &[u8]) -> Result<Option<Flow>, Refused> {
    let text = charset::decoded(bytes)?;
    let mut walk = Walk::over(&text);
    open_bundle(&mut walk)?;
    head::read_header(&mut walk)?;
    Ok(head::read_scope(&mut walk)?.flow)
}

/// Reads a file whose size is within the limits, with its signature if that is in a file of its own.
pub(crate) fn read(
    bytes: &[u8],
    detached: Option<&[u8]>,
    schemas: &dyn Schemas,
    opening: &Opening<'_>,
) -> Result<Opened, Refused> {
    let text = charset::decoded(bytes)?;
    let signature = find_signature(&text, detached)?;
    let mut walk = Walk::over(&text);
    open_bundle(&mut walk)?;
    let header = head::read_header(&mut walk)?;
    check(&header, &signature.value, opening)?;
    let scope = head::read_scope(&mut walk)?;
    // A file that waits for a schema is kept, and let go, by what its scope says.
    check_scope(&header, &scope, &signature)?;
    let (records, numbers) = read_records(&mut walk, &header, &scope, schemas)?;
    if detached.is_none() {
        head::read_signature(&mut walk)?;
    }
    walk.close()?;
    walk.finish()?;
    verified(header, &scope, records, numbers, &signature)
}

fn open_bundle(walk: &mut Walk<'_>) -> Result<(), Refused> {
    let root = walk.open(BUNDLE)?;
    let [namespace, version] = walk.attributes(&root, ["xmlns", "version"])?;
    if namespace != NAMESPACE || version != VERSION {
        let told = format!("it is of {namespace}, version {version}");
        return Err(Refused::new(Reason::BundleVersionTooNew, told));
    }
    Ok(())
}

/// The signature, which is looked for before anything else is read: what it does not cover is not worth reading.
fn find_signature(text: &str, detached: Option<&[u8]>) -> Result<Signature, Refused> {
    if let Some(bytes) = detached {
        let text = charset::decoded(bytes)?;
        let mut walk = Walk::over(&text);
        let root = walk.open(SIGNATURE)?;
        let [namespace] = walk.attributes(&root, ["xmlns"])?;
        if namespace != NAMESPACE {
            return Err(walk.refused("it is no signature of a bundle"));
        }
        let signature = head::read_signature_inside(&mut walk)?;
        walk.finish()?;
        return Ok(signature);
    }
    let start = text.rfind("<signature");
    let start = start.ok_or_else(|| Refused::malformed("there is no signature"))?;
    let mut walk = Walk::over(text.get(start..).unwrap_or_default());
    head::read_signature(&mut walk)
}

fn read_records(
    walk: &mut Walk<'_>,
    header: &Header,
    scope: &Scope,
    schemas: &dyn Schemas,
) -> Result<(Records, Vec<u32>), Refused> {
    let mut records = Records::none(header.kind, scope)
        .filter(|_| scope.flow.is_some() == (header.kind == Kind::Objects))
        .ok_or_else(|| walk.refused("the scope does not fit the kind"))?;
    let mut numbers: Vec<u32> = Vec::new();
    walk.open_plain(header.kind.word())?;
    let objects = match &records {
        Records::Objects(objects) => Some(objects.flow.clone()),
        _ => None,
    };
    let schema = match &objects {
        None => None,
        Some(flow) => {
            let schema = schemas.schema(flow.connection, &flow.object_type, header.schema_revision);
            let told = || format!("sharing {} of {}", header.schema_revision, flow.object_type);
            Some(schema.ok_or_else(|| Refused::new(Reason::BundleSchemaMissing, told()))?)
        }
    };
    let table = match schema {
        Some(_) => object::Table::read(walk)?,
        None => object::Table::default(),
    };
    while let Some(element) = walk.child()? {
        let number = match (&schema, &mut records) {
            (Some(schema), Records::Objects(objects)) => {
                if element.name() != schema.name().as_str().as_bytes() {
                    return Err(walk.refused("the object is of another type"));
                }
                let (number, item) = object::read(walk, &table, schema, &element)?;
                objects.items.push(item);
                number
            }
            (_, records) => record::read_one(walk, &element, records)?,
        };
        if number == 0 || number > header.records || numbers.last().is_some_and(|last| *last >= number) {
            return Err(walk.refused("the records' numbers are not ascending"));
        }
        numbers.push(number);
    }
    walk.close()?;
    Ok((records, numbers))
}

fn invalid(told: &str) -> Refused {
    Refused::new(Reason::BundleRecordInvalid, told)
}

/// Compares the hashes with the root that was signed, and the scope with its hash.
fn check_scope(header: &Header, scope: &Scope, signature: &Signature) -> Result<(), Refused> {
    let count = usize::try_from(header.records).unwrap_or(usize::MAX);
    if signature.hashes.len().checked_sub(1) != Some(count) || hash::root(&signature.hashes) != header.root {
        return Err(invalid("the hashes are not those that were signed"));
    }
    let none = Records::none(header.kind, scope);
    let leaf = none.and_then(|none| Leaves::of(scope, &none).hashes.into_iter().next());
    if leaf.is_none() || signature.hashes.first() != leaf.as_ref() {
        return Err(invalid("the scope is not what was signed"));
    }
    Ok(())
}

/// Compares every record with its hash. The hashes and the scope were checked.
fn verified(
    header: Header,
    scope: &Scope,
    mut records: Records,
    numbers: Vec<u32>,
    signature: &Signature,
) -> Result<Opened, Refused> {
    let number_at = |place: u32| numbers.get(place as usize).copied().unwrap_or_default();
    let leaves = Leaves::numbered(scope, &records, number_at);
    for (leaf, number) in leaves
        .hashes
        .iter()
        .zip(std::iter::once(0).chain(numbers.iter().copied()))
    {
        if signature.hashes.get(number as usize) != Some(leaf) {
            return Err(invalid(&format!("record {number} is not what was signed")));
        }
    }
    let mut there = numbers.iter().copied().peekable();
    let dropped: Vec<u32> = (1..=header.records)
        .filter(|number| there.next_if_eq(number).is_none())
        .collect();
    if let (Records::Objects(objects), false) = (&mut records, dropped.is_empty()) {
        // What is missing must not be taken for what is no longer offered, nor the rest for everything.
        objects.cover = None;
        objects.caught_up = false;
    }
    Ok(Opened {
        header,
        records,
        numbers,
        dropped,
    })
}
