//! Policies: proposing, deciding, listing, and the dry run.

use std::time::Duration;

use bytes::Bytes;
use peerd_core::audit::Fact;
use peerd_core::authz::{Action, Principal};
use peerd_core::policy::{
    InvalidPolicy, Justification, Policy, Proposal, Question, Refused, Rule, Side, Standing, Verdict,
};
use peerd_core::{PolicyId, PrincipalId, Time};
use peerd_store::{Batch, Found, RecordBatch as _, Records as _};

use crate::{Caller, Error, Node, audit};

mod clock;
mod question;

pub use question::{Asked, question};

/// A policy as an operator sees it.
#[derive(Clone, Debug)]
pub struct PolicyView {
    /// The record.
    pub policy: Policy,
    /// How it stands now.
    pub standing: Standing,
    /// The name of who proposed it.
    pub proposed_by: String,
    /// The name of who decided last, if anybody did.
    pub decided_by: Option<String>,
}

/// What can be decided on a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyDecision {
    /// Put a proposal in force.
    Approve,
    /// Take it out of force for a while.
    Pause,
    /// Put it back in force.
    Resume,
    /// Take it out of force for good.
    Revoke,
}

impl PolicyDecision {
    fn action(self) -> Action {
        match self {
            PolicyDecision::Approve => Action::PolicyApprove,
            PolicyDecision::Pause => Action::PolicyPause,
            PolicyDecision::Resume => Action::PolicyResume,
            PolicyDecision::Revoke => Action::PolicyRevoke,
        }
    }

    fn apply(
        self,
        policy: Policy,
        by: PrincipalId,
        second_person: bool,
        now: Time,
    ) -> Result<Policy, Refused> {
        match self {
            PolicyDecision::Approve => policy.approve(by, second_person, now),
            PolicyDecision::Pause => policy.pause(by, now),
            PolicyDecision::Resume => policy.resume(by, now),
            PolicyDecision::Revoke => policy.revoke(by, now),
        }
    }
}

impl Node {
    /// Proposes a policy. With `approve` it is in force at once, or nothing is proposed.
    pub async fn propose_policy(
        &self,
        caller: &Caller,
        rule: Rule,
        justification: Justification,
        lifetime: Option<Duration>,
        approve: bool,
    ) -> Result<PolicyView, Error> {
        self.authorize(caller, Action::PolicyPropose, None).await?;
        if approve {
            self.authorize(caller, Action::PolicyApprove, None).await?;
        }
        let (now, by) = (self.now(), caller.principal().id);
        let proposal = Proposal {
            rule,
            justification,
            expires_at: lifetime.map(|lifetime| now.plus(lifetime)),
        };
        let id = self.mint(PolicyId::from_uuid);
        let mut policy = Policy::propose(id, proposal, by, now).map_err(|error| unusable(&error))?;
        let mut batch = Batch::new();
        let fact = Fact::of_call(now, caller.principal(), Action::PolicyPropose).on(id);
        audit::record(&mut batch, &fact.detail("direction", policy.rule().side()))?;
        if approve {
            let second_person = self.settings.second_person;
            policy = match PolicyDecision::Approve.apply(policy, by, second_person, now) {
                Ok(policy) => policy,
                Err(refused) => return self.refuse(caller, Action::PolicyApprove, id, refused).await,
            };
            let fact = Fact::of_call(now, caller.principal(), Action::PolicyApprove).on(id);
            audit::record(&mut batch, &fact)?;
        }
        batch.insert(&policy)?;
        self.commit(batch).await?;
        self.reload_policies().await;
        self.view_policy(policy).await
    }

    /// Decides on a policy. It takes effect on what is under way before this returns.
    pub async fn decide_policy(
        &self,
        caller: &Caller,
        id: PolicyId,
        decision: PolicyDecision,
    ) -> Result<PolicyView, Error> {
        self.authorize(caller, decision.action(), None).await?;
        let policy = self
            .retrying(|| self.decide_policy_once(caller, id, decision))
            .await?;
        self.reload_policies().await;
        self.view_policy(policy).await
    }

