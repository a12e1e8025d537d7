//! The outside of a code: prefix, length, key, body, signature, checksum.
//!
//! ```text
//! plink1_ base64url( length:2 | key length:2 | key | body | signature:64 | checksum:4 )
//! ```
//! The length counts everything behind the prefix, so a text that ends early is known as such. The checksum is over
//! the prefix and all before it. The signature is over key length, key and body, for the purpose of the kind.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{CodeError, CodeText, IssueError};
use crate::signature::{PublicKey, Purpose, Signer, Verifier};

pub(super) const VERSION: u32 = 1;
const SIGNATURE: usize = 64;
const CHECKSUM: usize = 4;
const LENGTH: usize = 2;
/// The longest key that is read, in bytes; a P-256 key has 91.
const KEY_MAX: usize = 512;
/// The longest code that is read, in bytes behind the prefix.
const PAYLOAD_MAX: usize = 12 * 1024;

/// The two kinds of codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Joins two enrollments with a link.
    Link,
    /// Joins two spaces with a connection.
    Invite,
}

impl Kind {
    /// What its text starts with, before the version.
    pub const fn prefix(self) -> &'static str {
        match self {
            Kind::Link => "plink",
            Kind::Invite => "pconn",
        }
    }

    const fn purpose(self) -> Purpose {
        match self {
            Kind::Link => Purpose::LinkCode,
            Kind::Invite => Purpose::InviteCode,
        }
    }

    fn head(self) -> String {
        format!("{}{VERSION}_", self.prefix())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Link => "link",
            Kind::Invite => "invite",
        })
    }
}

/// Signs a body and makes it a text.
pub(super) fn seal(kind: Kind, body: &[u8], signer: &dyn Signer) -> Result<CodeText, IssueError> {
    let key = signer.public_key();
    let key_length = u16::try_from(key.as_spki().len())
        .ok()
        .filter(|length| usize::from(*length) <= KEY_MAX)
        .ok_or(IssueError::Content { field: "key" })?;
    let covered = Zeroizing::new([&key_length.to_be_bytes(), key.as_spki(), body].concat());
    let signature = signer.sign(kind.purpose(), &covered)?;
    let length = LENGTH + covered.len() + SIGNATURE + CHECKSUM;
    let length = u16::try_from(length)
        .ok()
        .filter(|length| usize::from(*length) <= PAYLOAD_MAX)
        .ok_or(IssueError::Content { field: "length" })?;
    let mut payload = Zeroizing::new([&length.to_be_bytes(), covered.as_slice(), &signature].concat());
    let head = kind.head();
    let sum = checksum(&head, &payload);
    payload.extend(sum);
    let text = Zeroizing::new(head + &URL_SAFE_NO_PAD.encode(&*payload));
    Ok(CodeText { kind, text })
}

/// A text that is whole and signed by the key in it.
pub(super) struct Opened {
    /// The issuer's key.
    pub(super) key: PublicKey,
    /// The content, not yet read.
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// Takes a text apart and verifies it. Nothing of the body is looked at before its signature fits.
pub(super) fn open(kind: Kind, text: &str, verifier: &dyn Verifier) -> Result<Opened, CodeError> {
    let encoded = payload_text(kind, text.trim())?;
    let payload = decode(encoded)?;
    let (rest, sum) = payload.split_last_chunk::<CHECKSUM>().ok_or(CodeError::Altered)?;
    if *sum != checksum(&kind.head(), rest) {
        return Err(CodeError::Altered);
    }
    let content = CodeError::Content { field: "key" };
    let (rest, signature) = rest.split_last_chunk::<SIGNATURE>().ok_or(content)?;
    let covered = rest.get(LENGTH..).ok_or(content)?;
    let (length, keyed) = covered.split_first_chunk::<2>().ok_or(content)?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length > KEY_MAX {
        return Err(content);
    }
    let (key, body) = keyed.split_at_checked(length).ok_or(content)?;
    let key = PublicKey::from_spki(key);
    if !verifier.verify(&key, kind.purpose(), covered, signature) {
        return Err(CodeError::SignatureInvalid);
    }
    Ok(Opened {
        key,
        body: Zeroizing::new(body.to_vec()),
    })
}

/// The encoded part of a text of this kind and of a version that is known.
fn payload_text(kind: Kind, text: &str) -> Result<&str, CodeError> {
    if text.is_empty() {
        return Err(CodeError::Empty);
    }
    let kinds = [Kind::Link, Kind::Invite];
    let Some(found) = kinds.into_iter().find(|found| text.starts_with(found.prefix())) else {
        let begun = kinds.into_iter().any(|found| found.prefix().starts_with(text));
        return Err(if begun {
            CodeError::Truncated
        } else {
            CodeError::Malformed
        });
    };
    if found != kind {
        let expected = kind;
        return Err(CodeError::WrongKind { expected, found });
    }
    let rest = text.get(found.prefix().len()..).ok_or(CodeError::Malformed)?;
    let Some((version, encoded)) = rest.split_once('_') else {
        let cut = rest.len() <= 9 && rest.bytes().all(|b| b.is_ascii_digit());
        return Err(if cut {
            CodeError::Truncated
        } else {
            CodeError::Malformed
        });
    };
    // Plain digits only: `01` and `+1` are not spellings of 1.
    let plain = version.bytes().all(|b| b.is_ascii_digit()) && !version.starts_with('0');
    let version = version
        .parse()
        .ok()
        .filter(|_| plain)
        .ok_or(CodeError::Malformed)?;
    match version {
        VERSION => Ok(encoded),
        found => Err(CodeError::VersionTooNew {
            found,
            known: VERSION,
        }),
    }
}

/// The bytes of an encoded payload that has exactly the length it says.
fn decode(encoded: &str) -> Result<Zeroizing<Vec<u8>>, CodeError> {
    if encoded.len() > PAYLOAD_MAX / 3 * 4 {
        return Err(CodeError::Malformed);
    }
    if !encoded
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    {
        return Err(CodeError::Malformed);
    }
    // The first four characters hold the length, and so tell how many characters there must be.
    let head = encoded.get(..4).ok_or(CodeError::Truncated)?;
    let head = URL_SAFE_NO_PAD.decode(head).map_err(|_| CodeError::Altered)?;
    let (length, _) = head.split_first_chunk::<LENGTH>().ok_or(CodeError::Truncated)?;
    let length = usize::from(u16::from_be_bytes(*length));
    match encoded.len().cmp(&(length * 4).div_ceil(3)) {
        std::cmp::Ordering::Less => Err(CodeError::Truncated),
        std::cmp::Ordering::Greater => Err(CodeError::Altered),
        // The engine refuses bits that no byte uses, so there is one text for these bytes.
        std::cmp::Ordering::Equal => URL_SAFE_NO_PAD
            .decode(encoded)
            .map(Zeroizing::new)
            .map_err(|_| CodeError::Altered),
    }
}

fn checksum(head: &str, payload: &[u8]) -> [u8; CHECKSUM] {
    let digest = Sha256::new().chain_update(head).chain_update(payload).finalize();
    let [a, b, c, d, ..]: [u8; 32] = digest.into();
    [a, b, c, d]
}

/// A text with a right checksum over whatever payload a forger chose.
#[cfg(test)]
pub(super) fn forge(kind: Kind, payload_without_checksum: &[u8]) -> String {
    let head = kind.head();
    let mut payload = payload_without_checksum.to_vec();
    payload.extend(checksum(&head, payload_without_checksum));
    head + &URL_SAFE_NO_PAD.encode(payload)
}
