//! What holds after every event, by name.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use peerd_core::link::Link;
use peerd_core::peering::{Connection, Flow, Stage};
use peerd_core::policy::Side;
use peerd_core::security::Levels;
use peerd_core::{ConnectionId, EnrollmentId};
use peerd_store::Table;
use peerd_testkit::Party;

use crate::event::Who;
use crate::world::LEVELS;

/// A record, and whose it is.
type Key = (Who, ConnectionId);

/// What is seen of the world: the records before and after the last event, and everything that was ever seen.
#[derive(Debug)]
pub(crate) struct Sight {
    ids: Vec<EnrollmentId>,
    levels: Levels,
    /// Which policies are in force, by the simulation's own book.
    pub(crate) allowed: BTreeSet<(Who, Who, Side)>,
    pub(crate) before: BTreeMap<Key, Connection>,
    now: BTreeMap<Key, Connection>,
    /// The stages each record was ever in.
    pub(crate) seen: BTreeMap<Key, BTreeSet<&'static str>>,
    /// Which live links each party has, with whom, and whether the pinned key is that party's.
    links: Vec<Vec<(Option<EnrollmentId>, bool)>>,
    /// The rows all this was read from.
    stored: Vec<Vec<(Table, Bytes, Bytes)>>,
}

impl Sight {
    pub(crate) fn new(parties: &[Party]) -> Sight {
        let levels = LEVELS.map(|level| level.parse().expect("a level"));
        Sight {
            ids: parties.iter().map(Party::id).collect(),
            levels: Levels::new(levels.to_vec()).expect("levels"),
            allowed: BTreeSet::new(),
            before: BTreeMap::new(),
            now: BTreeMap::new(),
            seen: BTreeMap::new(),
            links: vec![Vec::new(); parties.len()],
            stored: vec![Vec::new(); parties.len()],
        }
    }

    /// Reads what is stored. What is as it was is not read again.
    pub(crate) async fn look(&mut self, parties: &[Party]) {
        for (who, party) in parties.iter().enumerate() {
            let stored = party.contents(&[Table::Connections, Table::Links]).await;
            if self.stored[who] == stored {
                continue;
            }
            self.stored[who] = stored;
            self.now.retain(|(whose, _), _| *whose != who);
            for record in party.connections().await {
                self.seen
                    .entry((who, record.id))
                    .or_default()
                    .insert(record.stage.name());
                self.now.insert((who, record.id), record);
            }
            let pinned = |link: Link| {
                let there = parties.iter().find(|it| Some(it.id()) == link.enrollment());
                let key = there.map(|it| it.node().public_key());
                let right = link
                    .remote
                    .as_ref()
                    .zip(key)
                    .is_some_and(|(remote, key)| remote.has_key(&key));
                (link.enrollment(), right)
            };
            self.links[who] = party.links().await.into_iter().map(pinned).collect();
        }
    }

    /// What is now will have been.
    pub(crate) fn remember(&mut self) {
        self.before = self.now.clone();
    }

    /// The policies that are not in force.
    pub(crate) fn forbidden(&self) -> Vec<(Who, Who, Side)> {
        let all = 0..self.ids.len();
        let pairs = all
            .clone()
            .flat_map(|who| all.clone().map(move |other| (who, other)));
        let sides =
            pairs.flat_map(|(who, other)| [Side::Egress, Side::Ingress].map(|side| (who, other, side)));
        sides
            .filter(|it| it.0 != it.1 && !self.allowed.contains(it))
            .collect()
    }

    fn who(&self, id: EnrollmentId) -> Option<Who> {
        self.ids.iter().position(|known| *known == id)
    }

    fn ever(&self, who: Who, id: ConnectionId, stage: &str) -> bool {
        self.seen
            .get(&(who, id))
            .is_some_and(|stages| stages.contains(stage))
    }

    /// Whether the policies in force at one party let this flow, seen from there.
    fn permits(&self, who: Who, other: Who, flow: Flow) -> bool {
        let open = |side| self.allowed.contains(&(who, other, side));
        (flow.exports.is_empty() || open(Side::Egress)) && (flow.imports.is_empty() || open(Side::Ingress))
    }

    /// Every record with the one before it, if there was one.
    fn changes(&self) -> impl Iterator<Item = (Who, Option<&Connection>, &Connection)> {
        self.now
            .iter()
            .map(|(key, now)| (key.0, self.before.get(key), now))
    }
}

type Invariant = fn(&Sight) -> Result<(), String>;

pub(crate) const INVARIANTS: &[(&str, Invariant)] = &[
    (
        "nobody is active unless both approved",
        active_means_both_approved,
    ),
    ("every forward step has a live permit", forward_needs_permit),
    ("what is over stays over", over_stays_over),
    (
        "what was refused by one is active at none",
        refused_is_active_nowhere,
    ),
    ("identity and roles never change", identity_stays),
    ("records do not vanish", records_stay),
    (
        "message numbers only grow, and none is taken before it was made",
        numbers_grow,
    ),
    ("an approval narrows", approval_narrows),
    (
        "one live link to an enrollment, pinned to its key",
        one_pinned_link,
    ),
];

