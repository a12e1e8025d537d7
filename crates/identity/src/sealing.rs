//! The sealing key: its private half on disk, and the sealing and opening of what is for its owner alone.
//!
//! HPKE (RFC 9180) with DHKEM(P-256, HKDF-SHA256) and AES-256-GCM, from the provider of cryptography that TLS has. What
//! is sealed goes in segments, each with the next nonce of one context, so that a segment cannot be moved, repeated or
//! left out; the last is told apart from the others.

use std::fmt;
use std::path::Path;

use data_encoding::HEXLOWER;
use peerd_core::sealing::SealingKey;
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_P256_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke as _, HpkePrivateKey, HpkePublicKey};
use zeroize::Zeroizing;

use crate::{EcdsaVerifier, Error, Identity, files};

/// The file of the sealing keys, beside the identity's.
pub const SEALING_KEY_FILE: &str = "sealing.key";

/// The bytes of one segment before it is sealed; the last one may be shorter.
pub const SEGMENT_BYTES: usize = 64 * 1024;
/// What sealing adds to a segment.
pub const TAG_BYTES: usize = 16;
/// The length of an encapsulated key.
pub const ENCAPSULATED_BYTES: usize = 65;

const SECRET_BYTES: usize = 32;
/// What stands before each line of the file: the version of its form.
const LINE: &str = "sealing-key-v1";
/// Older generations are kept so that what is on the way to them can be opened.
const GENERATIONS_MAX: usize = 16;
const MORE: &[u8] = b"more";
const LAST: &[u8] = b"last";

/// The cryptographic library could not seal: the key is no point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it could not be sealed to this key")]
pub struct CannotSeal;

/// What was sealed cannot be opened: it is for another key or another purpose, or it was altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it cannot be opened with this key")]
pub struct CannotOpen;

/// Some bytes, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The encapsulated key.
    pub encapsulated_key: Vec<u8>,
    /// The sealed segments, one after the other.
    pub body: Vec<u8>,
}

/// Seals to the holder of this key. Only who names the same `info` opens it.
pub fn seal(to: &SealingKey, info: &[u8], plain: &[u8]) -> Result<Sealed, CannotSeal> {
    let key = HpkePublicKey(to.point().to_vec());
    let (encapsulated, mut sealer) = SUITE.setup_sealer(info, &key).map_err(|_| CannotSeal)?;
    let mut body = Vec::with_capacity(sealed_len(plain.len()));
    let mut segments = plain.chunks(SEGMENT_BYTES).peekable();
    // Nothing at all is one empty segment: it too is seen to be whole.
    let mut segment = segments.next().unwrap_or_default();
    loop {
        let next = segments.next();
        let aad = if next.is_some() { MORE } else { LAST };
        body.extend(sealer.seal(aad, segment).map_err(|_| CannotSeal)?);
        match next {
            Some(next) => segment = next,
            None => break,
        }
    }
    Ok(Sealed {
        encapsulated_key: encapsulated.0,
        body,
    })
}

/// How long so many bytes are when they are sealed.
pub const fn sealed_len(plain: usize) -> usize {
    let segments = if plain == 0 {
        1
    } else {
        plain.div_ceil(SEGMENT_BYTES)
    };
    plain + segments * TAG_BYTES
}

/// This enrollment's sealing keys, the newest first.
pub struct SealingKeys {
    keys: Vec<Secret>,
}

struct Secret {
    public: SealingKey,
    secret: Zeroizing<Vec<u8>>,
}

impl SealingKeys {
    /// The keys in this directory; makes the first one if there is none.
    pub fn ensure(dir: &Path, identity: &Identity) -> Result<SealingKeys, Error> {
        match SealingKeys::load(dir, identity) {
            Err(Error::Missing { .. }) => SealingKeys::create(dir, identity),
            loaded => loaded,
        }
    }

    /// Makes the first key and writes it, for its owner only. An existing file is never overwritten.
    pub fn create(dir: &Path, identity: &Identity) -> Result<SealingKeys, Error> {
        let keys = vec![Secret::generate(1, identity)?];
        let mut text = Zeroizing::new(String::with_capacity(1024));
        for key in &keys {
            key.write(&mut text);
        }
        files::write_new(dir, SEALING_KEY_FILE, text.as_bytes())?;
        Ok(SealingKeys { keys })
    }

