//! Content: bytes that are known by their hash.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::id::InvalidId;

/// The BLAKE3 hash of some content. Its text form is lower-case hex, 64 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContentHash(#[serde(with = "serde_bytes")] [u8; 32]);

impl ContentHash {
    /// The hash with these 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> ContentHash {
        ContentHash(bytes)
    }

    /// The 32 bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for ContentHash {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<ContentHash, InvalidId> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(ContentHash).ok_or(InvalidId { kind: "content hash" })
    }
}

/// Some content, by name: what it hashes to, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Blob {
    /// The BLAKE3 hash of the content.
    pub hash: ContentHash,
    /// Its length in bytes.
    pub size: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_hash_reads_back_in_one_spelling_only() {
        let hash = ContentHash::from_bytes([0xab; 32]);
        let text = hash.to_string();
        assert_eq!(text.parse(), Ok(hash));
        assert!(text.to_ascii_uppercase().parse::<ContentHash>().is_err());
        assert!(text[2..].parse::<ContentHash>().is_err());
    }
}
