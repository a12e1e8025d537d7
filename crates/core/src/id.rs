//! Identifiers. Every kind has its own type, so that one can never be passed for another.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A text that is not an identifier of the kind it was read as.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}")]
pub struct InvalidId {
    /// Which kind of identifier was expected.
    pub kind: &'static str,
}

/// An enrollment's id: the SHA-256 of its identity public key (DER `SubjectPublicKeyInfo`).
///
/// Its text form is lower-case base32 without padding, 52 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EnrollmentId(#[serde(with = "serde_bytes")] [u8; 32]);

impl EnrollmentId {
    /// The id of the enrollment whose identity key has this DER `SubjectPublicKeyInfo`.
    pub fn of_spki(spki_der: &[u8]) -> EnrollmentId {
        EnrollmentId(Sha256::digest(spki_der).into())
    }

    /// The id with these 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> EnrollmentId {
        EnrollmentId(bytes)
    }

    /// The 32 bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight characters, for log lines and tables where the whole id would not fit.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(8);
        text
    }
}

impl fmt::Display for EnrollmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for EnrollmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for EnrollmentId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId {
            kind: "enrollment id",
        };
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(invalid);
        }
        let bytes = BASE32_NOPAD
            .decode(text.to_ascii_uppercase().as_bytes())
            .map_err(|_| invalid.clone())?;
        bytes.try_into().map(EnrollmentId).map_err(|_| invalid)
    }
}

/// A SHA-256 of something public, shown to people as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(#[serde(with = "serde_bytes")] [u8; 32]);

impl Fingerprint {
    /// The fingerprint of these bytes.
    pub fn of(bytes: &[u8]) -> Fingerprint {
        Fingerprint(Sha256::digest(bytes).into())
    }

    /// The 32 bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Declares an id that is a UUID (version 7, so ids of one enrollment sort by age) with a prefix in its text form.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// What the text form starts with.
            pub const PREFIX: &'static str = $prefix;

            /// The id with this UUID.
            pub const fn from_uuid(uuid: Uuid) -> $name {
                $name(uuid)
            }

            /// The id with these 16 bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> $name {
                $name(Uuid::from_bytes(bytes))
            }

            /// The 16 bytes of the id.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let invalid = InvalidId { kind: $kind };
                let hex = text.strip_prefix($prefix).ok_or(invalid.clone())?;
                // Exactly the form that is printed: one id has one spelling.
                if hex.len() != 32 || hex.bytes().any(|b| b.is_ascii_uppercase()) {
                    return Err(invalid);
                }
                Uuid::try_parse(hex).map($name).map_err(|_| invalid)
            }
        }
    };
}

uuid_id!(/// A space of this enrollment.
    SpaceId, "spc_", "space id");
uuid_id!(/// A link to another enrollment; local to the side that names it.
    LinkId, "lnk_", "link id");
uuid_id!(/// A peer connection; the same on both sides.
    ConnectionId, "con_", "connection id");
uuid_id!(/// An ingress or egress policy.
    PolicyId, "pol_", "policy id");
uuid_id!(/// Someone or something that calls the operator API.
    PrincipalId, "prn_", "principal id");
uuid_id!(/// A lifecycle message between two enrollments; its idempotency key.
    MessageId, "msg_", "message id");
uuid_id!(/// A proposed change of a connection's security.
    ChangeRequestId, "chg_", "change request id");
uuid_id!(/// A knock: an attempt to reach this enrollment that policy or the lack of a code refused.
    KnockId, "knk_", "knock id");
uuid_id!(/// The identity of a change feed's history; new after a restore.
    EpochId, "epo_", "epoch id");
uuid_id!(/// An object that could not be applied and waits for an operator.
    ParkedId, "prk_", "parked id");
uuid_id!(/// A peering job: one run of one type in one direction.
    JobId, "job_", "job id");
uuid_id!(/// A conflict between two concurrent edits of one property.
    ConflictId, "cfl_", "conflict id");
uuid_id!(/// Content on its way in from an operator, before its hash is known.
    UploadId, "upl_", "upload id");
uuid_id!(/// An artifact; the same on every side that has it.
    ArtifactId, "art_", "artifact id");

/// A 32-byte one-time secret. It never prints itself.
#[derive(Clone, PartialEq, Eq, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl Secret {
    /// A secret from bytes that a random number generator made, or that a code carried.
    pub const fn from_bytes(bytes: [u8; 32]) -> Secret {
        Secret(bytes)
    }

    /// The bytes; what takes them must not log them.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enrollment_id_is_52_lower_case_base32_characters_and_reads_back() {
        let id = EnrollmentId::of_spki(b"a public key");
        let text = id.to_string();
        assert_eq!(text.len(), 52);
        assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        assert_eq!(text.parse(), Ok(id));
        assert!(text.to_ascii_uppercase().parse::<EnrollmentId>().is_err());
        assert!(text[1..].parse::<EnrollmentId>().is_err());
    }

    #[test]
    fn an_id_is_read_only_as_its_own_kind_and_spelling() {
        let id = LinkId::from_bytes([7; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().parse::<ConnectionId>().is_err());
        assert!(id.to_string().to_ascii_uppercase().parse::<LinkId>().is_err());
        assert!("lnk_".parse::<LinkId>().is_err());
    }

    #[test]
    fn b007_a_secret_never_prints_itself() {
        assert_eq!(format!("{:?}", Secret::from_bytes([42; 32])), "[secret]");
    }
}
