//! Peer invite codes.

use std::collections::BTreeSet;

use super::bytes::{Reader, TooLong, Writer};
use super::{CodeError, CodeText, IssueError, Kind, Problem, envelope};
use crate::name::{Name, Title};
use crate::peering::Flow;
use crate::reason::Reason;
use crate::security::Security;
use crate::signature::{PublicKey, Signer, Verifier};
use crate::{ConnectionId, EnrollmentId, Secret, Time};

const TITLE_BYTES_MAX: usize = Title::MAX * 4;
/// The most markings a connection may allow.
const MARKINGS_MAX: usize = 64;

/// What a peer invite code says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteCode {
    /// The connection it opens, the same on both sides.
    pub connection: ConnectionId,
    /// The originator. That the key speaks for it is for the link to it to say.
    pub originator: EnrollmentId,
    /// The originator's identity key, which signed the code.
    pub key: PublicKey,
    /// The originator's platform title.
    pub title: Title,
    /// The originator's space.
    pub space: Name,
    /// The one enrollment that may use the code.
    pub recipient: EnrollmentId,
    /// The data types asked for, as seen from the originator.
    pub flow: Flow,
    /// The security proposed.
    pub security: Security,
    /// The one-time secret.
    pub secret: Secret,
    /// When it was made, by the originator's clock.
    pub issued_at: Time,
    /// When it ends, by the originator's clock.
    pub expires_at: Time,
}

impl InviteCode {
    /// Signs the code and makes it a text.
    pub fn issue(&self, signer: &dyn Signer) -> Result<CodeText, IssueError> {
        if signer.public_key() != self.key {
            return Err(IssueError::Content { field: "key" });
        }
        self.check().map_err(|field| IssueError::Content { field })?;
        let body = self
            .body()
            .map_err(|TooLong| IssueError::Content { field: "title" })?;
        envelope::seal(Kind::Invite, &body, signer)
    }

    /// Reads a text that should be an invite code. Whether it can be used now is [`InviteCode::inspect`]'s question.
    pub fn read(text: &str, verifier: &dyn Verifier) -> Result<InviteCode, CodeError> {
        let opened = envelope::open(Kind::Invite, text, verifier)?;
        let code = InviteCode::from_body(opened.key, &opened.body)?;
        code.check().map_err(|field| CodeError::Content { field })?;
        match code.body() {
            Ok(body) if body == *opened.body => Ok(code),
            _ => Err(CodeError::Content { field: "encoding" }),
        }
    }

    /// Why this code could not be used by enrollment `own` at `now`; empty when it could.
    pub fn inspect(&self, own: EnrollmentId, now: Time) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.originator == own {
            let message = "this enrollment made the code itself; give it to the other side";
            problems.push(Problem::new(Reason::CodeOwn, message));
        } else if self.recipient != own {
            let message = format!("the code was made for enrollment {}", self.recipient);
            problems.push(Problem::new(Reason::CodeNotForUs, message));
        }
        if now >= self.expires_at {
            let message = format!("the code expired at {}; ask for a new one", self.expires_at);
            problems.push(Problem::new(Reason::CodeExpired, message));
        }
        problems
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.flow.is_empty() {
            return Err("data types");
        }
        if self.security.markings.len() > MARKINGS_MAX {
            return Err("markings");
        }
        if self.recipient == self.originator {
            return Err("recipient");
        }
        if self.expires_at <= self.issued_at {
            return Err("expires_at");
        }
        Ok(())
    }

    fn body(&self) -> Result<Vec<u8>, TooLong> {
        let mut out = Writer::default();
        out.array(self.connection.as_bytes());
        out.string(self.title.as_str().as_bytes(), TITLE_BYTES_MAX)?;
        out.string(self.space.as_str().as_bytes(), Name::MAX)?;
        out.array(self.recipient.as_bytes());
        out.byte(self.flow.bits());
        // A name is never empty, so an empty string is "unclassified".
        let level = self.security.classification.as_ref().map_or("", Name::as_str);
        out.string(level.as_bytes(), Name::MAX)?;
        out.byte(u8::try_from(self.security.markings.len()).map_err(|_| TooLong)?);
        for marking in &self.security.markings {
            out.string(marking.as_str().as_bytes(), Name::MAX)?;
        }
        out.array(self.secret.expose());
        out.long(self.issued_at.as_micros());
        out.long(self.expires_at.as_micros());
        // An enrollment with its first key is named by it.
        if self.originator != self.key.enrollment_id() {
            out.array(self.originator.as_bytes());
        }
        Ok(out.into_bytes())
    }

    fn from_body(key: PublicKey, body: &[u8]) -> Result<InviteCode, CodeError> {
        let mut body = Reader::new(body);
        let connection = ConnectionId::from_bytes(body.array("connection")?);
        let title = body.parsed(TITLE_BYTES_MAX, "title")?;
        let space = body.parsed(Name::MAX, "space")?;
        let recipient = EnrollmentId::from_bytes(body.array("recipient")?);
        let flow =
            Flow::from_bits(body.byte("data types")?).ok_or(CodeError::Content { field: "data types" })?;
        let classification = body.optional(Name::MAX, "classification")?;
        let count = usize::from(body.byte("markings")?);
        if count > MARKINGS_MAX {
            return Err(CodeError::Content { field: "markings" });
        }
        let markings = (0..count)
            .map(|_| body.parsed(Name::MAX, "markings"))
            .collect::<Result<BTreeSet<Name>, _>>()?;
        let secret = Secret::from_bytes(body.array("secret")?);
        let issued_at = Time::from_micros(body.long("issued_at")?);
        let expires_at = Time::from_micros(body.long("expires_at")?);
        let originator = if body.is_empty() {
            key.enrollment_id()
        } else {
            EnrollmentId::from_bytes(body.array("originator")?)
        };
        body.end()?;
        Ok(InviteCode {
            connection,
            originator,
            key,
            title,
            space,
            recipient,
            flow,
            security: Security {
                classification,
                markings,
            },
            secret,
            issued_at,
            expires_at,
        })
    }
}
