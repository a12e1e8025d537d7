//! An intention becomes an event: about whom, and whether it makes sense at all right now. What makes sense is wider
//! than what is allowed, so that refusals happen too.

use peerd_core::peering::{Connection, Imported};
use peerd_core::policy::Side;

use crate::event::{Event, Ways, Which, Who};
use crate::plan::{Intention, What};
use crate::world::World;

/// More connections than that would only be more of the same.
const REQUESTS_MAX: usize = 6;

/// What is tried in the place of an intention that makes no sense now: whatever brings things forward.
const INSTEAD: [What; 6] = [
    What::Deliver,
    What::Link,
    What::Send,
    What::Activate,
    What::Approve,
    What::Request,
];

impl World {
    /// The event that comes of an intention.
    pub(crate) async fn concrete(&self, it: &Intention) -> Option<Event> {
        for what in std::iter::once(it.what).chain(INSTEAD) {
            if let Some(event) = self.attempt(what, it).await {
                return Some(event);
            }
        }
        None
    }

    async fn attempt(&self, what: What, it: &Intention) -> Option<Event> {
        let parties: Vec<Who> = (0..self.parties.len()).collect();
        let by = *it.pick(0, &parties)?;
        let others: Vec<Who> = parties.into_iter().filter(|other| *other != by).collect();
        let other = *it.pick(1, &others)?;
        let flow = *it.pick(2, &Ways::ALL)?;
        let level = *it.pick(2, &[None, Some("internal"), Some("secret")])?;
        let side = *it.pick(2, &[Side::Egress, Side::Ingress])?;
        let (a, b) = (by, other);
        let places: Vec<usize> = (0..self.wire.in_flight.len()).collect();
        let place = it.pick(0, &places).copied();
        match what {
            What::Link => self.link_or_enroll(it).await,
            What::Request if self.invites.len() < REQUESTS_MAX => Some(Event::Request {
                by,
                to: other,
                flow,
                level,
            }),
            What::Send => {
                let (from, to) = self.somebody_waits(it).await?;
                Some(Event::Send { from, to })
            }
            What::Deliver => Some(Event::Deliver {
                place: place?,
                again: false,
            }),
            What::Duplicate => Some(Event::Deliver {
                place: place?,
                again: true,
            }),
            What::Lose => Some(Event::Lose { place: place? }),
            What::Forge => {
                let place = place?;
                let sender = self.wire.in_flight[place].from;
                let others: Vec<Who> = (0..self.parties.len()).filter(|who| *who != sender).collect();
                Some(Event::Forge {
                    place,
                    by: *it.pick(1, &others)?,
                })
            }
            What::Cut => Some(Event::Cut { a, b }),
            What::Heal => {
                let (a, b) = *it.pick(1, &self.wire.cut.iter().copied().collect::<Vec<_>>())?;
                Some(Event::Heal { a, b })
            }
            What::Restart => Some(Event::Restart { who: by }),
            What::Wait => Some(Event::Wait {
                hours: *it.pick(2, &[1, 20, 75])?,
            }),
            What::Expire => Some(Event::Expire { who: by }),
            What::Permit => {
                let (who, other, side) = *it.pick(1, &self.sight.forbidden())?;
                Some(Event::Permit { who, other, side })
            }
            What::Forbid => Some(Event::Forbid { who: by, other, side }),
            operators => self.operator(operators, it),
        }
    }

    /// An operator acts on a connection of theirs, most often in a stage where it may work.
    fn operator(&self, what: What, it: &Intention) -> Option<Event> {
        let (stages, with_code): (&[&str], bool) = match what {
            What::Approve | What::Reject => (&[], true),
            What::Revoke => (&["requested", "approved"], false),
            What::Activate => (&["approved"], false),
            What::Enable => (&["disabled"], false),
            _ => (&["active", "disabled"], false),
        };
        let anything = it.once_in(1, 10);
        let mut choice: Vec<(Who, Which)> = Vec::new();
        for which in 0..self.invites.len() {
            let invite = &self.invites[which];
            let (from, to) = self.sides(which);
            if with_code && (to.is_none() || anything) {
                choice.push((invite.to, which));
            }
            for (who, record) in [(invite.from, from), (invite.to, to)] {
                let fits = |record: Connection| anything || stages.contains(&record.stage.name());
                if !with_code && record.is_some_and(fits) {
                    choice.push((who, which));
                }
            }
        }
        let (by, which) = *it.pick(0, &choice)?;
        let level = *it.pick(2, &[None, Some("internal"), Some("secret")])?;
        Some(match what {
            What::Approve => Event::Approve { by, which, level },
            What::Reject => Event::Reject { by, which },
            What::Revoke => Event::Revoke { by, which },
            What::Activate => Event::Activate { by, which },
            What::Disable => Event::Disable { by, which },
            What::Enable => Event::Enable { by, which },
            What::SetDataTypes => Event::SetDataTypes {
                by,
                which,
                flow: *it.pick(2, &Ways::ALL)?,
            },
            What::Propose => Event::Propose { by, which, level },
            What::Decide => Event::Decide {
                by,
                which,
                approve: !it.once_in(2, 3),
            },
            What::Close => {
                let imported = *it.pick(2, &[Imported::Keep, Imported::Purge])?;
                Event::Close {
                    by,
                    which,
                    imported,
                    force: it.once_in(2, 3),
                }
            }
            _ => return None,
        })
    }

    /// The next step of the next link: between every two neighbours there is to be one.
    async fn link_or_enroll(&self, it: &Intention) -> Option<Event> {
        let mut choice = Vec::new();
        for by in 1..self.parties.len() {
            let to = by - 1;
            let there = self.parties[by].link_to(self.parties[to].id()).await;
            match there {
                None => choice.push(Event::Link { by: to, to: by }),
                // Another code in the place of one that may have been lost, now and then.
                Some(link) if !link.is_established() && it.once_in(0, 6) => {
                    choice.push(Event::Link { by: to, to: by });
                }
                Some(link) if !link.is_established() => {
                    choice.push(Event::Enroll {
                        by,
                        to,
                        answer_lost: it.once_in(2, 3),
                    });
                }
                Some(_) => {}
            }
        }
        it.pick(1, &choice).cloned()
    }

    /// A way over which something waits to be sent.
    async fn somebody_waits(&self, it: &Intention) -> Option<(Who, Who)> {
        let mut choice = Vec::new();
        for from in 0..self.parties.len() {
            for to in (0..self.parties.len()).filter(|to| *to != from) {
                let waiting = peerd_testkit::carry::waiting(&self.parties[from], &self.parties[to]).await;
                if !waiting.is_empty() {
                    choice.push((from, to));
                }
            }
        }
        it.pick(1, &choice).copied()
    }
}
