//! Reading an invite code, and what stands against using it. Contacts nobody.

use peerd_core::authz::Action;
use peerd_core::code::{InviteCode, Problem};
use peerd_core::link::Link;
use peerd_core::peering::Connection;
use peerd_core::security::Security;
use peerd_core::{Fingerprint, Reason};
use peerd_store::Records as _;

use crate::{Caller, Error, Node};

/// What an invite code says, and what stands against approving it now.
#[derive(Debug)]
pub struct Inspection {
    /// The code.
    pub code: InviteCode,
    /// The originator's identity certificate as its link pins it; absent where there is no complete link.
    pub fingerprint: Option<Fingerprint>,
    /// What stands against it; empty when nothing does.
    pub problems: Vec<Problem>,
}

impl Node {
    /// Shows an invite code and the policy dry run.
    pub async fn inspect_invite(&self, caller: &Caller, text: &str) -> Result<Inspection, Error> {
        self.authorize(caller, Action::ConnectionInspect, None).await?;
        let code = self.read_invite(text)?;
        let mut problems = code.inspect(self.enrollment_id(), self.now());
        if let Some(known) = self.store.find::<Connection>(code.connection.as_bytes()).await? {
            let message = format!(
                "the code was used: the connection is {}",
                known.record.stage.name()
            );
            problems.push(Problem::new(Reason::CodeUsed, message));
        }
        let mut fingerprint = None;
        if code.originator != self.enrollment_id() {
            let link = self.link_for(&code).await;
            let pinned = link.as_ref().ok().and_then(|link| link.remote.as_ref());
            fingerprint = pinned.map(|remote| Fingerprint::of(&remote.certificate));
            let flow = code.flow.mirrored();
            let asked = link.and_then(|link| self.decide_peering(&link, code.originator, flow));
            if let Err(error) = asked {
                problems.push(Problem::new(error.reason(), error.told()));
            }
        }
        if let Err(error) = self.check_security(&code.security).await {
            problems.push(Problem::new(error.reason(), error.told()));
        }
        Ok(Inspection {
            code,
            fingerprint,
            problems,
        })
    }

    pub(super) fn read_invite(&self, text: &str) -> Result<InviteCode, Error> {
        InviteCode::read(text, &*self.verifier).map_err(|error| Error::new(error.reason(), error.to_string()))
    }

    /// Refuses a code that its own content says cannot be used now.
    pub(super) fn usable(&self, code: &InviteCode) -> Result<(), Error> {
        match code.inspect(self.enrollment_id(), self.now()).into_iter().next() {
            Some(problem) => Err(Error::new(problem.reason, problem.message)),
            None => Ok(()),
        }
    }

    /// The complete link to the originator of a code, whose pinned key must be the code's.
    pub(super) async fn link_for(&self, code: &InviteCode) -> Result<Link, Error> {
        let link = self.link_to(code.originator).await?;
        let pinned = |link: &Link| {
            link.remote
                .as_ref()
                .is_some_and(|remote| remote.has_key(&code.key))
        };
        let complete = link.filter(|link| link.is_established() && pinned(link));
        complete.ok_or_else(|| {
            let told = format!("there is no complete link to enrollment {}", code.originator);
            Error::new(Reason::LinkMissing, told)
        })
    }

    /// Refuses a classification level or marking that is not known here: nothing could be compared with it.
    pub(crate) async fn check_security(&self, security: &Security) -> Result<(), Error> {
        let levels = self.levels().await?;
        if let Some(level) = security
            .classification
            .as_ref()
            .filter(|level| !levels.knows(level))
        {
            let told = format!("classification level {level} is not known here");
            return Err(Error::new(Reason::LevelUnknown, told));
        }
        let known = self.markings().await?;
        match security
            .markings
            .iter()
            .find(|marking| !known.contains_key(*marking))
        {
            Some(unknown) => Err(Error::new(
                Reason::MarkingUnknown,
                format!("marking {unknown} is not known here"),
            )),
            None => Ok(()),
        }
    }
}
