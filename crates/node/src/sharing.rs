//! What each side of a connection makes available, and what flows because of it.
//!
//! Nothing here acts: the answers are computed from what both sides said, the ontology and the policies, each time they
//! are asked for. So whatever changes, in whatever order, ends in the same streams.

use bytes::Bytes;
use peerd_core::artifact;
use peerd_core::audit::{Actor, Fact};
use peerd_core::mapping::{self, OurSide, Sharing, TypeShare};
use peerd_core::ontology::{ApiName, Ontology};
use peerd_core::peering::{Connection, Stage};
use peerd_core::policy::{self, DataType, Denial, Direction, Permit, Verdict};
use peerd_core::{ConnectionId, EnrollmentId, Reason, SpaceId};
use peerd_store::records::Shared;
use peerd_store::{Batch, Found, RecordBatch as _, Records as _};

mod change;
mod draft;
mod published;
mod view;
mod wire;
mod work;

pub use change::{Ways, Wish};
pub use draft::{DraftProperty, DraftRow, MappingDraft};
pub use published::Published;
pub use view::MappingView;
pub(crate) use view::UNFIT;
pub use work::Work;

use crate::exchange::{Flow, Flows};
use crate::peer::Peer;
use crate::{Error, Node, audit};

/// What this side tells the other of one connection. It replaces what was told before if its revision is higher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharingOut {
    /// The connection.
    pub connection: ConnectionId,
    /// Higher is newer.
    pub revision: u64,
    /// What is shared, for the other side's [`Node::receive_sharing`]; at most 1 MiB.
    pub content: Bytes,
}

/// All that decides what flows on a connection, but for the policies.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) connection: Connection,
    pub(crate) space: SpaceId,
    pub(crate) shared: Shared,
    pub(crate) ontology: Ontology,
}

impl Standing {
    /// What both sides' words let flow.
    pub(crate) fn flows(&self) -> mapping::Flows {
        let ours = OurSide {
            sharing: &self.shared.ours,
            mappings: &self.shared.mappings,
            ontology: &self.ontology,
        };
        mapping::flows(ours, &self.shared.theirs)
    }

    /// What both sides' words let flow of the data that the connection is for.
    pub(crate) fn agreed_flows(&self) -> mapping::Flows {
        let agreed = self.connection.flow();
        let goes = |name: &ApiName| agreed.exports.contains(artifact::data_of(name.as_str()));
        let comes = |name: &ApiName| agreed.imports.contains(artifact::data_of(name.as_str()));
        let mut flows = self.flows();
        flows.exports.retain(|name, _| goes(name));
        flows.unfit.retain(goes);
        flows.imports.retain(|name, _| comes(name));
        flows.blocked.retain(|name, _| comes(name));
        flows
    }

    /// What a type of theirs is called here.
    pub(crate) fn local_name<'a>(&'a self, theirs: &'a ApiName) -> &'a ApiName {
        let mapped = self.shared.mappings.iter();
        let mut mapped = mapped.filter(|mapping| mapping.remote_type == *theirs);
        mapped.next().map_or(theirs, |mapping| &mapping.local_type)
    }
}

impl Node {
    /// What this side tells a peer, connection by connection.
    pub async fn sharings(&self, peer: &Peer) -> Result<Vec<SharingOut>, Error> {
        let mut out = Vec::new();
        for connection in self.connections_with(peer).await? {
            if !is_joined(&connection) {
                continue;
            }
            let Some(standing) = self.standing(connection).await? else {
                continue;
            };
            let sharing = &standing.shared.ours;
            if sharing.revision > 0 {
                out.push(SharingOut {
                    connection: standing.connection.id,
                    revision: sharing.revision,
                    content: wire::encode(sharing)?,
                });
            }
        }
        Ok(out)
    }

