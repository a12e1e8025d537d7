//! What a local operator does with a connection that exists.

use super::connection::Change;
use super::{
    Body, Connection, Decision, Effect, Fact, Flow, Halt, Imported, Refused, Role, Side, Stage, Step,
};
use crate::code::ProofKey;
use crate::reason::Reason;
use crate::security::Security;
use crate::{ChangeRequestId, Time};

/// A command of a local operator. Activating is [`Connection::activate`], since it needs a permit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Give out a new invite code; the earlier one is void. An importer that answered with the earlier one has spent
    /// this connection's id: it is refused, and only a new request helps.
    Reissue {
        /// The key of the new code's secret.
        key: ProofKey,
        /// When the new code ends.
        until: Time,
    },
    /// Take the request back.
    Revoke,
    /// Halt all data both ways.
    Disable,
    /// Lift this side's halt.
    Enable,
    /// Set what this side allows to flow. Narrowing takes effect at once; widening once the other side does the same.
    SetDataTypes(Flow),
    /// Allow or forbid data imported over other connections on this one.
    SetReExport(bool),
    /// Propose another security to the other side.
    ProposeSecurity {
        /// The new change request.
        id: ChangeRequestId,
        /// What is proposed.
        security: Security,
    },
    /// Decide on the other side's proposal.
    DecideSecurity {
        /// The change request.
        id: ChangeRequestId,
        /// The decision.
        decision: Decision,
    },
    /// End the connection.
    Close {
        /// What becomes of the data imported here. On a connection that is closed already, `Purge` removes it after
        /// all.
        imported: Imported,
        /// Do not wait for streams to drain: the other side is gone for good.
        force: bool,
    },
}

impl Command {
    /// The command in one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Command::Reissue { .. } => "reissue",
            Command::Revoke => "revoke",
            Command::Disable => "disable",
            Command::Enable => "enable",
            Command::SetDataTypes(_) => "set data types",
            Command::SetReExport(_) => "set re-export",
            Command::ProposeSecurity { .. } => "propose security",
            Command::DecideSecurity { .. } => "decide security",
            Command::Close { .. } => "close",
        }
    }
}

impl Connection {
    /// Carries out a command. What is so already is a no-op, so that a command whose answer was lost can be repeated.
    pub fn command(&self, command: &Command, now: Time) -> Result<Step, Refused> {
        let event = command.name();
        match command {
            Command::Reissue { key, until } => self.reissue(key, *until, event, now),
            Command::Revoke => self.revoke(event, now),
            Command::Close { imported, force } => self.close(*imported, *force, event, now),
            Command::Disable => Ok(self
                .established(event)?
                .halt(Side::Here, now)
                .told(Body::Disabled)),
            Command::Enable => Ok(self.established(event)?.lift(Side::Here, now).told(Body::Enabled)),
            Command::SetDataTypes(flow) => {
                let step = self.established(event)?.set_flow(Side::Here, *flow, now);
                Ok(step.told(Body::DataTypesSet { flow: *flow }))
            }
            Command::SetReExport(allowed) => self.set_re_export(*allowed, event, now),
            Command::ProposeSecurity { id, security } => {
                let open = self.established(event)?;
                open.propose(*id, security, event, now)
            }
            Command::DecideSecurity { id, decision } => {
                self.established(event)?.decide(*id, decision, event, now)
            }
        }
    }

    /// The steps below are for a connection that was activated and is not over.
    pub(super) fn established(&self, event: &'static str) -> Result<&Connection, Refused> {
        match self.stage {
            Stage::Active { .. } | Stage::Disabled { .. } => Ok(self),
            _ => Err(self.refused(event, Reason::WrongStage)),
        }
    }

