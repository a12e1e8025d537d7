//! What is said of what came, what is heard of what went out, and what is written again.

use std::ops::RangeInclusive;

use peerd_core::relay::{self, Answered, Kept};
use peerd_core::{EpochId, Reason};
use peerd_node::Error;
use peerd_node::exchange::{Flow, Refusal};
use peerd_node::relay::RelaySent;
use tokio::time::Instant;

use super::link::Running;
use super::writing::Draft;
use crate::record::{Ack, Anew, Heartbeat, KeyHash};
use crate::{LinkEpoch, Records};

/// So many bundles are written again at once.
const AGAIN_MAX: usize = 256;

impl Running {
    /// What came is acknowledged soon, together with what else comes until then.
    pub(super) fn acknowledge_soon(&mut self) {
        let due = Instant::now() + self.shared.timing.acknowledge_after;
        self.due.acknowledge.get_or_insert(due);
    }

    /// Acknowledges and proves that this side lives, when it is time.
    pub(super) async fn answer_if_due(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        if self.due.heartbeat <= now {
            self.due.heartbeat = now + self.shared.timing.heartbeat;
            let beat = Records::Heartbeat(vec![Heartbeat::Highest(self.out.last)]);
            let before = self.passing.heartbeat.take();
            let name = self.write_passing(Draft::plain(beat), before.as_deref()).await?;
            self.passing.heartbeat = Some(name);
        }
        if self.due.acknowledge.is_none_or(|due| due > now) {
            return Ok(());
        }
        self.due.acknowledge = None;
        if self.set.one_way {
            return Ok(());
        }
        let Some(ack) = self.ack().await? else {
            return Ok(());
        };
        // Refusals are told once; what lies there may not have been collected.
        let before = self.passing.ack.take().filter(|_| ack.refusals.is_empty());
        let name = self
            .write_passing(Draft::plain(Records::Ack(vec![ack])), before.as_deref())
            .await?;
        self.passing.ack = Some(name);
        Ok(())
    }

    async fn ack(&mut self) -> Result<Option<Ack>, Error> {
        let Some(ledger) = &mut self.ledger else {
            return Ok(None);
        };
        if ledger.expire(self.shared.node.now()) > 0 {
            self.shared.node.relay_took(self.link.id, ledger).await?;
        }
        let waiting = &self.waiting;
        let wanted = ledger.missing(|number| waiting.contains_key(&number), Ack::ENTRIES_MAX);
        let taken = ledger.taken.iter().take(Ack::ENTRIES_MAX);
        let anew = self.imports.anew().take(Ack::ENTRIES_MAX);
        Ok(Some(Ack {
            epoch: LinkEpoch::from_bytes(*ledger.epoch.as_bytes()),
            below: ledger.below.saturating_add(1),
            taken: taken.map(|span| span.first..=span.last).collect(),
            wanted: wanted.into_iter().map(|(first, last)| first..=last).collect(),
            refusals: std::mem::take(&mut self.refusals),
            anew: anew
                .map(|(flow, generation)| Anew {
                    flow: flow.clone(),
                    generation,
                })
                .collect(),
        }))
    }

    /// The other side said what came there.
    pub(super) async fn take_ack(&mut self, ack: Ack) -> Result<(), Error> {
        let Ack {
            epoch,
            below,
            taken,
            wanted,
            refusals,
            anew,
        } = ack;
        for Anew { flow, generation } in anew {
            self.take_anew(flow, generation);
        }
        let answer = Answered {
            epoch: EpochId::from_bytes(*epoch.as_bytes()),
            below: below.saturating_sub(1),
            taken: taken.into_iter().map(RangeInclusive::into_inner).collect(),
            wanted: wanted.into_iter().map(RangeInclusive::into_inner).collect(),
        };
        if answer.epoch != self.out.epoch {
            return Ok(());
        }
        if answer.below > self.out.last {
            let told = "bundles were acknowledged that were never written";
            return Err(Error::new(Reason::PeerMisbehaved, told));
        }
        let settled: Vec<u64> = self
            .kept
            .values()
            .filter(|kept| relay::settled(&kept.kept(), &answer))
            .map(|kept| kept.sequence)
            .collect();
        self.shared
            .node
            .presence()
            .acknowledged(self.link.id, self.shared.node.now());
        self.settle(settled, |keys, sequence| {
            let of_it = refusals.iter().filter(|refusal| refusal.sequence == sequence);
            let key = |hash: KeyHash| keys.iter().find(|key| KeyHash::of(key) == hash);
            of_it
                .filter_map(|refusal| {
                    Some(Refusal {
                        key: key(refusal.key)?.clone(),
                        reason: refusal.reason,
                    })
                })
                .collect()
        })
        .await?;
        // An older answer may come after a newer one.
        let newer = self
            .answer
            .as_ref()
            .is_none_or(|known| known.below <= answer.below);
        if newer {
            self.answer = Some(answer);
            self.due.resend = Instant::now();
        }
        Ok(())
    }

