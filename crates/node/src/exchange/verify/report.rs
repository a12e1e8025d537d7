//! What an operator is told of a comparison.

use std::collections::{BTreeMap, BTreeSet};

use peerd_core::artifact;
use peerd_core::authz::Action;
use peerd_core::object::ObjectKey;
use peerd_core::ontology::ApiName;
use peerd_core::peering::Connection;
use peerd_core::policy::Direction;
use peerd_core::{ConnectionId, Reason};

use super::{Answer, Compared, DIFFERENCES_MAX, Difference, Holder, Question, misbehaved};
use crate::exchange::Flow;
use crate::{Caller, Error, Node, peer};

/// Where a differing object is, seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Where {
    /// Here alone.
    Here,
    /// There alone.
    There,
    /// On both sides, and not the same.
    Both,
}

/// An object that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Differing {
    /// Its primary key.
    pub key: String,
    /// Where it is.
    pub place: Where,
}

/// What was found for one type, both directions together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeReport {
    /// How many live objects were compared here.
    pub here: u64,
    /// How many were compared there.
    pub there: u64,
    /// What differs and the caller may see, by key.
    pub differences: BTreeSet<Differing>,
    /// How many objects differ that the caller may not see.
    pub hidden: u64,
    /// Whether there are more differences than are listed.
    pub more: bool,
}

/// What was found, by type as this side calls it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// The types that flow, either way.
    pub types: BTreeMap<String, TypeReport>,
}

impl Verification {
    /// Whether no difference was found.
    pub fn is_equal(&self) -> bool {
        let equal = |report: &TypeReport| report.differences.is_empty() && report.hidden == 0 && !report.more;
        self.types.values().all(equal)
    }
}

/// A type that flows, as this side calls it.
struct Flowing {
    flow: Flow,
    local: ApiName,
    direction: Direction,
}

impl Node {
    /// Compares what both sides of a connection have, type by type, for every type that flows. The other side must be
    /// connected. What is only on its way is waited for, as long as it moves.
    pub async fn verify_connection(&self, caller: &Caller, id: ConnectionId) -> Result<Verification, Error> {
        let found = self.connection_for(caller, Action::ConnectionVerify, id).await?;
        let connection = found.record;
        let Ok(_turn) = self.verifying.try_acquire() else {
            let told = "others are being verified just now; try again when they are done";
            return Err(Error::new(Reason::RateLimited, told));
        };
        if !connection.is_flowing() {
            let stage = connection.stage.name();
            let told = format!("the connection is {stage}");
            return Err(Error::new(Reason::WrongStage, told).with("stage", stage));
        }
        let flowing = self.flowing_types(&connection).await?;
        let two_way: BTreeSet<ApiName> = {
            let of = |direction| flowing.iter().filter(move |one| one.direction == direction);
            let out: BTreeSet<_> = of(Direction::Export).map(|one| &one.local).collect();
            let back = of(Direction::Import).filter(|one| out.contains(&one.local));
            back.map(|one| one.local.clone()).collect()
        };
        let mut verification = Verification::default();
        for one in flowing {
            let compared = self.retrying(|| self.compared(&connection, &one)).await?;
            let report = verification
                .types
                .entry(one.local.as_str().to_owned())
                .or_default();
            let counted = count(&compared, two_way.contains(&one.local));
            let (here, there) = match one.direction {
                Direction::Export => counted,
                Direction::Import => (counted.1, counted.0),
            };
            report.here += here;
            report.there += there;
            report.more |= compared.more;
            self.list(caller, &connection, &one, compared.differences, report)
                .await?;
        }
        shorten(&mut verification);
        Ok(verification)
    }

    /// The types that flow now. One that a policy of this side stops is an error that says which rule is missing.
    async fn flowing_types(&self, connection: &Connection) -> Result<Vec<Flowing>, Error> {
        let Some(standing) = self.standing(connection.clone()).await? else {
            return Ok(Vec::new());
        };
        let flows = standing.agreed_flows();
        let flow = |name: &ApiName| Flow {
            connection: connection.id,
            object_type: name.as_str().to_owned(),
        };
        let exports = flows.exports.keys();
        let exports = exports.map(|name| Flowing {
            flow: flow(name),
            local: name.clone(),
            direction: Direction::Export,
        });
        let imports = flows.imports.iter();
        let imports = imports.map(|(name, import)| Flowing {
            flow: flow(name),
            local: import.mapping.local_type.clone(),
            direction: Direction::Import,
        });
        let flowing: Vec<Flowing> = exports.chain(imports).collect();
        for one in &flowing {
            let data = artifact::data_of(&one.flow.object_type);
            let permit = self.permit_flow(connection.remote, one.direction, data);
            let _permit = permit.map_err(|denial| peer::explained(&denial))?;
        }
        Ok(flowing)
    }

    async fn compared(&self, connection: &Connection, one: &Flowing) -> Result<Compared, Error> {
        let flow = one.flow.clone();
        match one.direction {
            Direction::Import => self.compare(connection.link, &flow).await,
            Direction::Export => match self.ask(connection.link, Question::Comparison(flow)).await? {
                Answer::Comparison(compared) => Ok(compared),
                _ => Err(misbehaved("the answer is to another question")),
            },
        }
    }

    /// Adds the differences to a report: those of objects that the caller may see by their keys. An object that is not
    /// here carries at most what the connection lets through.
    async fn list(
        &self,
        caller: &Caller,
        connection: &Connection,
        one: &Flowing,
        differences: Vec<Difference>,
        report: &mut TypeReport,
    ) -> Result<(), Error> {
        let Some(space) = connection.space.as_ref().map(|space| space.id) else {
            return Ok(());
        };
        let sight = self.sight(caller).await?;
        for Difference { key, holder } in differences {
            let stored = match ObjectKey::new(one.local.clone(), key.as_str()) {
                Ok(key) => self.stored(space, &key).await?,
                Err(_) => None,
            };
            let seen = match &stored {
                Some(found) => sight.sees(&found.record.state),
                None => sight.sees_marked(&connection.security.markings),
            };
            if !seen {
                report.hidden += 1;
                continue;
            }
            let place = match (holder, one.direction) {
                (Holder::Both, _) => Where::Both,
                (Holder::Exporter, Direction::Export) | (Holder::Importer, Direction::Import) => Where::Here,
                (Holder::Importer, Direction::Export) | (Holder::Exporter, Direction::Import) => Where::There,
            };
            report.differences.insert(Differing { key, place });
        }
        Ok(())
    }
}

/// How many objects of the exporter and of the importer a comparison was about. Where a type flows both ways, an object
/// counts for the direction in which it came first.
fn count(compared: &Compared, two_way: bool) -> (u64, u64) {
    let met = if two_way { 0 } else { compared.met };
    (compared.home, compared.held + met)
}

/// Keeps the list of all types together within its limit.
fn shorten(verification: &mut Verification) {
    let mut left = DIFFERENCES_MAX;
    for report in verification.types.values_mut() {
        while report.differences.len() > left {
            report.differences.pop_last();
            report.more = true;
        }
        left -= report.differences.len();
    }
}
