//! What both sides should hold alike, and how to see whether they do.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Connection, Role, Side, Stage};
use crate::name::Name;

/// A digest of the agreed terms. Both sides compute it from their own record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TermsDigest(#[serde(with = "serde_bytes")] [u8; 32]);

impl TermsDigest {
    /// A digest as it came over the wire.
    pub const fn from_bytes(bytes: [u8; 32]) -> TermsDigest {
        TermsDigest(bytes)
    }

    /// The 32 bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TermsDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// What a side tells of a connection when a session opens, so that a difference is seen and not lived with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Whether the connection is over.
    pub ended: bool,
    /// The digest of everything that both sides should hold alike.
    pub state: TermsDigest,
    /// How many messages the side has made.
    pub sent: u64,
    /// The last message it has taken.
    pub received: u64,
}

/// How the two records of a connection compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// They agree.
    Same,
    /// Messages are still on their way, or one side has yet to learn that it is over.
    Pending,
    /// Nothing is on its way, and yet they differ. An operator has to look.
    Diverged,
    /// A side forgot what it had sent or taken, as after a restore of an old backup.
    Regressed(Side),
}

impl Connection {
    /// The digest of the agreed terms: who, which data types, under which security.
    pub fn terms(&self) -> TermsDigest {
        let mut digest = Sha256::new_with_prefix(b"peerd/v1/terms\0");
        self.hash_terms(&mut digest);
        TermsDigest(digest.finalize().into())
    }

    /// What the other side is told when a session opens.
    pub fn view(&self) -> View {
        let mut digest = Sha256::new_with_prefix(b"peerd/v1/connection-state\0");
        self.hash_terms(&mut digest);
        let (stage, halt) = match self.stage {
            Stage::Requested { .. } => (0, None),
            Stage::Approved { .. } => (1, None),
            Stage::Active { .. } => (2, None),
            Stage::Disabled { halt, .. } => (2, Some(halt)),
            Stage::Closed { .. } | Stage::Rejected { .. } | Stage::Expired { .. } | Stage::Revoked { .. } => {
                (3, None)
            }
        };
        let halted = |side| u8::from(halt.is_some_and(|halt| halt.holds(side)));
        let (ours, theirs) = (self.ours.bits(), self.theirs.bits());
        // Everything is told from the originator's side, so that both hash the same.
        let sides = match self.role {
            Role::Originator => [halted(Side::Here), halted(Side::There), ours, theirs],
            Role::Importer => {
                let (ours, theirs) = (self.ours.mirrored().bits(), self.theirs.mirrored().bits());
                [halted(Side::There), halted(Side::Here), theirs, ours]
            }
        };
        digest.update([stage]);
        digest.update(sides);
        if let Some(change) = &self.change {
            digest.update(change.id.as_bytes());
        }
        View {
            ended: self.stage.is_final(),
            state: TermsDigest(digest.finalize().into()),
            sent: self.sent,
            received: self.received,
        }
    }

    fn hash_terms(&self, digest: &mut Sha256) {
        let flow = match self.role {
            Role::Originator => self.flow(),
            Role::Importer => self.flow().mirrored(),
        };
        digest.update(self.id.as_bytes());
        digest.update(self.originator().as_bytes());
        digest.update(self.importer().as_bytes());
        digest.update([flow.bits()]);
        // Names have no NUL and are never empty, so this is one text for one security.
        let level = self.security.classification.as_ref().map_or("", Name::as_str);
        digest.update(level);
        for marking in &self.security.markings {
            digest.update([0]);
            digest.update(marking.as_str());
        }
        digest.update([0, 0]);
    }
}

impl View {
    /// How this side's view compares with the other's.
    pub fn compare(&self, theirs: &View) -> Agreement {
        if self.ended || theirs.ended {
            let both = self.ended && theirs.ended;
            return if both { Agreement::Same } else { Agreement::Pending };
        }
        if theirs.sent < self.received {
            return Agreement::Regressed(Side::There);
        }
        if self.sent < theirs.received {
            return Agreement::Regressed(Side::Here);
        }
        if theirs.sent > self.received || self.sent > theirs.received {
            return Agreement::Pending;
        }
        if self.state == theirs.state {
            Agreement::Same
        } else {
            Agreement::Diverged
        }
    }
}
