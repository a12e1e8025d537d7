//! The stable words by which every refusal is known, and the code each belongs to.
//!
//! A word is public interface: scripts match on it, `docs/errors.md` explains it, and the gRPC status, the HTTP
//! status and the exit code follow from its [`Code`]. A word never changes its meaning and is never reused.

use std::fmt;

/// What kind of answer a refusal is. Restricted on purpose: the reason word says the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// The input itself is wrong: a code, a file, a field.
    Invalid,
    /// No valid token.
    Unauthenticated,
    /// Refused by policy, role or security.
    Denied,
    /// There is no such thing, or the caller may not know of it.
    NotFound,
    /// It exists already.
    Exists,
    /// The thing is in another stage than the call needs, or changed meanwhile.
    Conflict,
    /// A limit was reached: size, count or rate.
    Exhausted,
    /// It cannot be done now; trying again later may help.
    Unavailable,
    /// It took longer than the caller wanted to wait.
    Timeout,
    /// Not offered by this version or switched off.
    Unsupported,
    /// A fault of ours.
    Internal,
}

impl Code {
    /// The HTTP status it is.
    pub const fn http(self) -> u16 {
        match self {
            Code::Invalid => 400,
            Code::Unauthenticated => 401,
            Code::Denied => 403,
            Code::NotFound => 404,
            Code::Exists | Code::Conflict => 409,
            Code::Exhausted => 429,
            Code::Unavailable => 503,
            Code::Timeout => 504,
            Code::Unsupported => 501,
            Code::Internal => 500,
        }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal, $code:ident;)+) => {
        /// A stable reason word.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// Every reason, in the order of this file.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)+];

            /// The word itself, upper case with underscores.
            pub const fn word(self) -> &'static str {
                match self { $(Reason::$name => $word,)+ }
            }

            /// The kind of answer it is.
            pub const fn code(self) -> Code {
                match self { $(Reason::$name => Code::$code,)+ }
            }

            /// One sentence for people: when it is given and what to do.
            pub const fn explanation(self) -> &'static str {
                match self { $(Reason::$name => concat!($($doc),+),)+ }
            }
        }
    };
}

