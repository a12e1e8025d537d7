//! Link codes.

use super::bytes::{Reader, TooLong, Writer};
use super::{CodeError, CodeText, IssueError, Kind, Problem, envelope};
use crate::lineage::Lineage;
use crate::link::{Address, Direction};
use crate::name::Title;
use crate::reason::Reason;
use crate::signature::{PublicKey, Signer, Verifier};
use crate::{EnrollmentId, LinkId, Secret, Time};

/// The longest identity certificate in a code, in bytes of DER.
const CERTIFICATE_MAX: usize = 4 * 1024;
const TITLE_BYTES_MAX: usize = Title::MAX * 4;

/// What a link code says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkCode {
    /// The issuer's link, which the code completes.
    pub link: LinkId,
    /// The issuer's identity keys, as its certificate proves them; the last signed the code.
    pub lineage: Lineage,
    /// The issuer's self-signed identity certificate, DER, at most 4 KiB.
    pub certificate: Vec<u8>,
    /// The issuer's platform title, if it has set one.
    pub title: Option<Title>,
    /// Where the issuer can be dialled; at most [`Address::COUNT_MAX`], in the order to try them.
    pub addresses: Vec<Address>,
    /// Who may initiate, as seen from the issuer.
    pub direction: Direction,
    /// The one-time secret.
    pub secret: Secret,
    /// When it was made, by the issuer's clock.
    pub issued_at: Time,
    /// When it ends, by the issuer's clock.
    pub expires_at: Time,
}

impl LinkCode {
    /// The issuer.
    pub fn enrollment(&self) -> EnrollmentId {
        self.lineage.enrollment()
    }

    /// Signs the code and makes it a text.
    pub fn issue(&self, signer: &dyn Signer) -> Result<CodeText, IssueError> {
        if signer.public_key() != *self.lineage.key() {
            return Err(IssueError::Content { field: "key" });
        }
        if self.direction.they_may_dial() && self.addresses.is_empty() {
            return Err(IssueError::NoAddress);
        }
        self.check().map_err(|field| IssueError::Content { field })?;
        let body = self
            .body()
            .map_err(|TooLong| IssueError::Content { field: "certificate" })?;
        envelope::seal(Kind::Link, &body, signer)
    }

    /// Reads a text that should be a link code. Whether it can be used now is [`LinkCode::inspect`]'s question.
    pub fn read(text: &str, verifier: &dyn Verifier) -> Result<LinkCode, CodeError> {
        let opened = envelope::open(Kind::Link, text, verifier)?;
        let code = LinkCode::from_body(&opened.key, &opened.body, verifier)?;
        code.check().map_err(|field| CodeError::Content { field })?;
        // What reads back differently was not written by this format: one code, one text.
        match code.body() {
            Ok(body) if body == *opened.body => Ok(code),
            _ => Err(CodeError::Content { field: "encoding" }),
        }
    }

    /// Why this code could not be used by enrollment `own` at `now`; empty when it could.
    pub fn inspect(&self, own: EnrollmentId, now: Time) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.enrollment() == own {
            let message = "this enrollment made the code itself; give it to the other side";
            problems.push(Problem::new(Reason::CodeOwn, message));
        }
        if now >= self.expires_at {
            let message = format!("the code expired at {}; ask for a new one", self.expires_at);
            problems.push(Problem::new(Reason::CodeExpired, message));
        }
        problems
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.certificate.is_empty() || self.certificate.len() > CERTIFICATE_MAX {
            return Err("certificate");
        }
        if self.addresses.len() > Address::COUNT_MAX
            || (self.direction.they_may_dial() && self.addresses.is_empty())
        {
            return Err("addresses");
        }
        if self.expires_at <= self.issued_at {
            return Err("expires_at");
        }
        Ok(())
    }

    fn body(&self) -> Result<Vec<u8>, TooLong> {
        let mut out = Writer::default();
        out.array(self.link.as_bytes());
        out.string(&self.certificate, CERTIFICATE_MAX)?;
        // A title is never empty, so an empty string is "none".
        let title = self.title.as_ref().map_or("", Title::as_str);
        out.string(title.as_bytes(), TITLE_BYTES_MAX)?;
        out.byte(u8::try_from(self.addresses.len()).map_err(|_| TooLong)?);
        for address in &self.addresses {
            out.string(address.to_string().as_bytes(), Address::TEXT_MAX)?;
        }
        out.byte(match self.direction {
            Direction::Bidirectional => 0,
            Direction::EgressOnly => 1,
            Direction::IngressOnly => 2,
        });
        out.array(self.secret.expose());
        out.long(self.issued_at.as_micros());
        out.long(self.expires_at.as_micros());
        Ok(out.into_bytes())
    }

    fn from_body(key: &PublicKey, body: &[u8], verifier: &dyn Verifier) -> Result<LinkCode, CodeError> {
        let mut body = Reader::new(body);
        let link = LinkId::from_bytes(body.array("link")?);
        let field = "certificate";
        let certificate = body.string(CERTIFICATE_MAX, field)?.to_vec();
        let lineage = verifier.lineage(key, &certificate);
        let lineage = lineage.ok_or(CodeError::Content { field })?;
        let title = body.optional(TITLE_BYTES_MAX, "title")?;
        let count = usize::from(body.byte("addresses")?);
        if count > Address::COUNT_MAX {
            return Err(CodeError::Content { field: "addresses" });
        }
        let addresses = (0..count)
            .map(|_| body.parsed(Address::TEXT_MAX, "addresses"))
            .collect::<Result<_, _>>()?;
        let direction = match body.byte("direction")? {
            0 => Direction::Bidirectional,
            1 => Direction::EgressOnly,
            2 => Direction::IngressOnly,
            _ => return Err(CodeError::Content { field: "direction" }),
        };
        let secret = Secret::from_bytes(body.array("secret")?);
        let issued_at = Time::from_micros(body.long("issued_at")?);
        let expires_at = Time::from_micros(body.long("expires_at")?);
        body.end()?;
        Ok(LinkCode {
            link,
            lineage,
            certificate,
            title,
            addresses,
            direction,
            secret,
            issued_at,
            expires_at,
        })
    }
}
