//! The bytes of one object on the way: how many connections it crossed before this one, then its canonical state.

use bytes::Bytes;
use peerd_core::object::ObjectState;
use peerd_core::value::Malformed;

/// The largest item that is sent or taken: what fits a message of 4 MiB together with its frame.
pub(super) const BYTES_MAX: usize = (4 << 20) - (64 << 10);

pub(super) fn encode(hops: u8, state: &ObjectState) -> Bytes {
    let state = state.encode();
    let mut bytes = Vec::with_capacity(state.len() + 1);
    bytes.push(hops);
    bytes.extend(state);
    bytes.into()
}

pub(super) fn decode(bytes: &[u8]) -> Result<(u8, ObjectState), Malformed> {
    if bytes.len() > BYTES_MAX {
        return Err(Malformed::TooLarge);
    }
    let (hops, state) = bytes.split_first().ok_or(Malformed::Truncated)?;
    Ok((*hops, ObjectState::decode(state)?))
}
