//! What arrives from the other side of a connection.

use super::connection::Change;
use super::{
    Allowed, Body, Connection, Effect, Fact, Imported, Message, Refused, Rejection, Role, Side, Stage, Step,
};
use crate::code::{Proof, ProofKey};
use crate::name::Name;
use crate::reason::Reason;
use crate::security::Security;
use crate::{ChangeRequestId, Time};

impl Connection {
    /// Takes a message of the other side. Its signature was verified by the caller.
    ///
    /// What was taken before is a no-op. [`Reason::MessageEarly`] asks for it again once the one before it was taken.
    /// A message to a connection that is over is refused; [`Connection::ending`] is the answer that goes with it.
    pub fn receive(&self, message: &Message, allowed: Allowed<'_>, now: Time) -> Result<Step, Refused> {
        let body = &message.body;
        let event = body.name();
        if message.connection != self.id || message.from != self.remote || message.to != self.local {
            return Err(self.refused(event, Reason::IdentityMismatch));
        }
        if message.sequence == 0 {
            return Err(self.refused(event, Reason::PeerMisbehaved));
        }
        // Two approvals with one code, as after a restore of the other side: the first one counts.
        let another = self.approval.is_some_and(|first| first != message.id);
        if another && matches!(body, Body::Approved { .. }) && self.role == Role::Originator {
            return Err(self.refused(event, Reason::CodeUsed));
        }
        if message.sequence <= self.received {
            return Ok(Step::unchanged(self));
        }
        if self.stage.is_final() {
            return self.late(body);
        }
        if message.sequence > self.received.saturating_add(1) && !body.is_ending() {
            return Err(self.refused(event, Reason::MessageEarly));
        }
        let mut step = self.happened(message, allowed, now)?;
        step.next.received = message.sequence;
        Ok(step)
    }

    /// Nothing moves a connection that is over. That the other side ended it too is no news.
    fn late(&self, body: &Body) -> Result<Step, Refused> {
        if body.is_ending() {
            return Ok(Step::unchanged(self));
        }
        let reason = match (&self.stage, body) {
            (Stage::Expired { .. }, Body::Approved { .. }) => Reason::CodeExpired,
            (Stage::Revoked { .. }, Body::Approved { .. }) => Reason::CodeRevoked,
            _ => Reason::WrongStage,
        };
        Err(self.refused(body.name(), reason))
    }

    fn happened(&self, message: &Message, allowed: Allowed<'_>, now: Time) -> Result<Step, Refused> {
        let event = message.body.name();
        let by = Side::There;
        match &message.body {
            Body::Approved {
                space,
                title: _,
                security,
                proof,
            } => {
                let mut step = self.approved(space, security, *proof, allowed, now)?;
                step.next.approval = Some(message.id);
                Ok(step)
            }
            Body::Rejected { remark, proof } => {
                self.answered(*proof, event)?;
                let why = Rejection::Remark(remark.clone());
                let fact = Fact::Rejected { by, why: why.clone() };
                Ok(self.over(Stage::Rejected { at: now, by, why }, fact, now))
            }
            Body::Revoked | Body::Expired => self.withdrawn(&message.body, now),
            Body::Activated { terms } => {
                if self.role != Role::Importer {
                    return Err(self.refused(event, Reason::NotOriginator));
                }
                if !matches!(self.stage, Stage::Approved { .. }) {
                    return Err(self.refused(event, Reason::WrongStage));
                }
                self.asks_permit(allowed, event)?;
                if *terms != self.terms() {
                    return Err(self.refused(event, Reason::TermsMismatch));
                }
                Ok(Step {
                    next: self.at(Stage::Active { since: now }, now),
                    effects: vec![Effect::StartStreams],
                    fact: Some(Fact::Activated { by }),
                })
            }
            Body::Disabled => Ok(self.established(event)?.halt(by, now)),
            Body::Enabled => Ok(self.established(event)?.lift(by, now)),
            Body::DataTypesSet { flow } => Ok(self.established(event)?.set_flow(by, flow.mirrored(), now)),
            Body::SecurityProposed { id, security } => self.established(event)?.proposed(*id, security, now),
            Body::SecurityDecided { id, decision } => {
                self.established(event)?.decided(by, *id, decision, event, now)
            }
            Body::Closed => match self.stage {
                // The importer took its approval back, and that overtook the approval itself.
                Stage::Requested { .. } => {
                    let why = Rejection::Refused(Reason::RemoteRefused);
                    let fact = Fact::Rejected { by, why: why.clone() };
                    Ok(self.over(Stage::Rejected { at: now, by, why }, fact, now))
                }
                _ => Ok(self.closed(by, Imported::Keep, false, now)),
            },
        }
    }

