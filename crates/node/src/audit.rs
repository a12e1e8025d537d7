//! The audit log: writing facts into batches, reading them back, proving that none was changed.

use peerd_core::Time;
use peerd_core::audit::Fact;
use peerd_core::authz::Action;
use peerd_store::{AuditEntry, Batch, ChainReport, records, verify_chain};

use crate::{Caller, Error, Node};

/// How many records one read of the log asks for.
const PAGE: usize = 512;

/// A record of the log.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    /// Its place in the chain: 1, 2, 3 …
    pub number: u64,
    /// What happened.
    pub fact: Fact,
    /// Its hash.
    pub hash: [u8; 32],
}

impl Node {
    /// Records after number `after`, oldest first; only those of `since` or later when given. Clocks are set back at
    /// times, so the log is read through rather than searched.
    pub async fn list_audit(
        &self,
        caller: &Caller,
        since: Option<Time>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<(Vec<AuditRecord>, Option<u64>), Error> {
        self.authorize(caller, Action::AuditList, None).await?;
        let mut listed = Vec::new();
        let mut number = after.unwrap_or(0);
        loop {
            let entries = self.store.audit(number.saturating_add(1), PAGE).await?;
            if entries.is_empty() {
                return Ok((listed, None));
            }
            for entry in entries {
                let AuditEntry {
                    number: place,
                    hash,
                    body,
                    ..
                } = entry;
                let fact = records::decode_fact(&body)?;
                number = place;
                if since.is_some_and(|since| fact.at() < since) {
                    continue;
                }
                listed.push(AuditRecord { number, fact, hash });
                if listed.len() == limit {
                    return Ok((listed, Some(number)));
                }
            }
        }
    }

    /// At most `limit` records before number `before`, or the latest ones, newest first; and the number that the next
    /// page goes on before.
    pub async fn list_audit_back(
        &self,
        caller: &Caller,
        before: Option<u64>,
        limit: usize,
    ) -> Result<(Vec<AuditRecord>, Option<u64>), Error> {
        self.authorize(caller, Action::AuditList, None).await?;
        let end = match before {
            Some(before) => before,
            None => self.audit_end().await?,
        };
        let first = end.saturating_sub(limit as u64).max(1);
        let count = usize::try_from(end.saturating_sub(first)).unwrap_or(limit);
        let mut records = Vec::new();
        for entry in self.store.audit(first, count.min(limit)).await? {
            let fact = records::decode_fact(&entry.body)?;
            records.push(AuditRecord {
                number: entry.number,
                fact,
                hash: entry.hash,
            });
        }
        records.reverse();
        Ok((records, (first > 1).then_some(first)))
    }

    /// The first number that no record has yet. Numbers have no holes, so that it is found by halving.
    async fn audit_end(&self) -> Result<u64, Error> {
        let mut high = 1_u64;
        while !self.store.audit(high, 1).await?.is_empty() {
            high = high.saturating_mul(2);
        }
        let mut low = high / 2;
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if self.store.audit(middle, 1).await?.is_empty() {
                high = middle;
            } else {
                low = middle;
            }
        }
        Ok(high)
    }

    /// Recomputes the whole chain.
    pub async fn verify_audit(&self, caller: &Caller) -> Result<ChainReport, Error> {
        self.authorize(caller, Action::AuditVerify, None).await?;
        Ok(verify_chain(&*self.store).await?)
    }
}

/// Adds a fact to a batch, so that it is recorded if and only if what it tells of is.
pub(crate) fn record(batch: &mut Batch, fact: &Fact) -> Result<(), Error> {
    batch.audit(records::encode_fact(fact)?);
    Ok(())
}