    fn take_anew(&mut self, flow: Flow, generation: u64) {
        let known = self.anew.entry(flow).or_default();
        if generation > *known {
            *known = generation;
            self.due.keep_flows = true;
        }
    }

    /// Bundles need not be kept any longer.
    async fn settle(
        &mut self,
        settled: Vec<u64>,
        refusals: impl Fn(&[String], u64) -> Vec<Refusal>,
    ) -> Result<(), Error> {
        if settled.is_empty() {
            return Ok(());
        }
        self.shared.node.relay_settled(self.link.id, &settled).await?;
        self.folders.forget(self.out.epoch, settled.clone()).await?;
        for sequence in settled {
            let keys = self.keys.remove(&sequence).unwrap_or_default();
            let Some(kept) = self.kept.remove(&sequence) else {
                continue;
            };
            if let Some((connection, object_type)) = kept.flow {
                let flow = Flow {
                    connection,
                    object_type,
                };
                let refusals = refusals(&keys, sequence);
                self.exports.settle(&flow, sequence, refusals).await;
            }
        }
        Ok(())
    }

    /// Writes again what is missing there, or where nothing comes back, what is to be repeated.
    pub(super) async fn resend_if_due(&mut self) -> Result<(), Error> {
        if self.due.resend > Instant::now() {
            return Ok(());
        }
        let timing = self.shared.timing;
        self.due.resend = Instant::now() + timing.on_the_way.min(timing.heartbeat);
        let now = self.shared.node.now();
        let kept: Vec<Kept> = self.kept.values().map(RelaySent::kept).collect();
        let again = if self.set.one_way {
            let (again, over) = relay::repeats_due(&kept, now, timing.repeat_every, timing.copies);
            self.settle(over, |_, _| Vec::new()).await?;
            again
        } else {
            if self.kept.values().any(|kept| kept.until <= now) {
                return self.begin_anew().await;
            }
            relay::due(&kept, self.answer.as_ref(), now, timing.on_the_way)
        };
        let mut full = false;
        for sequence in again.into_iter().take(AGAIN_MAX) {
            if !self.put_again(sequence).await? {
                full = true;
                break;
            }
        }
        self.measure(full).await
    }

    /// What was kept is good no longer, and nobody took it: everything goes anew, in an epoch of its own.
    async fn begin_anew(&self) -> Result<(), Error> {
        tracing::warn!(link = %self.link.id, "bundles were not taken while they were good: everything goes anew");
        self.shared.node.relay_begin(self.link.id).await?;
        Err(Error::new(
            Reason::PeerUnreachable,
            "bundles were not taken while they were good: everything goes anew",
        ))
    }

    /// How full the outbox is.
    pub(super) async fn measure(&mut self, full: bool) -> Result<(), Error> {
        let (outbox, _) = self.folders.usage().await?;
        let max = self.set.limits.outbox_bytes_max;
        let kept: u64 = self.kept.values().map(|kept| kept.bytes).sum();
        self.counts.outbox_bytes = outbox.bytes;
        self.counts.full = full || outbox.bytes >= max || kept >= max;
        let now = self.shared.node.now();
        self.counts.uncollected_since = match outbox.files {
            0 => None,
            _ => self.counts.uncollected_since.or(Some(now)),
        };
        Ok(())
    }
}
