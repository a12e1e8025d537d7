//! What is said of a bundle before its records, and the canonical bytes that its signature covers.
//!
//! All numbers are big endian. Texts and lists have their length or count before them. The order is that of
//! [`Header::canonical`], which is also its specification; equal headers have equal bytes in every form.

use std::fmt;

use data_encoding::HEXLOWER;
use peerd_core::security::Security;
use peerd_core::signature::PublicKey;
use peerd_core::{EnrollmentId, Time};
use sha2::{Digest as _, Sha256};

/// The version of the format that this program writes and reads.
pub const VERSION: u8 = 1;

/// A SHA-256.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Digest, NotADigest> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| NotADigest)?;
        bytes.try_into().map(Digest).map_err(|_| NotADigest)
    }
}

/// A text that is not a SHA-256 in lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 in lower-case hexadecimal digits")]
pub struct NotADigest;

/// One life of a sender's spool: sequence numbers count within it. New when the spool was lost or restored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkEpoch([u8; 16]);

impl LinkEpoch {
    /// The epoch with these bytes, which a random number generator made.
    pub const fn from_bytes(bytes: [u8; 16]) -> LinkEpoch {
        LinkEpoch(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for LinkEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl std::str::FromStr for LinkEpoch {
    type Err = NotAnEpoch;

    fn from_str(text: &str) -> Result<LinkEpoch, NotAnEpoch> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| NotAnEpoch)?;
        bytes.try_into().map(LinkEpoch).map_err(|_| NotAnEpoch)
    }
}

/// A text that is not a link epoch: 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a link epoch")]
pub struct NotAnEpoch;

impl fmt::Debug for LinkEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// How a bundle is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// For its recipient's eyes only, compressed.
    Sealed,
    /// For a guard that reads it.
    Xml,
}

impl Form {
    /// The word for it, which is also what the names of its files end with.
    pub const fn word(self) -> &'static str {
        match self {
            Form::Sealed => "sealed",
            Form::Xml => "xml",
        }
    }
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $word:literal;)+) => {
        /// What all records of a bundle are.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Kind] = &[$(Kind::$name,)+];

            /// Its number in canonical bytes.
            pub const fn number(self) -> u8 {
                match self { $(Kind::$name => $number,)+ }
            }

            /// The word for it.
            pub const fn word(self) -> &'static str {
                match self { $(Kind::$name => $word,)+ }
            }
        }
    };
}

kinds! {
    /// Lifecycle messages and their receipts.
    Lifecycle = 1, "lifecycle";
    /// What the sender makes available.
    Sharing = 2, "sharing";
    /// Objects of one type.
    Objects = 3, "objects";
    /// Parts of artifacts' content.
    Content = 4, "content";
    /// What the other side's bundles have come to.
    Ack = 5, "ack";
    /// Questions of a verification and their answers.
    Query = 6, "query";
    /// Proof of life and digests.
    Heartbeat = 7, "heartbeat";
    /// Redundancy over earlier bundles.
    Parity = 8, "parity";
}

impl Kind {
    /// Whether bundles of this kind are counted without holes, kept until they came, and written again. The others have a
    /// counter of their own, are never acknowledged, and a later one says all that an earlier one did.
    pub const fn is_lasting(self) -> bool {
        matches!(
            self,
            Kind::Lifecycle | Kind::Sharing | Kind::Objects | Kind::Content
        )
    }

    /// The kind with this number.
    pub fn from_number(number: u8) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.number() == number)
    }

    /// The kind with this word.
    pub fn from_word(word: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.word() == word)
    }
}

