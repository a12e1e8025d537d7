//! The end of a run: the world is made whole, everything is delivered, and then both sides must agree.

use peerd_core::peering::{Agreement, Connection};
use peerd_node::connection::Received;
use peerd_store::Table;
use peerd_testkit::carry;

use crate::event::{Event, Ways, Who};
use crate::wire::{Arrival, Flight};
use crate::world::World;

/// More rounds than any backlog needs.
const ROUNDS_MAX: usize = 50;

impl World {
    /// Heals everything, then delivers until nothing waits.
    pub(crate) async fn come_to_rest(&mut self) -> Result<(), String> {
        self.wire.cut.clear();
        self.permit_all().await;
        self.deliver_all().await?;
        for by in 1..self.parties.len() {
            let to = by - 1;
            self.happen(Event::Enroll {
                by,
                to,
                answer_lost: false,
            })
            .await?;
            let link = self.parties[by].link_to(self.parties[to].id()).await;
            if !link.is_some_and(|link| link.is_established()) {
                // There was no code yet, or it expired on the way: a new one makes up for either.
                self.happen(Event::Link { by: to, to: by }).await?;
                self.happen(Event::Enroll {
                    by,
                    to,
                    answer_lost: false,
                })
                .await?;
            }
        }
        for who in 0..self.parties.len() {
            self.happen(Event::Expire { who }).await?;
        }
        self.deliver_all().await?;
        self.demand_progress().await
    }

    async fn deliver_all(&mut self) -> Result<(), String> {
        for _ in 0..ROUNDS_MAX {
            while !self.wire.in_flight.is_empty() {
                self.happen(Event::Deliver {
                    place: 0,
                    again: false,
                })
                .await?;
            }
            for (from, to) in self.ways() {
                if !carry::waiting(&self.parties[from], &self.parties[to])
                    .await
                    .is_empty()
                {
                    self.happen(Event::Send { from, to }).await?;
                }
            }
            if self.wire.in_flight.is_empty() {
                return Ok(());
            }
        }
        Err("no rest: messages are still waiting in a world without faults".into())
    }

    fn ways(&self) -> Vec<(Who, Who)> {
        let all = 0..self.parties.len();
        let ways = all.clone().flat_map(|from| all.clone().map(move |to| (from, to)));
        ways.filter(|(from, to)| from != to).collect()
    }

    /// What was begun can be brought to its end, and something new can be begun on every link.
    async fn demand_progress(&mut self) -> Result<(), String> {
        let begun = self.invites.len();
        for to in 1..self.parties.len() {
            self.happen(Event::Request {
                by: to - 1,
                to,
                flow: Ways::Both,
                level: None,
            })
            .await?;
            let which = self.invites.len() - 1;
            self.happen(Event::Approve {
                by: to,
                which,
                level: None,
            })
            .await?;
        }
        self.deliver_all().await?;
        for which in 0..self.invites.len() {
            let (from, to) = (self.invites[which].from, self.invites[which].to);
            let stage = |record: Option<Connection>| record.map_or("none", |record| record.stage.name());
            let (here, there) = self.sides(which);
            match (stage(here), stage(there)) {
                ("approved", _) => self.happen(Event::Activate { by: from, which }).await?,
                ("active" | "disabled", _) => {
                    self.happen(Event::Enable { by: from, which }).await?;
                    self.happen(Event::Enable { by: to, which }).await?;
                }
                _ => {}
            }
        }
        self.deliver_all().await?;
        for which in 0..self.invites.len() {
            let (here, there) = self.sides(which);
            let stage = |record: &Option<Connection>| record.as_ref().map_or("none", |it| it.stage.name());
            let over = |record: &Option<Connection>| record.as_ref().is_some_and(|it| it.stage.is_final());
            let fine = match (stage(&here), stage(&there)) {
                ("active", "active") => true,
                ("requested", "none") => which < begun,
                _ => which < begun && over(&here) && (there.is_none() || over(&there)),
            };
            if !fine {
                return Err(format!(
                    "no progress: {which} is {} and {}",
                    stage(&here),
                    stage(&there)
                ));
            }
        }
        Ok(())
    }

    /// Convergence: both sides hold the same of every connection, and nothing waits.
    pub(crate) async fn agree(&self) -> Result<(), String> {
        for which in 0..self.invites.len() {
            if let (Some(here), Some(there)) = self.sides(which) {
                let agreement = here.view().compare(&there.view());
                if agreement != Agreement::Same {
                    return Err(format!("both sides differ: {agreement:?}\n{here:?}\n{there:?}"));
                }
            }
        }
        for party in &self.parties {
            let left = party.contents(&[Table::Outbox]).await;
            if !left.is_empty() {
                return Err(format!("{} messages are never sent", left.len()));
            }
        }
        Ok(())
    }

    /// Every message that ever arrived arrives again, the latest first, after a restart of everybody: the answer says
    /// the same, and no record changes. What was taken leaves no trace at all.
    pub(crate) async fn replay_everything(&mut self) -> Result<(), String> {
        for party in &mut self.parties {
            party.restart().await;
        }
        for arrival in self.wire.arrived.iter().rev() {
            self.replay(arrival).await?;
        }
        self.deliver_all().await?;
        self.agree().await
    }

    async fn replay(&self, arrival: &Arrival) -> Result<(), String> {
        let Arrival {
            flight: Flight { from, to, parcel, .. },
            refused,
        } = arrival;
        let (sender, recipient) = (&self.parties[*from], &self.parties[*to]);
        // A message for a connection that is over is answered by queueing the ending once more.
        let tables: &[Table] = match refused {
            None => Table::ALL,
            Some(_) => &[Table::Connections, Table::Links, Table::LinkCodes, Table::Objects],
        };
        let before = recipient.contents(tables).await;
        let answer = parcel.deliver(sender, recipient).await;
        let taken = matches!(&answer, Some(Received::Answer(receipt)) if receipt.refused.is_none());
        if refused.is_none() && !taken {
            return Err(format!("taken before, now {answer:?}: {:?}", parcel.message()));
        }
        if recipient.contents(tables).await != before {
            return Err(format!("a replay changed something: {:?}", parcel.message()));
        }
        Ok(())
    }
}
