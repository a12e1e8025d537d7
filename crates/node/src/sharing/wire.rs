//! The bytes in which each side tells the other what it made available.

use bytes::Bytes;
use peerd_core::Reason;
use peerd_core::mapping::Sharing;

use crate::Error;

const VERSION: u8 = 1;

/// The largest sharing that is sent or read, in bytes.
pub(super) const BYTES_MAX: usize = 1 << 20;

/// A version byte, then the sharing as a map of named fields.
pub(super) fn encode(sharing: &Sharing) -> Result<Bytes, Error> {
    let mut bytes = vec![VERSION];
    rmp_serde::encode::write_named(&mut bytes, sharing)
        .map_err(|error| Error::of(Reason::Internal).because(error))?;
    if bytes.len() > BYTES_MAX {
        let told = format!("what is shared on one connection has at most {BYTES_MAX} bytes");
        return Err(Error::new(Reason::TooLarge, told));
    }
    Ok(bytes.into())
}

/// Reads what a peer sent.
pub(super) fn decode(bytes: &[u8]) -> Result<Sharing, Error> {
    let misbehaved = || Error::new(Reason::PeerMisbehaved, "the sharing is not readable");
    if bytes.len() > BYTES_MAX {
        return Err(misbehaved());
    }
    match bytes.split_first() {
        Some((&VERSION, body)) => {
            let sharing: Sharing =
                rmp_serde::from_slice(body).map_err(|error| misbehaved().because(error))?;
            sharing.is_sound().then_some(sharing).ok_or_else(misbehaved)
        }
        Some(_) => Err(Error::of(Reason::VersionUnsupported)),
        None => Err(misbehaved()),
    }
}