    /// The importer's approval arrives at the originator.
    fn approved(
        &self,
        space: &Name,
        security: &Security,
        proof: Proof,
        allowed: Allowed<'_>,
        now: Time,
    ) -> Result<Step, Refused> {
        let event = "approved";
        let until = self.answered(proof, event)?;
        if now >= until {
            // The answer is told by a message too: over a relay there is no other way back.
            let mut step = self.over(Stage::Expired { at: now }, Fact::Expired, now);
            let told = step.next.send(Body::Expired);
            step.effects.push(told);
            return Ok(step);
        }
        self.asks_permit(allowed, event)?;
        if !security.at_most(&self.asked, allowed.levels) {
            return Err(self.refused(event, Reason::SecurityWidened));
        }
        let mut next = self.at(Stage::Approved { at: now }, now);
        next.remote_space = Some(space.clone());
        next.security = security.clone();
        Ok(Step {
            next,
            effects: Vec::new(),
            fact: Some(Fact::Approved { by: Side::There }),
        })
    }

    /// An answer to the invite code: it has to come to an open request, with the proof that goes with the code. Gives
    /// when the code ends.
    fn answered(&self, proof: Proof, event: &'static str) -> Result<Time, Refused> {
        let (until, key): (Time, &ProofKey) = match (&self.stage, self.role) {
            (Stage::Requested { until, key }, Role::Originator) => (*until, key),
            (_, Role::Importer) => return Err(self.refused(event, Reason::PeerMisbehaved)),
            _ => return Err(self.refused(event, Reason::WrongStage)),
        };
        if proof != key.approval(self.id, self.remote) {
            return Err(self.refused(event, Reason::ProofInvalid));
        }
        Ok(until)
    }

    /// The originator took the request back, or had let it expire.
    fn withdrawn(&self, body: &Body, now: Time) -> Result<Step, Refused> {
        let event = body.name();
        if self.role != Role::Importer {
            return Err(self.refused(event, Reason::NotOriginator));
        }
        match self.stage {
            Stage::Approved { .. } if *body == Body::Expired => {
                Ok(self.over(Stage::Expired { at: now }, Fact::Expired, now))
            }
            Stage::Approved { .. } => {
                let fact = Fact::Revoked { by: Side::There };
                Ok(self.over(Stage::Revoked { at: now }, fact, now))
            }
            _ => Err(self.refused(event, Reason::WrongStage)),
        }
    }

    fn proposed(&self, id: ChangeRequestId, security: &Security, now: Time) -> Result<Step, Refused> {
        let by = Side::There;
        let mut next = self.clone();
        next.changed_at = now;
        let proposed = Change {
            id,
            by,
            security: security.clone(),
            at: now,
        };
        let fact = match (&self.change, self.role) {
            (None, _) => Fact::SecurityProposed {
                by,
                id,
                security: security.clone(),
            },
            (Some(held), _) if held.by == Side::There => {
                return Err(self.refused("security proposed", Reason::ChangePending));
            }
            // Two proposals crossed. Both sides see that, and both keep the originator's.
            (Some(_), Role::Originator) => {
                return Ok(Step {
                    next: self.clone(),
                    effects: Vec::new(),
                    fact: Some(Fact::ProposalVoid { id }),
                });
            }
            (Some(held), Role::Importer) => Fact::ProposalVoid { id: held.id },
        };
        next.change = Some(proposed);
        Ok(Step {
            next,
            effects: Vec::new(),
            fact: Some(fact),
        })
    }

    fn asks_permit(&self, allowed: Allowed<'_>, event: &'static str) -> Result<(), Refused> {
        match allowed.permit {
            Some(permit) => self.permitted(permit, event),
            None => Err(self.refused(event, Reason::RemoteRefused)),
        }
    }

    fn over(&self, stage: Stage, fact: Fact, now: Time) -> Step {
        Step {
            next: self.at(stage, now),
            effects: Vec::new(),
            fact: Some(fact),
        }
    }
}
