//! The issuer's side of a link code: one use, by one enrollment.

use serde::{Deserialize, Serialize};

use crate::code::{LinkCode, Proof, ProofKey};
use crate::reason::Reason;
use crate::{EnrollmentId, LinkId, Time};

/// A link code that was given out. The secret is not kept, only what checks its proofs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedCode {
    /// The link it completes.
    pub link: LinkId,
    /// What checks the proofs.
    pub key: ProofKey,
    /// When it ends.
    pub expires_at: Time,
    /// What became of it.
    pub state: CodeState,
}

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeState {
    /// It can be used.
    Open,
    /// This enrollment used it.
    Used {
        /// Who.
        by: EnrollmentId,
        /// When.
        at: Time,
    },
    /// It was revoked.
    Revoked {
        /// When.
        at: Time,
    },
}

/// Shows that an enrollment holds the code of a link. Only [`IssuedCode::claim`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proven {
    link: LinkId,
    enrollment: EnrollmentId,
}

impl Proven {
    /// The link whose code it is.
    pub const fn link(&self) -> LinkId {
        self.link
    }

    /// Who holds it.
    pub const fn enrollment(&self) -> EnrollmentId {
        self.enrollment
    }
}

impl IssuedCode {
    /// The record of a code that is given out now. Storing it in the place of an earlier one of the same link ends
    /// that one.
    pub fn of(code: &LinkCode) -> IssuedCode {
        IssuedCode {
            link: code.link,
            key: ProofKey::of(&code.secret),
            expires_at: code.expires_at,
            state: CodeState::Open,
        }
    }

    /// An enrollment shows that it holds the code, in the TLS session of this `exporter`. Whoever was first may claim
    /// it again, since the answer may have been lost; nobody else may.
    ///
    /// The proof is looked at first: without it, a caller does not learn what became of the code.
    pub fn claim(
        &self,
        by: EnrollmentId,
        proof: Proof,
        exporter: &[u8; 32],
        now: Time,
    ) -> Result<(IssuedCode, Proven), Reason> {
        if proof != self.key.enrollment(self.link, by, exporter) {
            return Err(Reason::ProofInvalid);
        }
        let state = match self.state {
            CodeState::Revoked { .. } => return Err(Reason::CodeRevoked),
            CodeState::Used { by: first, .. } if first != by => return Err(Reason::CodeUsed),
            CodeState::Used { .. } => self.state,
            CodeState::Open if now >= self.expires_at => return Err(Reason::CodeExpired),
            CodeState::Open => CodeState::Used { by, at: now },
        };
        let proven = Proven {
            link: self.link,
            enrollment: by,
        };
        Ok((
            IssuedCode {
                state,
                ..self.clone()
            },
            proven,
        ))
    }

    /// Ends a code that nobody used.
    pub fn revoke(&self, now: Time) -> Result<IssuedCode, Reason> {
        match self.state {
            CodeState::Open => Ok(IssuedCode {
                state: CodeState::Revoked { at: now },
                ..self.clone()
            }),
            CodeState::Revoked { .. } => Ok(self.clone()),
            CodeState::Used { .. } => Err(Reason::CodeUsed),
        }
    }
}
