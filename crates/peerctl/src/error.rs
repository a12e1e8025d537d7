//! Why a command failed, and how that is told.

use std::error::Error as _;
use std::path::Path;

use peerd_core::Reason;
use peerd_wire::status::{self, Refusal};
use serde_json::json;
use tonic::Status;

use crate::output::{Format, printable};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was not asked for in a way that could work; exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The daemon, or the input, refuses it; the exit code follows from the reason.
    #[error("{}", .0.message)]
    Refused(Refusal),
}

impl Error {
    /// A refusal of our own.
    pub(crate) fn refused(reason: Reason, message: impl Into<String>) -> Error {
        Error::Refused(Refusal::new(reason, message))
    }

    /// A file is not what it should be.
    pub(crate) fn file(path: &Path, problem: impl std::fmt::Display) -> Error {
        Error::refused(Reason::FileInvalid, format!("{}: {problem}", path.display()))
    }

    /// The daemon cannot be reached, with every cause, since the outermost one seldom says anything.
    pub(crate) fn unreachable(what: &str, error: &(dyn std::error::Error + 'static)) -> Error {
        let mut causes = Vec::<String>::new();
        let mut next = Some(error);
        while let Some(cause) = next {
            let text = cause.to_string();
            if causes.last() != Some(&text) {
                causes.push(text);
            }
            next = cause.source();
        }
        Error::refused(
            Reason::DaemonUnreachable,
            format!("{what}: {}", causes.join(": ")),
        )
    }

    /// The stable reason; wrong usage is about a field, too.
    pub fn reason(&self) -> Reason {
        match self {
            Error::Usage(_) => Reason::FieldInvalid,
            Error::Refused(refusal) => refusal.reason,
        }
    }

    /// What the process exits with.
    pub fn exit(&self) -> u8 {
        match self {
            Error::Usage(_) => 2,
            Error::Refused(refusal) => status::exit(refusal.reason.code()),
        }
    }

    /// A further fact for programs.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, fact: &impl ToString) -> Error {
        if let Error::Refused(refusal) = &mut self {
            refusal.details.insert(name.to_owned(), fact.to_string());
        }
        self
    }

    /// What stderr shows, with its end of line.
    pub(crate) fn render(&self, format: Format) -> String {
        let message = self.to_string();
        match (format, self) {
            (Format::Json, Error::Usage(_)) => error_json(self.reason(), &message, &json!({})),
            (Format::Json, Error::Refused(refusal)) => {
                error_json(refusal.reason, &message, &json!(refusal.details))
            }
            (Format::Table, Error::Usage(_)) => format!("error: {message}\n"),
            (Format::Table, Error::Refused(refusal)) => {
                let mut lines = vec![format!("error: {} ({})", printable(&message), refusal.reason)];
                let facts = refusal.details.iter();
                lines.extend(facts.map(|(name, fact)| format!("  {}: {}", printable(name), printable(fact))));
                lines.join("\n") + "\n"
            }
        }
    }
}

/// The document that is an error.
pub(crate) fn error_json(reason: Reason, message: &str, details: &serde_json::Value) -> String {
    let document = json!({"error": {"code": reason.word(), "message": message, "details": details}});
    format!("{document}\n")
}

/// A status that came from the daemon keeps its reason. One that the transport made on this side means that the
/// daemon is gone.
impl From<Status> for Error {
    fn from(status: Status) -> Error {
        let refusal = status::refusal(&status);
        let ours = status.source().is_some() && status.details().is_empty();
        // Without a reason of ours an unavailable status comes from a proxy or the transport.
        if ours || refusal.reason == Reason::PeerUnreachable && status.details().is_empty() {
            return Error::unreachable("the daemon does not answer", &status);
        }
        Error::Refused(refusal)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_exit_code_follows_from_the_reason() {
        let table = [
            (Reason::Internal, 1),
            (Reason::DaemonUnreachable, 1),
            (Reason::StoreFull, 1),
            (Reason::FeatureDisabled, 1),
            (Reason::NotFound, 3),
            (Reason::EgressDenied, 4),
            (Reason::TokenInvalid, 4),
            (Reason::NotSpaceManager, 4),
            (Reason::WrongStage, 5),
            (Reason::NameTaken, 5),
            (Reason::CodeAltered, 6),
            (Reason::FileInvalid, 6),
            (Reason::WaitTimeout, 7),
        ];
        for (reason, exit) in table {
            assert_eq!(Error::refused(reason, "").exit(), exit, "{reason}");
        }
        assert_eq!(Error::Usage(String::new()).exit(), 2);
    }

    #[test]
    fn an_error_is_one_json_document_with_its_stable_word() {
        let told = Error::from(status::status(Refusal {
            reason: Reason::EgressDenied,
            message: "no policy".into(),
            details: BTreeMap::from([("policy_id".into(), "pol_1".into())]),
        }));
        let document: serde_json::Value = serde_json::from_str(&told.render(Format::Json)).expect("json");
        assert_eq!(
            document,
            json!({"error": {"code": "EGRESS_DENIED", "message": "no policy", "details": {"policy_id": "pol_1"}}})
        );
        assert_eq!(
            told.render(Format::Table),
            "error: no policy (EGRESS_DENIED)\n  policy_id: pol_1\n"
        );
    }

    #[test]
    fn what_a_peer_wrote_cannot_steer_the_terminal() {
        let told = Error::refused(Reason::RemoteRefused, "no\u{1b}[2J\u{202e}thanks");
        assert_eq!(
            told.render(Format::Table),
            "error: no\\u{1b}[2J\\u{202e}thanks (REMOTE_REFUSED)\n"
        );
    }
}
