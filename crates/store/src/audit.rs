//! The audit chain: every record carries the hash of the one before it, so a change of the past shows.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::{AuditEntry, Error, Store, Table};

/// What every hash of the chain starts with, so that it can never be mistaken for another kind of hash.
const DOMAIN: &[u8] = b"peerd audit v1";

/// How many records one read of a verification asks for.
const PAGE: usize = 512;

/// The hash that an audit record with this place, predecessor and body must carry.
pub fn hash(number: u64, previous: &[u8; 32], body: &[u8]) -> [u8; 32] {
    let hash = Sha256::new()
        .chain_update(DOMAIN)
        .chain_update(number.to_be_bytes())
        .chain_update(previous)
        .chain_update(body);
    hash.finalize().into()
}

/// The last record of the chain; number zero while there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) number: u64,
    pub(crate) hash: [u8; 32],
}

impl Head {
    /// Appends a record: the chain's new head, and the bytes to store under [`key`] of its number.
    pub(crate) fn append(self, body: &[u8]) -> (Head, Bytes) {
        let number = self.number + 1;
        let hash = hash(number, &self.hash, body);
        let stored = [self.hash.as_slice(), &hash, body].concat();
        (Head { number, hash }, stored.into())
    }
}

/// The key of an audit record in [`Table::Audit`].
pub(crate) fn key(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// Reads a stored audit record: previous hash, hash, body.
pub(crate) fn decode(key: &[u8], stored: &Bytes) -> Result<AuditEntry, Error> {
    let damaged = || Error::Corrupt {
        what: format!("{} record {key:02x?}", Table::Audit.name()),
        source: None,
    };
    let number = u64::from_be_bytes(key.try_into().map_err(|_| damaged())?);
    let (previous, rest) = stored.split_first_chunk().ok_or_else(damaged)?;
    let (hash, body) = rest.split_first_chunk().ok_or_else(damaged)?;
    Ok(AuditEntry {
        number,
        previous: *previous,
        hash: *hash,
        body: stored.slice_ref(body),
    })
}

/// What a verification of the audit chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainReport {
    /// Whether every record is in its place and carries the right hash.
    pub ok: bool,
    /// How many records were right, from the first one on.
    pub records: u64,
    /// The hash of the last record that was right; zeros when there is none. The chain alone cannot tell that its
    /// newest records were cut off: compare this with a head that was noted elsewhere.
    pub head: [u8; 32],
    /// The first number that is missing, unreadable, or does not fit the chain.
    pub first_bad: Option<u64>,
}

/// Walks the audit chain from its first record and checks every hash. Reads it in pages.
pub async fn verify_chain(store: &dyn Store) -> Result<ChainReport, Error> {
    let mut head = Head::default();
    let mut page = PAGE;
    let first_bad = 'chain: loop {
        let expected = head.number + 1;
        let entries = match store.audit(expected, page).await {
            // One record of the page cannot be read: go one by one, so that the right ones before it count.
            Err(Error::Corrupt { .. }) if page > 1 => {
                page = 1;
                continue;
            }
            Err(Error::Corrupt { .. }) => break Some(expected),
            entries => entries?,
        };
        if entries.is_empty() {
            break None;
        }
        for entry in entries {
            let fits = entry.number == head.number + 1
                && entry.previous == head.hash
                && entry.hash == hash(entry.number, &entry.previous, &entry.body);
            if !fits {
                break 'chain Some(head.number + 1);
            }
            head = Head {
                number: entry.number,
                hash: entry.hash,
            };
        }
    };
    Ok(ChainReport {
        ok: first_bad.is_none(),
        records: head.number,
        head: head.hash,
        first_bad,
    })
}
