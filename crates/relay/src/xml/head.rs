//! What stands around the records: header, scope and signature.

use data_encoding::{BASE64, HEXLOWER};
use peerd_core::Time;
use peerd_core::object::ObjectKey;
use peerd_core::security::Security;
use peerd_core::signature::PublicKey;
use peerd_node::exchange::Flow;

use super::moment;
use super::out::Out;
use super::walk::Walk;
use crate::record::{Cover, Scope};
use crate::{CannotWrite, Digest, Form, Header, Kind, Records, Refused};

/// The element of the detached signature.
pub(super) const SIGNATURE: &str = "signature";
/// The namespace of everything.
pub(super) const NAMESPACE: &str = "urn:peerd:relay:1";
/// The root element.
pub(super) const BUNDLE: &str = "bundle";

/// The bytes of one hash in the list: its digits and a blank.
const HASH_BYTES: usize = 65;
const KEY_BYTES_MAX: usize = 91;

/// A signature and what else it takes to verify records one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) value: Vec<u8>,
    /// The hashes of the scope and of all records, of those too that are no longer there.
    pub(super) hashes: Vec<Digest>,
}

pub(super) fn write_header(out: &mut Out, header: &Header) -> Result<(), CannotWrite> {
    let Header {
        form: _,
        sender,
        recipient,
        epoch,
        sequence,
        previous,
        kind,
        created_at,
        not_after,
        security,
        schema_revision,
        records,
        plain_bytes,
        body_bytes: _,
        body_digest: _,
        root,
        key,
        sealed_to: _,
    } = header;
    out.open("header");
    out.leaf("sender", &sender.to_string());
    out.leaf("recipient", &recipient.to_string());
    out.leaf("epoch", &epoch.to_string());
    out.leaf("sequence", &sequence.to_string());
    out.leaf("previous", &previous.to_string());
    out.leaf("kind", kind.word());
    out.leaf("created-at", &moment_text(*created_at)?);
    out.leaf("not-after", &moment_text(*not_after)?);
    if let Some(level) = &security.classification {
        out.leaf("classification", level.as_str());
    }
    for marking in &security.markings {
        out.leaf("marking", marking.as_str());
    }
    out.leaf("schema-revision", &schema_revision.to_string());
    out.leaf("records", &records.to_string());
    out.leaf("plain-bytes", &plain_bytes.to_string());
    out.leaf("root", &root.to_string());
    out.leaf("key", &BASE64.encode(key.as_spki()));
    out.close("header");
    out.line();
    Ok(())
}

pub(super) fn read_header(walk: &mut Walk<'_>) -> Result<Header, Refused> {
    walk.open_plain("header")?;
    let header = Header {
        form: Form::Xml,
        sender: walk.leaf("sender")?,
        recipient: walk.leaf("recipient")?,
        epoch: walk.leaf("epoch")?,
        sequence: count(walk, "sequence")?,
        previous: walk.leaf("previous")?,
        kind: kind(walk)?,
        created_at: time(walk, "created-at")?,
        not_after: time(walk, "not-after")?,
        security: security(walk)?,
        schema_revision: count(walk, "schema-revision")?,
        records: u32::try_from(count(walk, "records")?).unwrap_or(u32::MAX),
        plain_bytes: count(walk, "plain-bytes")?,
        body_bytes: 0,
        body_digest: Digest::default(),
        root: walk.leaf("root")?,
        key: PublicKey::from_spki(bytes(walk, "key", KEY_BYTES_MAX)?),
        sealed_to: 0,
    };
    walk.close()?;
    Ok(header)
}

pub(super) fn write_scope(out: &mut Out, scope: &Scope) {
    let Scope {
        salt,
        flow,
        cover,
        caught_up,
    } = scope;
    out.open("scope");
    out.leaf("salt", &HEXLOWER.encode(salt));
    if let Some(Flow {
        connection,
        object_type,
    }) = flow
    {
        out.leaf("connection", &connection.to_string());
        out.leaf("type", object_type);
    }
    if let Some(Cover { after, through }) = cover {
        out.open("cover");
        for (name, key) in [("after", after), ("through", through)] {
            if let Some(key) = key {
                out.text(name, key);
            }
        }
        out.close("cover");
    }
    if *caught_up {
        out.empty("caught-up", &[]);
    }
    out.close("scope");
    out.line();
}

