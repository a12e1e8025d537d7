//! What becomes of one object that arrived: the one place where that is decided.

use std::collections::BTreeSet;

use peerd_core::mapping::{ItemRefusal, pass_plain, translate};
use peerd_core::object::{Hlc, MergeRefused, ObjectKey, ObjectState, Provenance, merge};
use peerd_core::policy::{self, Permit};
use peerd_core::value::Malformed;
use peerd_core::{ConnectionId, EnrollmentId, Reason};

use super::terms::ImportTerms;
use super::touched::Known;
use super::{Item, item};
use crate::object::stored::{PlainOutcome, Stored, encode_plain};

/// What becomes of an object on the importing side.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is now this.
    Write(Box<Stored>),
    /// Nothing changes.
    Unchanged,
    /// The imported copy goes.
    Remove,
}

/// Why an object is parked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) reason: Reason,
    pub(super) message: String,
}

impl Refused {
    pub(super) fn new(reason: Reason, message: &(impl ToString + ?Sized)) -> Refused {
        Refused {
            reason,
            message: message.to_string(),
        }
    }
}

impl From<Malformed> for Refused {
    fn from(error: Malformed) -> Refused {
        Refused::from(ItemRefusal::from(error))
    }
}

impl From<ItemRefusal> for Refused {
    fn from(refusal: ItemRefusal) -> Refused {
        Refused::new(refusal.reason(), &refusal)
    }
}

impl From<MergeRefused> for Refused {
    fn from(refused: MergeRefused) -> Refused {
        let reason = match refused {
            MergeRefused::SourceOwned { .. } => Reason::SourceOwned,
            MergeRefused::TooLarge(_) => Reason::TooLarge,
        };
        Refused::new(reason, &refused)
    }
}

/// An object that arrived and was read.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) state: ObjectState,
    hops: u8,
}

impl Arrival {
    pub(super) fn read(bytes: &[u8]) -> Result<Arrival, Refused> {
        let (hops, state) = item::decode(bytes)?;
        Ok(Arrival { state, hops })
    }
}

/// Who decides, under which terms.
#[derive(Debug)]
pub(super) struct Intake<'a> {
    pub(super) permit: &'a Permit<policy::Flow>,
    pub(super) terms: &'a ImportTerms,
    pub(super) me: EnrollmentId,
    /// Connections with the same enrollment that are over: this one follows them.
    pub(super) succeeded: &'a BTreeSet<ConnectionId>,
}

/// An object with a plain state that was taken.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) outcome: PlainOutcome,
    /// The latest clock in what arrived.
    pub(super) clock: Hlc,
}