    fn reissue(&self, key: &ProofKey, until: Time, event: &'static str, now: Time) -> Result<Step, Refused> {
        match self.stage {
            Stage::Requested { .. } if until <= now => Err(self.refused(event, Reason::FieldInvalid)),
            Stage::Requested { .. } => {
                let key = key.clone();
                Ok(Step {
                    next: self.at(Stage::Requested { until, key }, now),
                    effects: Vec::new(),
                    fact: Some(Fact::Reissued),
                })
            }
            _ => Err(self.refused(event, Reason::WrongStage)),
        }
    }

    fn revoke(&self, event: &'static str, now: Time) -> Result<Step, Refused> {
        if self.role != Role::Originator {
            return Err(self.refused(event, Reason::NotOriginator));
        }
        let mut next = self.at(Stage::Revoked { at: now }, now);
        let effects = match self.stage {
            // Nobody has answered, so nobody there knows of it: who answers later is told then.
            Stage::Requested { .. } => Vec::new(),
            Stage::Approved { .. } => vec![next.send(Body::Revoked)],
            Stage::Revoked { .. } => return Ok(Step::unchanged(self)),
            _ => return Err(self.refused(event, Reason::WrongStage)),
        };
        let fact = Some(Fact::Revoked { by: Side::Here });
        Ok(Step { next, effects, fact })
    }

    fn close(
        &self,
        imported: Imported,
        forced: bool,
        event: &'static str,
        now: Time,
    ) -> Result<Step, Refused> {
        match self.stage {
            Stage::Approved { .. } | Stage::Active { .. } | Stage::Disabled { .. } => {
                let mut step = self.closed(Side::Here, imported, forced, now);
                let told = step.next.send(Body::Closed);
                step.effects.insert(0, told);
                Ok(step)
            }
            Stage::Closed {
                at,
                by,
                imported: Imported::Keep,
                forced,
            } if imported == Imported::Purge => {
                let stage = Stage::Closed {
                    at,
                    by,
                    imported,
                    forced,
                };
                Ok(Step {
                    next: self.at(stage, now),
                    effects: vec![Effect::PurgeImported],
                    fact: Some(Fact::Purged),
                })
            }
            Stage::Closed { .. } => Ok(Step::unchanged(self)),
            // Whoever wants to end a request that nobody answered revokes it.
            Stage::Requested { .. } => self.revoke(event, now),
            _ => Err(self.refused(event, Reason::WrongStage)),
        }
    }

    /// Ends the connection; whoever did is not told here.
    pub(super) fn closed(&self, by: Side, imported: Imported, forced: bool, now: Time) -> Step {
        let stage = Stage::Closed {
            at: now,
            by,
            imported,
            forced,
        };
        let mut next = self.at(stage, now);
        next.change = None;
        let mut effects = Vec::new();
        if self.is_flowing() {
            effects.push(if forced {
                Effect::StopStreams
            } else {
                Effect::DrainStreams
            });
        }
        if imported == Imported::Purge {
            effects.push(Effect::PurgeImported);
        }
        let fact = Some(Fact::Closed { by, imported, forced });
        Step { next, effects, fact }
    }

    /// A side halts the connection.
    pub(super) fn halt(&self, by: Side, now: Time) -> Step {
        let (since, halt, effects) = match self.stage {
            Stage::Active { since } => (since, Halt::by(by, now), vec![Effect::StopStreams]),
            Stage::Disabled { since, halt } if !halt.holds(by) => (since, halt.and(by, now), Vec::new()),
            _ => return Step::unchanged(self),
        };
        Step {
            next: self.at(Stage::Disabled { since, halt }, now),
            effects,
            fact: Some(Fact::Disabled { by }),
        }
    }

    /// A side lifts its own halt; the other's stays.
    pub(super) fn lift(&self, by: Side, now: Time) -> Step {
        let Stage::Disabled { since, halt } = self.stage else {
            return Step::unchanged(self);
        };
        if !halt.holds(by) {
            return Step::unchanged(self);
        }
        let (stage, effects) = match halt.without(by) {
            Some(halt) => (Stage::Disabled { since, halt }, Vec::new()),
            None => (Stage::Active { since }, vec![Effect::StartStreams]),
        };
        Step {
            next: self.at(stage, now),
            effects,
            fact: Some(Fact::Enabled { by }),
        }
    }