pub(super) fn read_scope(walk: &mut Walk<'_>) -> Result<Scope, Refused> {
    walk.open_plain("scope")?;
    let salt: Hex<16> = walk.leaf("salt")?;
    let flow = match walk.optional("connection")? {
        None => None,
        Some(connection) => Some(Flow {
            connection,
            object_type: walk.leaf("type")?,
        }),
    };
    let cover = if walk.is_at("cover")? {
        walk.open_plain("cover")?;
        let cover = Cover {
            after: key(walk, "after")?,
            through: key(walk, "through")?,
        };
        walk.close()?;
        Some(cover)
    } else {
        None
    };
    let caught_up = walk.is_at("caught-up")?;
    if caught_up {
        walk.open_plain("caught-up")?;
        walk.close()?;
    }
    walk.close()?;
    Ok(Scope {
        salt: salt.0,
        flow,
        cover,
        caught_up,
    })
}

pub(super) fn write_signature(out: &mut Out, signature: &[u8], hashes: &[Digest]) {
    out.open(SIGNATURE);
    out.leaf("value", &HEXLOWER.encode(signature));
    let mut list = String::with_capacity(hashes.len() * HASH_BYTES);
    for hash in hashes {
        list.push_str(&hash.to_string());
        list.push('\n');
    }
    out.leaf("hashes", list.trim_end());
    out.close(SIGNATURE);
    out.line();
}

pub(super) fn read_signature(walk: &mut Walk<'_>) -> Result<Signature, Refused> {
    walk.open_plain(SIGNATURE)?;
    read_signature_inside(walk)
}

/// Reads a signature whose element was opened, to its end.
pub(super) fn read_signature_inside(walk: &mut Walk<'_>) -> Result<Signature, Refused> {
    let value: Hex<64> = walk.leaf("value")?;
    walk.open_plain("hashes")?;
    // Whoever indents the file anew may put more white space between them.
    let list = walk.text(Records::MAX.saturating_add(1) * HASH_BYTES * 2)?;
    let hashes = list.split_ascii_whitespace().map(str::parse);
    let hashes = hashes.collect::<Result<Vec<Digest>, _>>();
    let hashes = hashes.map_err(|_| walk.refused("a hash is not one"))?;
    walk.close()?;
    Ok(Signature {
        value: value.0.to_vec(),
        hashes,
    })
}

fn security(walk: &mut Walk<'_>) -> Result<Security, Refused> {
    let mut security = Security {
        classification: walk.optional("classification")?,
        ..Security::default()
    };
    while let Some(marking) = walk.optional("marking")? {
        if !security.markings.insert(marking) || security.markings.len() > Header::MARKINGS_MAX {
            return Err(walk.refused("a marking stands twice, or there are too many"));
        }
    }
    Ok(security)
}

fn kind(walk: &mut Walk<'_>) -> Result<Kind, Refused> {
    let word: String = walk.leaf("kind")?;
    Kind::from_word(&word).ok_or_else(|| walk.refused("the kind is not known"))
}

/// A number without a sign.
pub(super) fn count(walk: &mut Walk<'_>, name: &str) -> Result<u64, Refused> {
    let word: String = walk.leaf(name)?;
    walk.number(&word)
}

/// Bytes in base64, at most so many.
pub(super) fn bytes(walk: &mut Walk<'_>, name: &str, bytes_max: usize) -> Result<Vec<u8>, Refused> {
    walk.open_plain(name)?;
    let mut text = walk.text(bytes_max.saturating_mul(2).saturating_add(64))?;
    text.retain(|char| !char.is_ascii_whitespace());
    let bytes = BASE64.decode(text.as_bytes()).ok();
    bytes
        .filter(|bytes| bytes.len() <= bytes_max)
        .ok_or_else(|| walk.refused("it is not base64, or too long"))
}

/// A primary key, if there is an element of this name.
pub(super) fn key(walk: &mut Walk<'_>, name: &str) -> Result<Option<String>, Refused> {
    if !walk.is_at(name)? {
        return Ok(None);
    }
    walk.open_plain(name)?;
    let key = walk.escaped_text(ObjectKey::PRIMARY_KEY_MAX)?;
    ObjectKey::check(&key).map_err(|error| walk.refused(error))?;
    Ok(Some(key))
}

fn time(walk: &mut Walk<'_>, name: &str) -> Result<Time, Refused> {
    let word: String = walk.leaf(name)?;
    moment::read(&word).ok_or_else(|| walk.refused("it is not a point in time"))
}

fn moment_text(time: Time) -> Result<String, CannotWrite> {
    moment::write(time).ok_or_else(|| CannotWrite::facts("a time is not of the years 1 to 9999"))
}

/// Bytes in lower-case hexadecimal digits.
pub(super) struct Hex<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> std::str::FromStr for Hex<N> {
    type Err = ();

    fn from_str(text: &str) -> Result<Hex<N>, ()> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| ())?;
        bytes.try_into().map(Hex).map_err(|_| ())
    }
}
