//! The transport between the parties: everything it holds may be lost, repeated, delayed and reordered.

use std::collections::BTreeSet;

use peerd_core::Reason;
use peerd_node::connection::{Receipt, Received};
use peerd_testkit::carry::{self, Parcel};

use crate::event::{Place, Who};
use crate::world::World;

/// Something under way. `from` and `to` are the message's, also where its answer travels back.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) from: Who,
    pub(crate) to: Who,
    pub(crate) parcel: Parcel,
    pub(crate) receipt: Option<Receipt>,
}

/// A message that arrived, and what its answer was.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) flight: Flight,
    pub(crate) refused: Option<Reason>,
}

#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub(crate) in_flight: Vec<Flight>,
    pub(crate) arrived: Vec<Arrival>,
    /// The pairs that cannot reach each other, the smaller first.
    pub(crate) cut: BTreeSet<(Who, Who)>,
}

pub(crate) fn pair(a: Who, b: Who) -> (Who, Who) {
    (a.min(b), a.max(b))
}

impl World {
    /// Whether anything passes between two parties now: they are not cut off, and one of them may dial the other.
    pub(crate) async fn reachable(&self, a: Who, b: Who) -> bool {
        if self.wire.cut.contains(&pair(a, b)) {
            return false;
        }
        let (a, b) = (&self.parties[a], &self.parties[b]);
        carry::may_dial(a, b).await || carry::may_dial(b, a).await
    }

    /// Puts what waits in flight. It waits on until it is answered.
    pub(crate) async fn send(&mut self, from: Who, to: Who) -> String {
        let (sender, recipient) = (&self.parties[from], &self.parties[to]);
        let waiting = carry::waiting(sender, recipient).await;
        for message in &waiting {
            let parcel = Parcel::pack(sender, message);
            let receipt = None;
            self.wire.in_flight.push(Flight {
                from,
                to,
                parcel,
                receipt,
            });
        }
        let names: Vec<&str> = waiting.iter().map(|message| message.body.name()).collect();
        names.join(", ")
    }

    pub(crate) async fn deliver(&mut self, place: Place, again: bool) -> String {
        let flight = self.wire.in_flight[place].clone();
        if !again {
            self.wire.in_flight.remove(place);
        }
        let Flight {
            from,
            to,
            parcel,
            receipt,
        } = &flight;
        if !self.reachable(*from, *to).await {
            return "no session, lost".into();
        }
        let (sender, recipient) = (&self.parties[*from], &self.parties[*to]);
        if let Some(receipt) = receipt {
            parcel.answer(sender, recipient, receipt).await;
            return "answered".into();
        }
        match parcel.deliver(sender, recipient).await {
            None => "not known there".into(),
            Some(Received::Forged) => "forged".into(),
            Some(Received::Answer(receipt)) => {
                let refused = receipt.refused;
                let back = Some(receipt);
                self.wire.in_flight.push(Flight {
                    receipt: back,
                    ..flight.clone()
                });
                self.wire.arrived.push(Arrival { flight, refused });
                refused.map_or("taken", Reason::word).into()
            }
        }
    }

    /// A message is never taken with another signature, nor from another sender.
    pub(crate) async fn forge(&self, place: Place, by: Who) -> Result<String, String> {
        let Flight { from, to, parcel, .. } = &self.wire.in_flight[place];
        let (sender, recipient, forger) = (&self.parties[*from], &self.parties[*to], &self.parties[by]);
        let counterfeit = Parcel::pack(forger, &parcel.message());
        for (parcel, session) in [(&counterfeit, sender), (parcel, forger), (&counterfeit, forger)] {
            match parcel.deliver(session, recipient).await {
                None | Some(Received::Forged) => {}
                Some(Received::Answer(receipt)) => {
                    return Err(format!("a forgery was answered with {receipt:?}"));
                }
            }
        }
        Ok("refused".into())
    }
}
