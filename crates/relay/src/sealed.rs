//! The sealed form: for carriers that must not read it.
//!
//! The header stands in front, readable, so that a carrier can tell whose it is, how large and of which classification.
//! The body is compressed, then sealed, then hashed: damage is found before anything is opened, and nothing is unpacked
//! that was not sealed to this side by the pinned sender.

use bytes::{Buf as _, Bytes};
use peerd_core::Reason;
use peerd_core::sealing::SealingKey;
use peerd_core::signature::Purpose;
use peerd_identity::SealingKeys;
use peerd_identity::sealing::{Sealed, seal};
use peerd_wire::relay::v1 as pb;

use crate::bundle::{Opened, Opening, Writing, check};
use crate::hash::Leaves;
use crate::record::Scope;
use crate::{CannotWrite, Digest, Header, Records, Refused};

mod front;
mod record;

pub(crate) use front::Front;
pub(crate) use record::{QUESTION_BYTES_MAX, SUMS_BYTES, report};

/// What every file of this form starts with; the version of the format follows.
const MAGIC: &[u8; 8] = b"PEERDRLY";
/// Little is gained by more.
const COMPRESSION_LEVEL: i32 = 3;

pub(crate) fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Writes the file, and completes the header.
pub(crate) fn write(
    header: &mut Header,
    scope: &Scope,
    records: &Records,
    to: &SealingKey,
    writing: &Writing<'_>,
) -> Result<Vec<u8>, CannotWrite> {
    let plain = record::write_all(scope, records)?;
    let max = writing.limits.plain_bytes_max;
    if plain.len() > max {
        return Err(CannotWrite::TooLarge {
            bytes: plain.len(),
            max,
        });
    }
    header.plain_bytes = plain.len() as u64;
    let packed = zstd::bulk::compress(&plain, COMPRESSION_LEVEL)
        .map_err(|_| CannotWrite::facts("the body could not be compressed"))?;
    let Sealed {
        encapsulated_key,
        body,
    } = seal(to, &header.seal_context(), &packed)
        .map_err(|_| CannotWrite::facts("the body could not be sealed"))?;
    header.body_bytes = body.len() as u64;
    header.body_digest = Digest::of(&body);
    let signature = writing.signer.sign(Purpose::Bundle, &header.canonical())?;
    Ok(front::write(header, &signature, encapsulated_key, &body))
}

/// Reads a file whose size is within the limits.
pub(crate) fn read(bytes: Bytes, keys: &SealingKeys, opening: &Opening<'_>) -> Result<Opened, Refused> {
    let Front {
        header,
        signature,
        encapsulated_key,
        length,
    } = Front::read(&bytes)?;
    check(&header, &signature, opening)?;
    let body = bytes.slice(length..);
    if body.len() as u64 != header.body_bytes || Digest::of(&body) != header.body_digest {
        return Err(Refused::new(
            Reason::BundleDamaged,
            "the body is not what was written",
        ));
    }
    let plain = open(&header, &encapsulated_key, &body, keys, opening)?;
    drop(body);
    drop(bytes);
    let (scope, records) = record::read_all(plain, &header)?;
    let leaves = Leaves::of(&scope, &records);
    if leaves.root() != header.root {
        let told = "the records are not those that were signed";
        return Err(Refused::new(Reason::BundleRecordInvalid, told));
    }
    Ok(Opened {
        numbers: (1..=header.records).collect(),
        dropped: Vec::new(),
        header,
        records,
    })
}

/// The body, opened and unpacked.
fn open(
    header: &Header,
    encapsulated_key: &[u8],
    body: &[u8],
    keys: &SealingKeys,
    opening: &Opening<'_>,
) -> Result<Bytes, Refused> {
    if !keys.has(header.sealed_to) {
        let told = format!("it is sealed to generation {} of a key", header.sealed_to);
        return Err(Refused::new(Reason::BundleUnopenable, told));
    }
    let packed = keys
        .open(header.sealed_to, encapsulated_key, &header.seal_context(), body)
        .map_err(|error| Refused::new(Reason::BundleUnopenable, error.to_string()))?;
    let max = opening.limits.plain_bytes_max;
    let plain_bytes = usize::try_from(header.plain_bytes).unwrap_or(usize::MAX);
    if plain_bytes > max {
        let told = format!("it would unpack to {plain_bytes} bytes, and {max} is the most");
        return Err(Refused::new(Reason::BundleTooLarge, told));
    }
    // At most what was announced is ever unpacked: more is an error of the library, not memory.
    let plain = zstd::bulk::decompress(&packed, plain_bytes)
        .map_err(|_| Refused::malformed("the body does not unpack to what was announced"))?;
    if plain.len() != plain_bytes {
        return Err(Refused::malformed("the body unpacks to less than was announced"));
    }
    Ok(plain.into())
}

/// The next part that has its length before it.
fn next_part(rest: &mut Bytes, max: usize) -> Result<Bytes, Refused> {
    let length = prost::decode_length_delimiter(&mut *rest)
        .map_err(|_| Refused::malformed("a record has no length"))?;
    if length > max {
        let told = format!("a record has {length} bytes, and {max} is the most of its kind");
        return Err(Refused::new(Reason::BundleTooLarge, told));
    }
    if length > rest.remaining() {
        return Err(Refused::malformed("a record ends after the body"));
    }
    Ok(rest.split_to(length))
}