    /// Takes what a peer told of a connection. What is not newer is ignored.
    pub async fn receive_sharing(
        &self,
        peer: &Peer,
        connection: ConnectionId,
        revision: u64,
        content: Bytes,
    ) -> Result<(), Error> {
        let sharing = wire::decode(&content)?;
        if sharing.revision != revision || revision == 0 {
            return Err(Error::new(
                Reason::PeerMisbehaved,
                "the sharing has two revisions",
            ));
        }
        self.retrying(async || {
            let known = self.connection_of(peer, connection).await?;
            if !may_hear(&known) {
                let told = format!("the connection is {}", known.stage.name());
                return Err(Error::new(Reason::WrongStage, told));
            }
            let found = self.shared(connection).await?;
            if found.record.theirs.revision >= revision {
                return Ok(());
            }
            let mut batch = Batch::new();
            let next = Shared {
                theirs: sharing.clone(),
                ..found.record.clone()
            };
            write(&mut batch, &next, &found)?;
            self.commit(batch).await
        })
        .await
    }

    /// The streams that this side would run with a peer now. Ask again when [`Node::work`] says so.
    pub async fn flows(&self, peer: &Peer) -> Result<Flows, Error> {
        let mut flows = Flows::default();
        for connection in self.connections_with(peer).await? {
            if !connection.is_flowing() {
                continue;
            }
            let Some(standing) = self.standing(connection).await? else {
                continue;
            };
            let both = standing.agreed_flows();
            let flow = |object_type: &ApiName| Flow {
                connection: standing.connection.id,
                object_type: object_type.as_str().to_owned(),
            };
            let all: [(_, _, Vec<Flow>); 2] = [
                (
                    Direction::Export,
                    &mut flows.exports,
                    both.exports.keys().map(flow).collect(),
                ),
                (
                    Direction::Import,
                    &mut flows.imports,
                    both.imports.keys().map(flow).collect(),
                ),
            ];
            for (direction, out, wanted) in all {
                for data in [DataType::Objects, DataType::Artifacts] {
                    let of_data = wanted.iter().filter(|flow| flow.data() == data);
                    let of_data: Vec<Flow> = of_data.cloned().collect();
                    if !of_data.is_empty() && self.lets(&standing.connection, (direction, data)).await? {
                        out.extend(of_data);
                    }
                }
            }
        }
        Ok(flows)
    }

    /// Whether the policies let data that both sides want go one way now. When the answer is another than before, it
    /// is audited: a stream that stops or goes on says so once, not with every batch.
    async fn lets(&self, connection: &Connection, way: (Direction, DataType)) -> Result<bool, Error> {
        let permit = self.permit_flow(connection.remote, way.0, way.1);
        let allowed = permit.is_ok();
        if !self.progress.decided(connection.id, way, allowed) {
            return Ok(allowed);
        }
        let verdict = match &permit {
            Ok(permit) => Verdict::of_permit(permit),
            Err(denial) => Verdict::of_denial(denial),
        };
        let fact = Fact::decision(Actor::System, &verdict, None).on(connection.id);
        let mut batch = Batch::new();
        audit::record(&mut batch, &fact)?;
        let committed = self.commit(batch).await;
        if committed.is_err() {
            // Not recorded: it is news the next time.
            self.progress.decided(connection.id, way, !allowed);
        }
        committed.map(|()| allowed)
    }

    /// The permit for data to go one way with this enrollment.
    pub(crate) fn permit_flow(
        &self,
        remote: EnrollmentId,
        direction: Direction,
        data: DataType,
    ) -> Result<Permit<policy::Flow>, Denial> {
        let policies = self.policies.load();
        let decided = policies
            .decide_flow(remote, direction, data, self.now())
            .into_result();
        let counted = self.progress.tally.of(direction);
        match &decided {
            Ok(_) => counted.allowed.add(1),
            Err(_) => counted.denied.add(1),
        }
        decided
    }

    /// The connections with a peer over its link.
    async fn connections_with(&self, peer: &Peer) -> Result<Vec<Connection>, Error> {
        let all = self.store.all::<Connection>(&[]).await?;
        let connections = all.into_iter().map(|found| found.record);
        Ok(connections.filter(|one| is_with(one, peer)).collect())
    }

    /// A connection of this peer. One that is another's is as unknown as one that does not exist.
    pub(crate) async fn connection_of(&self, peer: &Peer, id: ConnectionId) -> Result<Connection, Error> {
        let found = self.store.find::<Connection>(id.as_bytes()).await?;
        found
            .map(|found| found.record)
            .filter(|connection| is_with(connection, peer))
            .ok_or_else(|| Error::not_found("connection"))
    }