    async fn decide_policy_once(
        &self,
        caller: &Caller,
        id: PolicyId,
        decision: PolicyDecision,
    ) -> Result<Policy, Error> {
        let Found { record, revision } = self.policy(id).await?;
        let (now, by) = (self.now(), caller.principal().id);
        let policy = match decision.apply(record, by, self.settings.second_person, now) {
            Ok(policy) => policy,
            Err(refused) => return self.refuse(caller, decision.action(), id, refused).await,
        };
        let mut batch = Batch::new();
        batch.replace(&policy, revision)?;
        let fact = Fact::of_call(now, caller.principal(), decision.action()).on(id);
        audit::record(&mut batch, &fact)?;
        self.commit(batch).await?;
        Ok(policy)
    }

    /// Policies, oldest first; `side` picks a direction.
    pub async fn list_policies(
        &self,
        caller: &Caller,
        side: Option<Side>,
        after: Option<PolicyId>,
        limit: usize,
    ) -> Result<(Vec<PolicyView>, Option<PolicyId>), Error> {
        self.authorize(caller, Action::PolicyList, None).await?;
        let mut views = Vec::new();
        let mut after = after.map(|id| Bytes::copy_from_slice(id.as_bytes()));
        loop {
            let page = self.store.page::<Policy>(&[], after, limit).await?;
            for found in page.records {
                let policy = found.record;
                if side.is_some_and(|side| policy.rule().side() != side) {
                    continue;
                }
                let id = policy.id();
                views.push(self.view_policy(policy).await?);
                if views.len() == limit {
                    return Ok((views, Some(id)));
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok((views, None));
            }
        }
    }

    /// One policy.
    pub async fn show_policy(&self, caller: &Caller, id: PolicyId) -> Result<PolicyView, Error> {
        self.authorize(caller, Action::PolicyShow, None).await?;
        let found = self.policy(id).await?;
        self.view_policy(found.record).await
    }

    /// What the policies would answer, without doing anything.
    pub async fn check_policy(&self, caller: &Caller, question: Question) -> Result<Verdict, Error> {
        self.authorize(caller, Action::PolicyCheck, None).await?;
        Ok(self.policies.load().check(question, self.now()))
    }

    async fn policy(&self, id: PolicyId) -> Result<Found<Policy>, Error> {
        let found = self.store.find::<Policy>(id.as_bytes()).await?;
        found.ok_or_else(|| Error::not_found("policy"))
    }

    async fn view_policy(&self, policy: Policy) -> Result<PolicyView, Error> {
        let decided_by = match policy.decided() {
            Some(decided) => Some(self.name_of(decided.by).await?),
            None => None,
        };
        Ok(PolicyView {
            proposed_by: self.name_of(policy.proposed().by).await?,
            decided_by,
            standing: policy.standing(self.now()),
            policy,
        })
    }

    /// The name of a principal, for people; its id where the record is gone.
    async fn name_of(&self, id: PrincipalId) -> Result<String, Error> {
        let found = self.store.find::<Principal>(id.as_bytes()).await?;
        Ok(found.map_or_else(|| id.to_string(), |found| found.record.name.to_string()))
    }

    async fn refuse<T>(
        &self,
        caller: &Caller,
        action: Action,
        id: PolicyId,
        refused: Refused,
    ) -> Result<T, Error> {
        self.audit_refusal(caller, action, id, refused.reason()).await?;
        Err(Error::new(refused.reason(), refused.to_string()))
    }
}

fn unusable(error: &InvalidPolicy) -> Error {
    let field = match error {
        InvalidPolicy::NoEnrollment | InvalidPolicy::TooManyEnrollments { .. } => "enrollments",
        InvalidPolicy::NoSource | InvalidPolicy::TooManySources { .. } => "sources",
        InvalidPolicy::ExpiresInThePast(_) => "expires_in",
    };
    Error::field(field, error)
}
