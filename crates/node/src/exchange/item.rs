//! The bytes of one object on the way: how many connections it crossed before this one, then its canonical state.

use bytes::Bytes;
use peerd_core::object::{ObjectState, PlainState};
use peerd_core::value::Malformed;

use crate::object::stored::StoredRef;

/// The largest item that is sent or taken: what fits a message of 4 MiB together with its frame.
pub(super) const BYTES_MAX: usize = (4 << 20) - (64 << 10);

pub(super) fn encode(hops: u8, state: &ObjectState) -> Bytes {
    let state = state.encode();
    let mut bytes = Vec::with_capacity(state.len() + 1);
    bytes.push(hops);
    bytes.extend(state);
    bytes.into()
}

/// The item that a stored object is as a whole. An object of this enrollment is stored as it is sent, and not copied.
pub(super) fn of_stored(bytes: &Bytes, stored: &StoredRef<'_>) -> Bytes {
    let hops = stored.provenance.hops;
    let length = stored.state.len() + 1;
    let as_sent = bytes.len().checked_sub(length).map(|start| bytes.slice(start..));
    match as_sent.filter(|item| item.first() == Some(&hops)) {
        Some(item) => item,
        None => [&[hops], stored.state].concat().into(),
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<(u8, ObjectState), Malformed> {
    if bytes.len() > BYTES_MAX {
        return Err(Malformed::TooLarge);
    }
    let (hops, state) = bytes.split_first().ok_or(Malformed::Truncated)?;
    Ok((*hops, ObjectState::decode(state)?))
}

/// Reads an item whose state is a plain one; `None` for every other.
pub(super) fn plain(bytes: &[u8]) -> Option<(u8, PlainState<'_>)> {
    let (hops, state) = bytes.split_first()?;
    let plain = PlainState::read(state).filter(|_| bytes.len() <= BYTES_MAX);
    plain.map(|plain| (*hops, plain))
}