    /// What decides about a connection, as of now. What this side publishes follows its ontology, and what it says to be
    /// unfit follows both sides' schemas: when they changed, the revision grows here. `None` for a connection without a space.
    pub(crate) async fn standing(&self, connection: Connection) -> Result<Option<Standing>, Error> {
        let Some(space) = connection.space.as_ref().map(|space| space.id) else {
            return Ok(None);
        };
        let (shared, ontology) = self
            .retrying(async || {
                let found = self.shared(connection.id).await?;
                let ontology = self.ontology(space).await?;
                let Some(ours) = republished(&found.record, &ontology, &connection) else {
                    return Ok((found.record, ontology));
                };
                let next = Shared {
                    ours,
                    ..found.record.clone()
                };
                let mut batch = Batch::new();
                write(&mut batch, &next, &found)?;
                self.commit(batch).await?;
                Ok((next, ontology))
            })
            .await?;
        Ok(Some(Standing {
            connection,
            space,
            shared,
            ontology,
        }))
    }

    /// What both sides said; nothing yet for a connection nobody spoke of.
    pub(crate) async fn shared(&self, connection: ConnectionId) -> Result<Found<Shared>, Error> {
        let found = self.store.find::<Shared>(connection.as_bytes()).await?;
        Ok(found.unwrap_or_else(|| Found {
            record: Shared {
                connection,
                ours: Sharing::default(),
                mappings: Vec::new(),
                theirs: Sharing::default(),
                artifacts: None,
            },
            revision: peerd_store::Revision(0),
        }))
    }
}

/// Writes what both sides said, if it is still as it was read. Revision zero is none: it was never written.
fn write(batch: &mut Batch, next: &Shared, before: &Found<Shared>) -> Result<(), Error> {
    if before.revision == peerd_store::Revision(0) {
        batch.insert(next)?;
    } else {
        batch.replace(next, before.revision)?;
    }
    Ok(())
}

/// What this side tells when its ontology, its mappings or the other side's schemas say otherwise than what it told last.
fn republished(shared: &Shared, ontology: &Ontology, connection: &Connection) -> Option<Sharing> {
    let mut next = shared.ours.clone();
    publish_artifacts(&mut next, shared, connection);
    next.types.retain(|name, share| {
        let schema = ontology.schema_of(name.as_str());
        let exists = schema.is_some();
        share.schema = schema.unwrap_or_else(|| share.schema.clone());
        exists
    });
    let wanted = shared
        .mappings
        .iter()
        .map(|mapping| (mapping.remote_type.clone(), mapping.wanted()));
    next.wanted = wanted.collect();
    next.held_to = mapping::held_to(&shared.mappings, &next.types);
    let ours = OurSide {
        sharing: &next,
        mappings: &shared.mappings,
        ontology,
    };
    next.unfit = mapping::unfit(ours, &shared.theirs);
    if next == shared.ours {
        return None;
    }
    next.revision = next.revision.saturating_add(1);
    Some(next)
}

/// Artifacts need no mapping: both sides have the one type. They come in where the connection is for that, and go out
/// where somebody said which. That the connection is for that as well is asked with every answer about flows: no copy
/// goes because it is not for a while.
fn publish_artifacts(next: &mut Sharing, shared: &Shared, connection: &Connection) {
    next.types.retain(|name, _| name.as_str() != artifact::TYPE);
    let agreed = connection.flow();
    let export = shared.artifacts.is_some();
    let import = agreed.imports.artifacts;
    if let (true, Some(schema)) = (export || import, artifact::schema()) {
        let share = TypeShare {
            schema,
            export,
            import,
        };
        next.types.insert(share.schema.name().clone(), share);
    }
}

fn is_with(connection: &Connection, peer: &Peer) -> bool {
    connection.link == peer.link() && connection.remote == peer.enrollment()
}

fn is_joined(connection: &Connection) -> bool {
    matches!(connection.stage, Stage::Active { .. } | Stage::Disabled { .. })
}

/// A sharing may overtake the activation, which is on its way then.
fn may_hear(connection: &Connection) -> bool {
    is_joined(connection) || matches!(connection.stage, Stage::Approved { .. })
}
