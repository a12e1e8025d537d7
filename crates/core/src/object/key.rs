//! What identifies an object: its key within a space, its RID among all enrollments.

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ontology::ApiName;
use crate::{EnrollmentId, SpaceId};

/// Why a text is not a primary key or a RID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// It is empty.
    #[error("a primary key must not be empty")]
    Empty,
    /// It is longer than the limit.
    #[error("a primary key has at most {} bytes", ObjectKey::PRIMARY_KEY_MAX)]
    TooLong,
    /// It has a NUL, which no key in a store or a path should have.
    #[error("a primary key must not have a NUL")]
    Nul,
    /// It is not of the form of a RID.
    #[error("not a RID: ri.peerd.<enrollment>.<space>.<type>.<key>")]
    NotARid,
}

/// An object within a space: its type and the text of its primary key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ObjectKey {
    object_type: ApiName,
    primary_key: String,
}

impl ObjectKey {
    /// The longest primary key, in bytes.
    pub const PRIMARY_KEY_MAX: usize = 512;

    /// The key of an object: a number as decimal digits, a text as it is.
    pub fn new(object_type: ApiName, primary_key: impl Into<String>) -> Result<ObjectKey, InvalidKey> {
        let primary_key = primary_key.into();
        ObjectKey::check(&primary_key)?;
        Ok(ObjectKey {
            object_type,
            primary_key,
        })
    }

    /// Whether a text can be a primary key.
    pub fn check(primary_key: &str) -> Result<(), InvalidKey> {
        if primary_key.is_empty() {
            return Err(InvalidKey::Empty);
        }
        if primary_key.len() > ObjectKey::PRIMARY_KEY_MAX {
            return Err(InvalidKey::TooLong);
        }
        if primary_key.contains('\0') {
            return Err(InvalidKey::Nul);
        }
        Ok(())
    }

    /// The object type's api name.
    pub fn object_type(&self) -> &ApiName {
        &self.object_type
    }

    /// The text of the primary key.
    pub fn primary_key(&self) -> &str {
        &self.primary_key
    }

    /// The same primary key under another type, as a mapping renames it.
    pub fn under(&self, object_type: ApiName) -> ObjectKey {
        ObjectKey {
            object_type,
            primary_key: self.primary_key.clone(),
        }
    }
}

impl<'de> Deserialize<'de> for ObjectKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<ObjectKey, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Parts {
            object_type: ApiName,
            primary_key: String,
        }
        let Parts {
            object_type,
            primary_key,
        } = Parts::deserialize(deserializer)?;
        ObjectKey::new(object_type, primary_key).map_err(serde::de::Error::custom)
    }
}

/// `airport/EWR`
impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.object_type, self.primary_key.escape_debug())
    }
}

/// The name of an object's copy among all enrollments: `ri.peerd.<enrollment>.<space>.<type>.<key>`.
///
/// It is made of what identifies the copy and nothing else, so it is the same after every import and re-peering, and
/// reads back to its parts. In the key, bytes other than ASCII letters, digits, `-`, `_` are written `%XX`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rid {
    /// The enrollment that holds the copy.
    pub enrollment: EnrollmentId,
    /// The space the copy is in.
    pub space: SpaceId,
    /// The object.
    pub key: ObjectKey,
}

impl Rid {
    const PREFIX: &'static str = "ri.peerd.";
}

fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

impl fmt::Display for Rid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectKey {
            object_type,
            primary_key,
        } = &self.key;
        write!(
            f,
            "{}{}.{}.{object_type}.",
            Rid::PREFIX,
            self.enrollment,
            self.space
        )?;
        for byte in primary_key.bytes() {
            if plain(byte) {
                f.write_char(byte.into())?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Rid {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Rid, InvalidKey> {
        let mut parts = text
            .strip_prefix(Rid::PREFIX)
            .ok_or(InvalidKey::NotARid)?
            .splitn(4, '.');
        let mut part = || parts.next().ok_or(InvalidKey::NotARid);
        let rid = Rid {
            enrollment: part()?.parse().map_err(|_| InvalidKey::NotARid)?,
            space: part()?.parse().map_err(|_| InvalidKey::NotARid)?,
            key: ObjectKey::new(
                part()?.parse().map_err(|_| InvalidKey::NotARid)?,
                unescape(part()?).ok_or(InvalidKey::NotARid)?,
            )?,
        };
        // One copy has one RID: an escape that was not needed, or in lower case, is another spelling.
        if rid.to_string() == text {
            Ok(rid)
        } else {
            Err(InvalidKey::NotARid)
        }
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (hex, after) = rest.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b084_a_rid_reads_back_and_has_one_spelling() {
        let space = SpaceId::from_bytes([7; 16]);
        for primary_key in ["EWR", "2013|1|1|UA 1545", "ä.ö/%", "-_"] {
            let rid = Rid {
                enrollment: EnrollmentId::from_bytes([1; 32]),
                space,
                key: ObjectKey::new("flight".parse().expect("a name"), primary_key).expect("a key"),
            };
            assert_eq!(rid.to_string().parse(), Ok(rid.clone()));
            let lower = rid.to_string().replace("%7C", "%7c");
            assert!(lower == rid.to_string() || lower.parse::<Rid>().is_err());
        }
        for wrong in ["", "ri.peerd.", "ri.peerd.a.b.c.d", "ri.other"] {
            assert!(wrong.parse::<Rid>().is_err());
        }
        let of: ApiName = "t".parse().expect("a name");
        assert_eq!(ObjectKey::new(of.clone(), ""), Err(InvalidKey::Empty));
        assert_eq!(ObjectKey::new(of.clone(), "a\0"), Err(InvalidKey::Nul));
        assert_eq!(ObjectKey::new(of, "x".repeat(513)), Err(InvalidKey::TooLong));
    }
}