    /// A side sets what it allows, seen from here.
    pub(super) fn set_flow(&self, by: Side, flow: Flow, now: Time) -> Step {
        let mut next = self.clone();
        let (own, other) = match by {
            Side::Here => (&mut next.ours, next.theirs),
            Side::There => (&mut next.theirs, next.ours),
        };
        if *own == flow {
            return Step::unchanged(self);
        }
        *own = flow;
        next.changed_at = now;
        let revised = next.flow() != self.flow() && self.is_flowing();
        let fact = Fact::DataTypesSet {
            by,
            now: next.flow(),
            asked: flow.without(other),
        };
        Step {
            next,
            effects: if revised {
                vec![Effect::ReviseStreams]
            } else {
                Vec::new()
            },
            fact: Some(fact),
        }
    }

    fn set_re_export(&self, allowed: bool, event: &'static str, now: Time) -> Result<Step, Refused> {
        if self.stage.is_final() {
            return Err(self.refused(event, Reason::WrongStage));
        }
        let mut step = Step::unchanged(self);
        if self.re_export != allowed {
            step.next.re_export = allowed;
            step.next.changed_at = now;
            step.fact = Some(Fact::ReExportSet { allowed });
            if self.is_flowing() {
                step.effects.push(Effect::ReviseStreams);
            }
        }
        Ok(step)
    }

    fn propose(
        &self,
        id: ChangeRequestId,
        security: &Security,
        event: &'static str,
        now: Time,
    ) -> Result<Step, Refused> {
        let by = Side::Here;
        match &self.change {
            Some(held) if held.id == id && held.by == by && held.security == *security => {
                return Ok(Step::unchanged(self));
            }
            // The other side may be deciding right now: a proposal that is out is never changed.
            Some(_) => return Err(self.refused(event, Reason::ChangePending)),
            None => {}
        }
        let mut next = self.clone();
        next.changed_at = now;
        let security = security.clone();
        next.change = Some(Change {
            id,
            by,
            security: security.clone(),
            at: now,
        });
        let body = Body::SecurityProposed {
            id,
            security: security.clone(),
        };
        let effects = vec![next.send(body)];
        let fact = Some(Fact::SecurityProposed { by, id, security });
        Ok(Step { next, effects, fact })
    }

    fn decide(
        &self,
        id: ChangeRequestId,
        decision: &Decision,
        event: &'static str,
        now: Time,
    ) -> Result<Step, Refused> {
        let step = self.decided(Side::Here, id, decision, event, now)?;
        let decision = decision.clone();
        Ok(step.told(Body::SecurityDecided { id, decision }))
    }

    /// A side decided on the other's proposal.
    pub(super) fn decided(
        &self,
        by: Side,
        id: ChangeRequestId,
        decision: &Decision,
        event: &'static str,
        now: Time,
    ) -> Result<Step, Refused> {
        let change = match &self.change {
            // Nobody decides on their own proposal.
            Some(change) if change.id == id && change.by != by => change,
            _ => return Err(self.refused(event, Reason::ChangeUnknown)),
        };
        let mut next = self.clone();
        next.change = None;
        next.changed_at = now;
        let approved = *decision == Decision::Approve;
        let mut effects = Vec::new();
        if approved {
            next.security = change.security.clone();
            if self.is_flowing() && next.security != self.security {
                effects.push(Effect::ReviseStreams);
            }
        }
        let fact = Some(Fact::SecurityDecided { by, id, approved });
        Ok(Step { next, effects, fact })
    }
}

impl Step {
    /// Tells the other side of a step of this side, unless nothing happened. Sending comes first.
    fn told(mut self, body: Body) -> Step {
        if !self.is_noop() {
            let told = self.next.send(body);
            self.effects.insert(0, told);
        }
        self
    }
}
