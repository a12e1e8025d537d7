//! Keeping the set that decides in step with what is stored, and with time.

use std::sync::Arc;
use std::time::Duration;

use peerd_core::audit::{Actor, Fact};
use peerd_core::policy::{Policy, PolicySet, Standing, State};
use peerd_core::{Reason, Time};
use peerd_store::{Batch, Found, RecordBatch as _, Records as _, Table, Topic};
use tokio::time::MissedTickBehavior;

use crate::{Error, Node, audit};

/// How often the clock is looked at. An expiry must be felt within a second.
const TICK: Duration = Duration::from_millis(400);

impl Node {
    /// Reads the policies anew and lets whatever acts under a permit ask again. What cannot be read denies everything.
    pub(crate) async fn reload_policies(&self) {
        let _one_at_a_time = self.reloading.lock().await;
        let set = match self.store.all::<Policy>(&[]).await {
            Ok(found) => PolicySet::new(found.into_iter().map(|found| found.record)),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "policies unreadable, denying all"
                );
                PolicySet::unreadable()
            }
        };
        self.policies.store(Arc::new(set));
        self.announce_policy_change();
    }

    /// Whether everything is denied because the policies could not be read.
    pub(crate) fn policies_are_unreadable(&self) -> bool {
        let anywhere = std::net::Ipv4Addr::UNSPECIFIED.into();
        let answer = self.policies.load().admits_source(anywhere, self.now());
        answer.is_err_and(|denial| denial.reason == Reason::PolicyUnreadable)
    }

    /// Marks policies expired when their time is over, and follows changes that others made in the store. Never
    /// returns; the daemon runs it as a task.
    pub async fn run_policy_clock(&self) {
        let mut stored = self.store.watch(&Topic::Table(Table::Policies));
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next = Some(Time::EPOCH);
        loop {
            let changed = tokio::select! {
                Ok(()) = stored.changed() => true,
                _ = ticks.tick() => false,
            };
            let due = next.is_some_and(|at| at <= self.now());
            if !(changed || due || self.policies_are_unreadable()) {
                continue;
            }
            if due {
                // Answers changed at that moment, whatever becomes of the mark in the store.
                self.announce_policy_change();
            }
            match self.mark_expired().await {
                Ok(at) => next = at,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "expired policies could not be marked, trying again"
                    );
                    next = Some(Time::EPOCH);
                }
            }
            self.reload_policies().await;
        }
    }

    /// Marks what is over; the time of the next expiry.
    async fn mark_expired(&self) -> Result<Option<Time>, Error> {
        let now = self.now();
        let mut next = None;
        for Found { record, revision } in self.store.all::<Policy>(&[]).await? {
            match (record.state(), record.standing(now), record.expires_at()) {
                (State::Revoked { .. } | State::Expired { .. }, ..) | (.., None) => {}
                (_, Standing::Expired, _) => {
                    let id = record.id();
                    let Ok(expired) = record.expire(now) else {
                        continue;
                    };
                    let mut batch = Batch::new();
                    batch.replace(&expired, revision)?;
                    audit::record(&mut batch, &Fact::new(now, Actor::System, "policy expire").on(id))?;
                    self.commit(batch).await?;
                }
                (.., Some(at)) => next = Some(next.map_or(at, |earlier: Time| earlier.min(at))),
            }
        }
        Ok(next)
    }

    fn announce_policy_change(&self) {
        self.policy_changes.send_modify(|count| *count += 1);
    }
}