impl Intake<'_> {
    /// Decides on an object that arrived with a plain state, where its bytes lie: what [`Intake::take`] decides. `None`
    /// where it takes a closer look.
    pub(super) fn take_plain(
        &self,
        item: &Item,
        bytes: &[u8],
        known: Known<'_>,
    ) -> Option<Result<Taken, Refused>> {
        let ImportTerms {
            connection,
            import,
            local,
            ..
        } = self.terms;
        let (hops, plain) = item::plain(bytes)?;
        // Only the peer's own rows, which came this way before or are new. Without security they cross every connection.
        let known = match known {
            Known::New => None,
            Known::Stored(stored) if stored.provenance.via == Some(connection.id) => Some(stored),
            Known::Stored(_) | Known::WorkedOut => return None,
        };
        if self.permit.enrollment() != connection.remote || plain.owner != connection.remote {
            return None;
        }
        let received = Provenance::received(connection.id, hops)?;
        let (mapping, lanes) = (&import.mapping, import.lanes);
        if let Err(refusal) = pass_plain(&item.key, &plain, mapping, lanes, local, self.me)? {
            return Some(Err(refusal.into()));
        }
        let clock = plain.newest();
        let taken = |outcome| Some(Ok(Taken { outcome, clock }));
        let Some(known) = known else {
            return taken(PlainOutcome::Write(encode_plain(received, true, &plain)));
        };
        let before = known.plain()?;
        let merged = before.merge(&plain)?;
        if !merged.changed {
            return taken(PlainOutcome::Unchanged);
        }
        let provenance = known.provenance.shortest(received);
        let clean = merged.state == plain;
        taken(PlainOutcome::Write(encode_plain(
            provenance,
            clean,
            &merged.state,
        )))
    }

    /// Decides on an object that arrived, of which `known` is here.
    pub(super) fn take(
        &self,
        key: &str,
        arrival: &Arrival,
        known: Option<&Stored>,
    ) -> Result<Outcome, Refused> {
        let ImportTerms {
            connection,
            import,
            local,
            levels,
            ..
        } = self.terms;
        let peer = connection.remote;
        let incoming = &arrival.state;
        if self.permit.enrollment() != peer {
            return Err(Refused::new(
                Reason::IngressDenied,
                "the permit is for somebody else",
            ));
        }
        if !incoming.security(levels).crosses(&connection.security, levels) {
            let told = "its security is beyond what the connection allows";
            return Err(Refused::new(Reason::SecurityWidened, told));
        }
        let received = Provenance::received(connection.id, arrival.hops);
        let received =
            received.ok_or_else(|| Refused::new(Reason::ObjectInvalid, "it crossed too many connections"))?;
        let adopted = self
            .check_row(incoming, known)
            .and_then(|()| self.check_owner(known));
        let key = ObjectKey::new(import.mapping.remote_type.clone(), key)
            .map_err(|error| Refused::new(Reason::ObjectInvalid, &error))?;
        let ours = (self.me, known.map(|known| &known.state));
        let translated = translate(&key, incoming, &import.mapping, import.lanes, local, ours)?;
        self.terms.count_dropped(translated.dropped);
        let Some(known) = known else {
            return Ok(Outcome::Write(Box::new(Stored {
                state: translated.state,
                provenance: received,
                clean: true,
            })));
        };
        let merged = merge(&known.state, &translated.state)?;
        // What another connection brought as well, word for word, is nothing to refuse.
        if !merged.changed && !matches!(adopted, Ok(true)) {
            return Ok(Outcome::Unchanged);
        }
        let adopted = adopted?;
        if known.state.origin() == self.me && merged.lowers_security_of(&known.state, levels) {
            let told = "only this enrollment lowers the security of its own objects";
            return Err(Refused::new(Reason::SecurityWidened, told));
        }
        let own_row = known.state.source().is_some_and(|source| source.owner == self.me);
        if own_row && merged.state.is_purged() && !known.state.is_purged() {
            return Err(Refused::new(
                Reason::SourceOwned,
                "the object has a row of this enrollment's source",
            ));
        }
        let provenance = if adopted {
            received
        } else {
            known.provenance.shortest(received)
        };
        let clean = merged.state == translated.state && provenance.via == Some(connection.id);
        Ok(Outcome::Write(Box::new(Stored {
            state: merged.state,
            provenance,
            clean,
        })))
    }

    /// Whether the other side showed that it has, by itself, an object that is here too and not because of it.
    pub(super) fn is_met(&self, arrival: &Arrival, now: &Stored) -> bool {
        now.provenance.via != Some(self.terms.connection.id) && !arrival.state.is_deleted()
    }

    /// Whether the copy here came over this connection, or over one that it follows.
    fn brought(&self, known: &Stored) -> bool {
        let via = known.provenance.via;
        via.is_some_and(|via| via == self.terms.connection.id || self.succeeded.contains(&via))
    }

    /// Decides on a retraction: only a copy that came over this connection goes.
    pub(super) fn retract(&self, known: Option<&Stored>) -> Outcome {
        match known {
            Some(known) if known.provenance.via == Some(self.terms.connection.id) => Outcome::Remove,
            _ => Outcome::Unchanged,
        }
    }

    /// Whether a third side's row is passed on, its sender decides. It has no say over what is here already and did not
    /// come over this connection, unless data may be passed on.
    fn check_row(&self, incoming: &ObjectState, known: Option<&Stored>) -> Result<(), Refused> {
        let connection = &self.terms.connection;
        let row_owner = incoming.source().map(|source| source.owner);
        let of_third = row_owner.is_some_and(|owner| owner != connection.remote && owner != self.me);
        if of_third && !connection.re_export && known.is_some_and(|known| !self.brought(known)) {
            return Err(Refused::new(
                Reason::SourceOwned,
                "the row is of a third side's source, and the object did not come over this connection",
            ));
        }
        Ok(())
    }

    /// Whether the copy here came over an earlier connection that this one follows. What came over another one is not
    /// this peer's to change, unless it is a row of its own source that came round, or data may be passed on.
    fn check_owner(&self, known: Option<&Stored>) -> Result<bool, Refused> {
        let connection = &self.terms.connection;
        let via = known.and_then(|known| known.provenance.via);
        let row_owner = known.and_then(|known| known.state.source()).map(|row| row.owner);
        match via.filter(|via| *via != connection.id) {
            None => Ok(false),
            Some(via) if self.succeeded.contains(&via) => Ok(true),
            Some(_) if connection.re_export || row_owner == Some(connection.remote) => Ok(false),
            Some(_) => Err(Refused::new(
                Reason::SourceOwned,
                "the object came over another connection",
            )),
        }
    }
}
