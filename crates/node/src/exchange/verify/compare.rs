//! The comparison of one type in one direction, which the importing side makes.

use std::collections::BTreeSet;
use std::time::Duration;

use peerd_core::{LinkId, Reason};
use tokio::time::timeout;
use tokio::try_join;

use super::digest::ItemHash;
use super::entries::{SideBySide, Suspect};
use super::held::{Held, Verdict};
use super::{Answer, DIFFERENCES_MAX, KEYS_MAX, Offered, Question, misbehaved};
use crate::exchange::Flow;
use crate::{Error, Node};

pub use super::held::Holder;

/// How often what differs is looked at again, each time after the stream has brought what was waiting.
const ROUNDS: usize = 3;
/// How long a comparison may take, whatever the other side does.
const COMPARISON_MAX: Duration = Duration::from_mins(10);
/// The longest the keys of all listed differences are together.
const KEY_BYTES_MAX: usize = 1 << 20;

/// An object that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Its primary key.
    pub key: String,
    /// Where it is.
    pub holder: Holder,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// How many live objects the exporter offers.
    pub offered: u64,
    /// How many of them did not come to it over this connection.
    pub home: u64,
    /// How many live objects the importer has because they came over this connection.
    pub held: u64,
    /// How many it has by itself, of those that the exporter has by itself too.
    pub met: u64,
    /// What is not the same.
    pub differences: Vec<Difference>,
    /// Whether there are more differences than are listed.
    pub more: bool,
}

impl Compared {
    fn add(&mut self, key: String, holder: Holder, bytes: &mut usize) {
        *bytes += key.len();
        if self.differences.len() == DIFFERENCES_MAX || *bytes > KEY_BYTES_MAX {
            self.more = true;
        } else {
            self.differences.push(Difference { key, holder });
        }
    }
}

impl Node {
    /// Compares what came with what the other side offers.
    pub(in crate::exchange) async fn compare(&self, link: LinkId, flow: &Flow) -> Result<Compared, Error> {
        let late = |_| Error::new(Reason::PeerUnreachable, "the comparison was not done in time");
        timeout(COMPARISON_MAX, self.compare_untimed(link, flow))
            .await
            .map_err(late)?
    }

    async fn compare_untimed(&self, link: LinkId, flow: &Flow) -> Result<Compared, Error> {
        let question = Question::Digests(flow.clone());
        // Both sides add up at the same time.
        let (answer, ours) = try_join!(self.ask(link, question), self.held_digests(flow))?;
        let Answer::Digests(theirs) = answer else {
            return Err(misbehaved("the answer is to another question"));
        };
        let mut compared = Compared {
            offered: theirs.count(),
            home: theirs.home(),
            held: ours.count(),
            ..Compared::default()
        };
        let buckets = ours.differing(&theirs);
        if !buckets.is_empty() {
            self.look_closer(link, flow, buckets, &mut compared).await?;
        }
        Ok(compared)
    }

    async fn look_closer(
        &self,
        link: LinkId,
        flow: &Flow,
        buckets: BTreeSet<u16>,
        compared: &mut Compared,
    ) -> Result<(), Error> {
        let mut entries = SideBySide::new(self, link, flow, buckets);
        let mut trial = Trial {
            node: self,
            link,
            flow,
            patient: true,
        };
        let mut bytes = 0;
        let mut end = false;
        while !end && !compared.more {
            let mut suspects = Vec::new();
            while suspects.len() < KEYS_MAX && !end {
                match entries.next().await? {
                    Some(suspect) => suspects.push(suspect),
                    None => end = true,
                }
            }
            let (met, differences) = trial.try_all(suspects).await?;
            compared.met += met;
            for (key, holder) in differences {
                compared.add(key, holder, &mut bytes);
            }
        }
        Ok(())
    }
}

/// Finds out about suspects.
struct Trial<'a> {
    node: &'a Node,
    link: LinkId,
    flow: &'a Flow,
    /// Whether the stream is waited for. One that stood still once is not waited for again.
    patient: bool,
}