fn ensure(holds: bool, broken: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(broken()) }
}

fn is_established(stage: &Stage) -> bool {
    matches!(stage, Stage::Active { .. } | Stage::Disabled { .. })
}

fn active_means_both_approved(sight: &Sight) -> Result<(), String> {
    for (who, _, now) in sight.changes().filter(|(.., now)| is_established(&now.stage)) {
        let there = sight.who(now.remote);
        let approved = sight.ever(who, now.id, "approved")
            && there.is_some_and(|there| sight.ever(there, now.id, "approved"));
        ensure(approved, || format!("party {who} has {now:?}"))?;
    }
    Ok(())
}

fn forward_needs_permit(sight: &Sight) -> Result<(), String> {
    for (who, before, now) in sight.changes() {
        let stage = before.map(|before| before.stage.name());
        let forward = match now.stage {
            Stage::Requested { .. } => stage.is_none(),
            Stage::Approved { .. } => stage != Some("approved"),
            Stage::Active { .. } => stage == Some("approved"),
            _ => false,
        };
        let there = sight.who(now.remote);
        let permitted = there.is_some_and(|there| sight.permits(who, there, now.flow()));
        ensure(!forward || permitted, || {
            format!("party {who}: {stage:?} became {now:?}")
        })?;
    }
    Ok(())
}

fn over_stays_over(sight: &Sight) -> Result<(), String> {
    for (who, before, now) in sight.changes() {
        let ended = before.filter(|before| before.stage.is_final());
        let same = ended.is_none_or(|before| before.stage.name() == now.stage.name());
        ensure(same, || format!("party {who}: {before:?} became {now:?}"))?;
    }
    Ok(())
}

fn refused_is_active_nowhere(sight: &Sight) -> Result<(), String> {
    for (who, _, now) in sight.changes().filter(|(.., now)| is_established(&now.stage)) {
        let there = sight.who(now.remote).unwrap_or(who);
        for stage in ["rejected", "expired", "revoked"] {
            let refused = sight.ever(there, now.id, stage);
            ensure(!refused, || {
                format!("party {there} had it {stage}, party {who} has {now:?}")
            })?;
        }
    }
    Ok(())
}

fn identity_stays(sight: &Sight) -> Result<(), String> {
    for (who, before, now) in sight.changes() {
        let fixed = |it: &Connection| {
            (
                it.role,
                it.local,
                it.remote,
                it.link,
                it.created_at,
                it.asked.clone(),
            )
        };
        let same = before.is_none_or(|before| fixed(before) == fixed(now));
        let own = sight.ids.get(who) == Some(&now.local);
        ensure(same && own, || format!("party {who}: {before:?} became {now:?}"))?;
    }
    Ok(())
}

fn records_stay(sight: &Sight) -> Result<(), String> {
    let gone = sight.before.keys().find(|key| !sight.now.contains_key(key));
    ensure(gone.is_none(), || format!("{gone:?}"))
}

fn numbers_grow(sight: &Sight) -> Result<(), String> {
    for (who, before, now) in sight.changes() {
        let grew = before.is_none_or(|before| before.sent <= now.sent && before.received <= now.received);
        ensure(grew, || format!("party {who}: {before:?} became {now:?}"))?;
        let there = sight
            .who(now.remote)
            .and_then(|there| sight.now.get(&(there, now.id)));
        // A side that is over repeats its ending under the number after its last.
        let made = there.map_or(0, |there| there.sent + u64::from(there.stage.is_final()));
        ensure(now.received <= made, || {
            format!("party {who} took {} of {made}", now.received)
        })?;
    }
    Ok(())
}

fn approval_narrows(sight: &Sight) -> Result<(), String> {
    for (who, _, now) in sight
        .changes()
        .filter(|(.., now)| matches!(now.stage, Stage::Approved { .. }))
    {
        let narrow = now.security.at_most(&now.asked, &sight.levels);
        ensure(narrow, || format!("party {who}: {now:?}"))?;
    }
    Ok(())
}

fn one_pinned_link(sight: &Sight) -> Result<(), String> {
    for (who, links) in sight.links.iter().enumerate() {
        let remotes: Vec<EnrollmentId> = links.iter().filter_map(|(remote, _)| *remote).collect();
        let distinct: BTreeSet<&EnrollmentId> = remotes.iter().collect();
        let pinned = links.iter().all(|(remote, right)| remote.is_none() || *right);
        ensure(distinct.len() == remotes.len() && pinned, || {
            format!("party {who}: {links:?}")
        })?;
    }
    Ok(())
}