/// What is said of a bundle. Its signature covers all of it, and through the root all records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// How it is written.
    pub form: Form,
    /// The sender.
    pub sender: EnrollmentId,
    /// The recipient.
    pub recipient: EnrollmentId,
    /// The sender's link epoch.
    pub epoch: LinkEpoch,
    /// The number within the epoch, from 1: of lasting kinds without holes, of the others by a counter of their own.
    pub sequence: u64,
    /// The digest of the lasting bundle before; zeros before the first, and where the kind is not lasting.
    pub previous: Digest,
    /// What its records are.
    pub kind: Kind,
    /// When it was made, by the sender's clock.
    pub created_at: Time,
    /// When it is no longer to be taken.
    pub not_after: Time,
    /// The highest classification and all markings of what is in it.
    pub security: Security,
    /// The sharing revision whose vocabulary the records use; 0 where they use none.
    pub schema_revision: u64,
    /// How many records it has.
    pub records: u32,
    /// The length of its canonical records (xml), or of the body before compression (sealed).
    pub plain_bytes: u64,
    /// The length of the sealed body; 0 in a form that is not sealed.
    pub body_bytes: u64,
    /// The digest of the sealed body; zeros in a form that is not sealed, of which the root says everything.
    pub body_digest: Digest,
    /// The Merkle root over the scope and the records.
    pub root: Digest,
    /// The key of the signature.
    pub key: PublicKey,
    /// The generation of the recipient's sealing key; 0 in a form that is not sealed.
    pub sealed_to: u64,
}

impl Header {
    /// The longest canonical header: 256 markings, a level, and what has a fixed length.
    pub const BYTES_MAX: usize = 20 * 1024;
    /// The most markings of a header.
    pub const MARKINGS_MAX: usize = 256;

    /// What the signature covers.
    pub fn canonical(&self) -> Vec<u8> {
        let Header {
            form,
            sender,
            recipient,
            epoch,
            sequence,
            previous,
            kind,
            created_at,
            not_after,
            security: Security {
                classification,
                markings,
            },
            schema_revision,
            records,
            plain_bytes,
            body_bytes,
            body_digest,
            root,
            key,
            sealed_to,
        } = self;
        let suite = match form {
            Form::Xml => 0,
            Form::Sealed => 1,
        };
        let mut out = Vec::with_capacity(512);
        out.extend([VERSION, suite]);
        out.extend(sender.as_bytes());
        out.extend(recipient.as_bytes());
        out.extend(epoch.as_bytes());
        out.extend(sequence.to_be_bytes());
        out.extend(previous.0);
        out.push(kind.number());
        out.extend(created_at.as_micros().to_be_bytes());
        out.extend(not_after.as_micros().to_be_bytes());
        text(
            &mut out,
            classification.as_ref().map_or("", |level| level.as_str()),
        );
        out.extend((markings.len() as u64).to_be_bytes());
        for marking in markings {
            text(&mut out, marking.as_str());
        }
        out.extend(schema_revision.to_be_bytes());
        out.extend(records.to_be_bytes());
        out.extend(plain_bytes.to_be_bytes());
        out.extend(body_bytes.to_be_bytes());
        out.extend(body_digest.0);
        out.extend(root.0);
        out.extend((key.as_spki().len() as u64).to_be_bytes());
        out.extend(key.as_spki());
        out.extend(sealed_to.to_be_bytes());
        out
    }

    /// What names the bundle: the next one says it as its `previous`. It does not change when a guard writes the bundle
    /// anew.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.canonical())
    }

    /// The name of its file: names of one link sort by epoch and number. Nothing is believed that a name says.
    pub fn file_name(&self) -> String {
        format!(
            "{}-{}-{}-{:020}.{}.{}",
            self.sender.short(),
            self.recipient.short(),
            HEXLOWER.encode(
                self.epoch
                    .as_bytes()
                    .first_chunk::<4>()
                    .map_or(&[], |first| first)
            ),
            self.sequence,
            self.kind.word(),
            self.form.word(),
        )
    }

    /// What sealing binds the body to: a body that is put behind another header does not open.
    pub(crate) fn seal_context(&self) -> Vec<u8> {
        let mut context = b"peerd/v1/bundle-body\0".to_vec();
        context.extend(self.sender.as_bytes());
        context.extend(self.recipient.as_bytes());
        context.extend(self.epoch.as_bytes());
        context.extend(self.sequence.to_be_bytes());
        context.push(self.kind.number());
        context.extend(self.root.0);
        context
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_be_bytes());
    out.extend(text.as_bytes());
}