impl Trial<'_> {
    /// How many are met, and those that differ after every round.
    async fn try_all(&mut self, suspects: Vec<Suspect>) -> Result<(u64, Vec<(String, Holder)>), Error> {
        let (mut met, mut open) = self.clear_equal(suspects).await?;
        for round in 1..=ROUNDS {
            let mut differing = Vec::new();
            let mut rest = open.as_slice();
            while !rest.is_empty() {
                let verdicts = self.examine(rest).await?;
                let (done, left) = rest.split_at(verdicts.len());
                for (suspect, verdict) in done.iter().zip(verdicts) {
                    match verdict {
                        Verdict::Same { met: true } if is_home(suspect) => met += 1,
                        Verdict::Same { .. } => {}
                        Verdict::Differs(holder) => differing.push((suspect.clone(), holder)),
                    }
                }
                rest = left;
            }
            if differing.is_empty() || !self.patient || round == ROUNDS {
                let differing = differing.into_iter();
                return Ok((
                    met,
                    differing.map(|(suspect, holder)| (suspect.key, holder)).collect(),
                ));
            }
            open = differing.into_iter().map(|(suspect, _)| suspect).collect();
        }
        Ok((met, Vec::new()))
    }

    /// Takes out those that have the same hash here after all: objects that are here by themselves, and what came since
    /// the tables were made.
    async fn clear_equal(&self, suspects: Vec<Suspect>) -> Result<(u64, Vec<Suspect>), Error> {
        let (_, terms) = self.node.may_import(self.flow).await?;
        let view = Held::new(self.node, &terms);
        let keys = Node::keys_of(&terms, suspects.iter().map(|suspect| suspect.key.as_str()));
        let stored = self.node.stored_many(&terms.feed, keys.iter().copied()).await?;
        let here: std::collections::BTreeMap<&str, _> = keys.into_iter().zip(stored).collect();
        let (mut met, mut open) = (0, Vec::new());
        for suspect in &suspects {
            let offered = suspect.offered.map(|(hash, _): (ItemHash, bool)| hash);
            let stored = here.get(suspect.key.as_str()).and_then(Option::as_ref);
            let verdict = match (offered, stored) {
                (Some(hash), Some(stored)) => view.is_same(&suspect.key, &stored.record, hash)?,
                _ => None,
            };
            match verdict {
                Some(Verdict::Same { met: true }) if is_home(suspect) => met += 1,
                Some(_) => {}
                None => open.push(suspect.clone()),
            }
        }
        Ok((met, open))
    }

    /// Asks for what is offered of the first of these, and tries what would become of it.
    async fn examine(&mut self, suspects: &[Suspect]) -> Result<Vec<Verdict>, Error> {
        let question = Question::Items {
            flow: self.flow.clone(),
            keys: suspects.iter().map(|suspect| suspect.key.clone()).collect(),
            patient: self.patient,
        };
        let Answer::Items { items, settled } = self.node.ask(self.link, question).await? else {
            return Err(misbehaved("the answer is to another question"));
        };
        if items.is_empty() || items.len() > suspects.len() {
            return Err(misbehaved("not as many items as were asked for"));
        }
        self.patient &= settled;
        let (permit, terms) = self.node.may_import(self.flow).await?;
        let view = Held::new(self.node, &terms);
        let offered: Vec<(&str, &Offered)> = suspects
            .iter()
            .map(|suspect| suspect.key.as_str())
            .zip(&items)
            .collect();
        let keys = Node::keys_of(&terms, offered.iter().map(|(key, _)| *key));
        let stored = self.node.stored_many(&terms.feed, keys.iter().copied()).await?;
        let known = self.node.known_there(&terms, &keys).await?;
        let here: std::collections::BTreeMap<&str, _> =
            keys.into_iter().zip(stored.into_iter().zip(known)).collect();
        let verdicts = offered.into_iter().map(|(key, offered)| {
            let (stored, known) = here.get(key).map_or((None, false), |(stored, known)| {
                (stored.as_ref().map(|found| &found.record), *known)
            });
            view.judge(
                &permit,
                (key, offered),
                (stored, known),
                self.node.enrollment_id(),
            )
        });
        verdicts.collect()
    }
}

fn is_home(suspect: &Suspect) -> bool {
    suspect.offered.is_some_and(|(_, home)| home)
}