    /// Loads the keys. Refuses a file that others may access, and keys that this identity did not certify.
    pub fn load(dir: &Path, identity: &Identity) -> Result<SealingKeys, Error> {
        let path = dir.join(SEALING_KEY_FILE);
        let content = files::read_secret(&path)?;
        let unreadable = || Error::SealingKeyUnreadable { path: path.clone() };
        let text = std::str::from_utf8(&content).map_err(|_| unreadable())?;
        let keys = text
            .lines()
            .map(|line| Secret::read(line, identity))
            .collect::<Option<Vec<_>>>()
            .filter(|keys| (1..=GENERATIONS_MAX).contains(&keys.len()))
            .ok_or_else(unreadable)?;
        Ok(SealingKeys { keys })
    }

    /// What others seal to.
    pub fn public(&self) -> Option<&SealingKey> {
        self.keys.first().map(|key| &key.public)
    }

    /// Whether there is a key of this generation.
    pub fn has(&self, generation: u64) -> bool {
        self.secret(generation).is_some()
    }

    /// Opens what was sealed to the key of this generation. Takes no more memory than the sealed bytes.
    pub fn open(
        &self,
        generation: u64,
        encapsulated_key: &[u8],
        info: &[u8],
        body: &[u8],
    ) -> Result<Vec<u8>, CannotOpen> {
        let key = self.secret(generation).ok_or(CannotOpen)?;
        if encapsulated_key.len() != ENCAPSULATED_BYTES || body.len() < TAG_BYTES {
            return Err(CannotOpen);
        }
        let encapsulated = EncapsulatedSecret(encapsulated_key.to_vec());
        let secret = HpkePrivateKey::from(key.secret.to_vec());
        let opener = SUITE.setup_opener(&encapsulated, info, &secret);
        let mut opener = opener.map_err(|_| CannotOpen)?;
        let mut plain = Vec::with_capacity(body.len());
        let mut segments = body.chunks(SEGMENT_BYTES + TAG_BYTES).peekable();
        while let Some(segment) = segments.next() {
            let aad = if segments.peek().is_some() { MORE } else { LAST };
            plain.extend(opener.open(aad, segment).map_err(|_| CannotOpen)?);
        }
        Ok(plain)
    }

    fn secret(&self, generation: u64) -> Option<&Secret> {
        self.keys.iter().find(|key| key.public.generation() == generation)
    }
}

impl Secret {
    fn generate(generation: u64, identity: &Identity) -> Result<Secret, Error> {
        let failed = || Error::Generate {
            what: "a sealing key",
        };
        let (public, secret) = SUITE.generate_key_pair().map_err(|_| failed())?;
        let point = public.0.try_into().map_err(|_| failed())?;
        Ok(Secret {
            public: SealingKey::certify(generation, point, identity).map_err(|_| failed())?,
            secret: Zeroizing::new(secret.secret_bytes().to_vec()),
        })
    }

    /// Adds the key's line. The text has room for it, so no copy of a secret is left where it was before it grew.
    fn write(&self, text: &mut String) {
        let secret = Zeroizing::new(HEXLOWER.encode(&self.secret));
        for part in [
            LINE,
            " ",
            &HEXLOWER.encode(&self.public.to_bytes()),
            " ",
            &secret,
            "\n",
        ] {
            text.push_str(part);
        }
    }

    fn read(line: &str, identity: &Identity) -> Option<Secret> {
        let (public, secret) = line.strip_prefix(LINE)?.strip_prefix(' ')?.split_once(' ')?;
        let public = HEXLOWER.decode(public.as_bytes()).ok()?;
        let secret = Zeroizing::new(HEXLOWER.decode(secret.as_bytes()).ok()?);
        let key = Secret {
            // An earlier key of this enrollment may have certified it.
            public: identity
                .lineage()
                .keys()
                .find_map(|key| SealingKey::read(&public, key, &EcdsaVerifier).ok())?,
            secret,
        };
        key.is_a_pair().then_some(key)
    }

    /// Whether the halves belong together.
    fn is_a_pair(&self) -> bool {
        let Ok(sealed) = seal(&self.public, LAST, MORE) else {
            return false;
        };
        let keys = SealingKeys {
            keys: vec![Secret {
                public: self.public.clone(),
                secret: self.secret.clone(),
            }],
        };
        let generation = self.public.generation();
        self.secret.len() == SECRET_BYTES
            && keys
                .open(generation, &sealed.encapsulated_key, LAST, &sealed.body)
                .as_deref()
                == Ok(MORE)
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generations = self.keys.iter().map(|key| key.public.generation());
        f.debug_list().entries(generations).finish()
    }
}

#[cfg(test)]
mod tests;