reasons! {
    /// A field of the request is missing or malformed; the message names it.
    FieldInvalid = "FIELD_INVALID", Invalid;
    /// The call carries no token, or one that is unknown or revoked.
    TokenInvalid = "TOKEN_INVALID", Unauthenticated;
    /// The caller's role does not allow this call.
    RoleInsufficient = "ROLE_INSUFFICIENT", Denied;
    /// The caller does not manage this space.
    NotSpaceManager = "NOT_SPACE_MANAGER", Denied;
    /// The platform title must be set before a peer request can be made.
    TitleMissing = "TITLE_MISSING", Conflict;
    /// There is no such thing here, or the caller may not know of it.
    NotFound = "NOT_FOUND", NotFound;
    /// The name is taken.
    NameTaken = "NAME_TAKEN", Exists;
    /// Somebody else changed it at the same time; read it again and retry.
    ConcurrentChange = "CONCURRENT_CHANGE", Conflict;
    /// The text is empty where a code was expected.
    CodeEmpty = "CODE_EMPTY", Invalid;
    /// The text is not a peerd code.
    CodeMalformed = "CODE_MALFORMED", Invalid;
    /// The code ends too early; copy it whole.
    CodeTruncated = "CODE_TRUNCATED", Invalid;
    /// The code was altered on the way; copy it again.
    CodeAltered = "CODE_ALTERED", Invalid;
    /// The code's signature does not fit its content; do not use it.
    CodeSignatureInvalid = "CODE_SIGNATURE_INVALID", Invalid;
    /// This is a code of another kind: a link code where an invite code was expected, or the reverse.
    CodeWrongKind = "CODE_WRONG_KIND", Invalid;
    /// The code was made by a newer version of peerd; upgrade this enrollment.
    CodeVersionTooNew = "CODE_VERSION_TOO_NEW", Invalid;
    /// The code's fields contradict each other or are out of bounds.
    CodeContentInvalid = "CODE_CONTENT_INVALID", Invalid;
    /// The code has expired; ask for a new one.
    CodeExpired = "CODE_EXPIRED", Conflict;
    /// The code was used before.
    CodeUsed = "CODE_USED", Conflict;
    /// The code was revoked by the side that made it.
    CodeRevoked = "CODE_REVOKED", Conflict;
    /// The code was made by this very enrollment.
    CodeOwn = "CODE_OWN", Conflict;
    /// The code was made for another enrollment.
    CodeNotForUs = "CODE_NOT_FOR_US", Denied;
    /// The proof that goes with a code does not fit it.
    ProofInvalid = "PROOF_INVALID", Denied;
    /// No active egress policy allows it.
    EgressDenied = "EGRESS_DENIED", Denied;
    /// No active ingress policy allows it.
    IngressDenied = "INGRESS_DENIED", Denied;
    /// The policies could not be read, so everything is denied.
    PolicyUnreadable = "POLICY_UNREADABLE", Denied;
    /// The proposer may not decide on their own proposal.
    SecondPersonRequired = "SECOND_PERSON_REQUIRED", Denied;
    /// The other side refused.
    RemoteRefused = "REMOTE_REFUSED", Denied;
    /// The thing's present stage does not allow this step; the message names both.
    WrongStage = "WRONG_STAGE", Conflict;
    /// Only the originator of a connection may do this.
    NotOriginator = "NOT_ORIGINATOR", Denied;
    /// Security may be narrowed, never widened, in this step.
    SecurityWidened = "SECURITY_WIDENED", Denied;
    /// The classification level is not known here.
    LevelUnknown = "LEVEL_UNKNOWN", Invalid;
    /// The marking is not known here.
    MarkingUnknown = "MARKING_UNKNOWN", Invalid;
    /// There is no link to that enrollment, or it is not complete.
    LinkMissing = "LINK_MISSING", Conflict;
    /// A link to that enrollment exists already.
    LinkExists = "LINK_EXISTS", Exists;
    /// The link still carries connections; close them first.
    LinkInUse = "LINK_IN_USE", Conflict;
    /// The ontology or a part of it is not usable; the message says where.
    OntologyInvalid = "ONTOLOGY_INVALID", Invalid;
    /// The change would break objects that exist.
    OntologyIncompatible = "ONTOLOGY_INCOMPATIBLE", Conflict;
    /// The object does not fit its type; the message names the property.
    ObjectInvalid = "OBJECT_INVALID", Invalid;
    /// The object is owned by another source and this side may not write it.
    SourceOwned = "SOURCE_OWNED", Denied;
    /// Something is larger than its limit.
    TooLarge = "TOO_LARGE", Exhausted;
    /// Too many calls or attempts; slow down.
    RateLimited = "RATE_LIMITED", Exhausted;
    /// The other side speaks no protocol version this side knows.
    VersionUnsupported = "VERSION_UNSUPPORTED", Unsupported;
    /// The clocks of both sides differ by more than is tolerated.
    ClockSkew = "CLOCK_SKEW", Denied;
    /// The other side sent something that breaks the protocol.
    PeerMisbehaved = "PEER_MISBEHAVED", Invalid;
    /// The other side's identity is not the pinned one.
    IdentityMismatch = "IDENTITY_MISMATCH", Denied;
    /// The feature is switched off or not offered by this version.
    FeatureDisabled = "FEATURE_DISABLED", Unsupported;
    /// The store is full; free some space. Nothing was lost.
    StoreFull = "STORE_FULL", Exhausted;
    /// The store does not answer now.
    StoreUnavailable = "STORE_UNAVAILABLE", Unavailable;
    /// Stored data is damaged; see the log.
    StoreCorrupt = "STORE_CORRUPT", Internal;
    /// The daemon is stopping.
    ShuttingDown = "SHUTTING_DOWN", Unavailable;
    /// The other side cannot be reached now.
    PeerUnreachable = "PEER_UNREACHABLE", Unavailable;
    /// It did not happen within the time given.
    WaitTimeout = "WAIT_TIMEOUT", Timeout;
    /// A fault of this daemon; the request id finds it in the log.
    Internal = "INTERNAL", Internal;
    /// No address that the other side could dial is known; advertise one.
    AddressMissing = "ADDRESS_MISSING", Conflict;
    /// The terms the other side activated are not the terms that were agreed here.
    TermsMismatch = "TERMS_MISMATCH", Denied;
    /// The message came before one that precedes it; it is taken once that one has come.
    MessageEarly = "MESSAGE_EARLY", Unavailable;
    /// A change request of this connection is still waiting for a decision.
    ChangePending = "CHANGE_PENDING", Conflict;
    /// There is no such change request, or it was decided already.
    ChangeUnknown = "CHANGE_UNKNOWN", NotFound;
    /// The file cannot be read as what it should be; the message says where.
    FileInvalid = "FILE_INVALID", Invalid;
    /// The daemon cannot be reached at its endpoint; see that it runs and that the endpoint is right.
    DaemonUnreachable = "DAEMON_UNREACHABLE", Unavailable;
    /// There is an object with this key already.
    ObjectExists = "OBJECT_EXISTS", Exists;
    /// The object was purged, and a purge is final.
    ObjectPurged = "OBJECT_PURGED", Conflict;
    /// Another row of the same load has the same key; the message names the key.
    KeyRepeated = "KEY_REPEATED", Invalid;
    /// The resume token is not of this stream, or too old, or what the caller may see changed: list the objects again.
    ResumeTokenOutdated = "RESUME_TOKEN_OUTDATED", Conflict;
    /// The artifact is known here and its bytes have not all come yet; wait until it is complete.
    ArtifactIncomplete = "ARTIFACT_INCOMPLETE", Conflict;
    /// The bytes that came are not those that were announced: more, fewer or others.
    ContentMismatch = "CONTENT_MISMATCH", Invalid;
    /// The file is not a bundle of a data relay, or a part of it is out of bounds; the message says where.
    BundleMalformed = "BUNDLE_MALFORMED", Invalid;
    /// The bundle was made by a newer version of peerd; upgrade this enrollment.
    BundleVersionTooNew = "BUNDLE_VERSION_TOO_NEW", Invalid;
    /// The bundle is not whole: it is shorter than it says, or other bytes than were written.
    BundleDamaged = "BUNDLE_DAMAGED", Invalid;
    /// The bundle, or what would come out of it, is larger than this link takes.
    BundleTooLarge = "BUNDLE_TOO_LARGE", Exhausted;
    /// The bundle was made for another enrollment.
    BundleNotForUs = "BUNDLE_NOT_FOR_US", Denied;
    /// The bundle is not from the enrollment that this link is pinned to.
    BundleSenderUnknown = "BUNDLE_SENDER_UNKNOWN", Denied;
    /// The bundle's signature does not fit its header.
    BundleSignatureInvalid = "BUNDLE_SIGNATURE_INVALID", Denied;
    /// A record of the bundle is not what was signed.
    BundleRecordInvalid = "BUNDLE_RECORD_INVALID", Invalid;
    /// The bundle came after the moment up to which its sender wanted it taken.
    BundleExpired = "BUNDLE_EXPIRED", Conflict;
    /// The bundle is of another form than this link takes: xml or sealed.
    BundleFormUnexpected = "BUNDLE_FORM_UNEXPECTED", Denied;
    /// The bundle is sealed to a key that this enrollment does not have, or is damaged within.
    BundleUnopenable = "BUNDLE_UNOPENABLE", Denied;
    /// The bundle uses a schema that has not come yet; it is read once that has.
    BundleSchemaMissing = "BUNDLE_SCHEMA_MISSING", Unavailable;
    /// A bundle with this number came before, and it was another one.
    BundleRepeated = "BUNDLE_REPEATED", Conflict;
    /// The inbox holds more files or bytes than it may; take away what does not belong there.
    InboxFull = "INBOX_FULL", Exhausted;
    /// The outbox holds as many bytes as it may: nobody collects the bundles.
    OutboxFull = "OUTBOX_FULL", Exhausted;
}

impl Reason {
    /// The reason with this word.
    pub fn from_word(word: &str) -> Option<Reason> {
        Reason::ALL.iter().copied().find(|reason| reason.word() == word)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Stored and sent as its word, so that an order in this file never becomes a format.
impl serde::Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> serde::Deserialize<'de> for Reason {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Reason, D::Error> {
        let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Reason::from_word(&word).ok_or_else(|| serde::de::Error::custom("unknown reason word"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_unique_upper_case_and_reads_back() {
        for reason in Reason::ALL {
            assert!(
                reason.word().bytes().all(|b| b.is_ascii_uppercase() || b == b'_'),
                "{reason}"
            );
            assert_eq!(Reason::from_word(reason.word()), Some(*reason));
        }
    }
}
