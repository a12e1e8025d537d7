//! What stands in front of the sealed body.

use std::collections::BTreeSet;

use bytes::Bytes;
use peerd_core::name::Name;
use peerd_core::security::Security;
use peerd_core::signature::PublicKey;
use peerd_core::{EnrollmentId, Reason, Time};
use prost::Message as _;

use super::{MAGIC, pb};
use crate::header::VERSION;
use crate::{Digest, Form, Header, Kind, LinkEpoch, Refused};

/// DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
const SUITE: u32 = 1;
/// The longest encoded front.
const FRONT_BYTES_MAX: usize = Header::BYTES_MAX + 1024;
/// The magic, the version and the length of the front.
const START_BYTES: usize = MAGIC.len() + 1 + 4;
/// An uncompressed P-256 key.
const SPKI_BYTES: usize = 91;

/// What was read in front of the body.
pub(crate) struct Front {
    /// The header.
    pub(crate) header: Header,
    /// Its signature.
    pub(crate) signature: [u8; 64],
    /// The encapsulated key.
    pub(crate) encapsulated_key: Bytes,
    /// Where the body begins.
    pub(crate) length: usize,
}

pub(super) fn write(
    header: &Header,
    signature: &[u8; 64],
    encapsulated_key: Vec<u8>,
    body: &[u8],
) -> Vec<u8> {
    let front = pb::Front {
        header: Some(message(header)),
        signature: Bytes::copy_from_slice(signature),
        encapsulated_key: encapsulated_key.into(),
    }
    .encode_to_vec();
    let mut bytes = Vec::with_capacity(START_BYTES + front.len() + body.len());
    bytes.extend(MAGIC);
    bytes.push(VERSION);
    bytes.extend(u32::try_from(front.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(front);
    bytes.extend(body);
    bytes
}

impl Front {
    /// Reads the front of a file; what follows it need not be there.
    pub(crate) fn read(bytes: &[u8]) -> Result<Front, Refused> {
        let truncated = || Refused::new(Reason::BundleDamaged, "the file ends within its header");
        let rest = bytes
            .strip_prefix(MAGIC)
            .ok_or_else(|| Refused::malformed("the file is no bundle"))?;
        let (version, rest) = rest.split_first().ok_or_else(truncated)?;
        if *version != VERSION {
            let told = format!("it has version {version}, and {VERSION} is known");
            return Err(Refused::new(Reason::BundleVersionTooNew, told));
        }
        let (length, rest) = rest.split_first_chunk().ok_or_else(truncated)?;
        let length = u32::from_be_bytes(*length) as usize;
        if length > FRONT_BYTES_MAX {
            return Err(Refused::malformed("the header is too long"));
        }
        let encoded = rest.get(..length).ok_or_else(truncated)?;
        let front = pb::Front::decode(encoded).map_err(|_| Refused::malformed("there is no header"))?;
        if front.encode_to_vec() != encoded {
            return Err(Refused::malformed("the header has another spelling"));
        }
        let pb::Front {
            header,
            signature,
            encapsulated_key,
        } = front;
        let header = header.ok_or_else(|| Refused::malformed("there is no header"))?;
        Ok(Front {
            header: parse(header)?,
            signature: array("signature", &signature)?,
            encapsulated_key,
            length: START_BYTES + length,
        })
    }
}

fn message(header: &Header) -> pb::Header {
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
        body_bytes,
        body_digest,
        root,
        key,
        sealed_to,
    } = header;
    let copied = Bytes::copy_from_slice;
    pb::Header {
        suite: SUITE,
        sender: copied(sender.as_bytes()),
        recipient: copied(recipient.as_bytes()),
        epoch: copied(epoch.as_bytes()),
        sequence: *sequence,
        previous: copied(&previous.0),
        kind: kind.number().into(),
        created_at: created_at.as_micros(),
        not_after: not_after.as_micros(),
        classification: security
            .classification
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        markings: security.markings.iter().map(ToString::to_string).collect(),
        schema_revision: *schema_revision,
        records: *records,
        plain_bytes: *plain_bytes,
        body_bytes: *body_bytes,
        body_digest: copied(&body_digest.0),
        root: copied(&root.0),
        key: copied(key.as_spki()),
        sealed_to: *sealed_to,
    }
}

fn parse(header: pb::Header) -> Result<Header, Refused> {
    let pb::Header {
        suite,
        sender,
        recipient,
        epoch,
        sequence,
        previous,
        kind,
        created_at,
        not_after,
        classification,
        markings,
        schema_revision,
        records,
        plain_bytes,
        body_bytes,
        body_digest,
        root,
        key,
        sealed_to,
    } = header;
    if suite != SUITE {
        let told = format!("it is sealed with suite {suite}, and {SUITE} is known");
        return Err(Refused::new(Reason::BundleVersionTooNew, told));
    }
    let kind = u8::try_from(kind).ok().and_then(Kind::from_number);
    Ok(Header {
        form: Form::Sealed,
        sender: EnrollmentId::from_bytes(array("sender", &sender)?),
        recipient: EnrollmentId::from_bytes(array("recipient", &recipient)?),
        epoch: LinkEpoch::from_bytes(array("epoch", &epoch)?),
        sequence,
        previous: Digest(array("previous", &previous)?),
        kind: kind.ok_or_else(|| Refused::malformed("header.kind is not known"))?,
        created_at: Time::from_micros(created_at),
        not_after: Time::from_micros(not_after),
        security: security(&classification, &markings)?,
        schema_revision,
        records,
        plain_bytes,
        body_bytes,
        body_digest: Digest(array("body_digest", &body_digest)?),
        root: Digest(array("root", &root)?),
        key: PublicKey::from_spki(array::<SPKI_BYTES>("key", &key)?),
        sealed_to,
    })
}

fn security(classification: &str, markings: &[String]) -> Result<Security, Refused> {
    let name = |text: &str| {
        text.parse::<Name>()
            .map_err(|_| Refused::malformed("header: a level or marking is not a name"))
    };
    if markings.len() > Header::MARKINGS_MAX || !markings.is_sorted_by(|one, next| one < next) {
        return Err(Refused::malformed("header.markings are too many or not in order"));
    }
    let level = (!classification.is_empty()).then(|| name(classification));
    Ok(Security {
        classification: level.transpose()?,
        markings: markings
            .iter()
            .map(|text| name(text))
            .collect::<Result<BTreeSet<_>, _>>()?,
    })
}

/// Exactly `N` bytes of a field.
pub(super) fn array<const N: usize>(name: &str, bytes: &[u8]) -> Result<[u8; N], Refused> {
    bytes
        .try_into()
        .map_err(|_| Refused::malformed(format!("{name} must be {N} bytes, is {}", bytes.len())))
}
