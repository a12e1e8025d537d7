//! Two nodes in this process, without network or disk, that share the type of the rows one way.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::FutureExt as _;
use peerd_core::ConnectionId;
use peerd_core::link::Direction;
use peerd_core::peering::{DataTypes, Flow as Types};
use peerd_core::policy::Side;
use peerd_core::security::Security;
use peerd_node::connection::Ask;
use peerd_node::exchange::{Ack, Batch, Exporter, Flow, Importer};
use peerd_node::object::{Content, Line, LoadHeader};
use peerd_node::peer::Peer;
use peerd_node::sharing::Ways;
use peerd_testkit::{Party, TestClock, carry};
use peerd_tests::bench::rows::{Rows, TYPES, lines};

use crate::cases::OBJECTS;

/// The space of both, which the kit makes.
const SPACE: &str = "main";

#[derive(Debug)]
pub(crate) struct World {
    source: Party,
    importer: Party,
    connection: ConnectionId,
}

/// One stream, from the source to the importer.
#[derive(Debug)]
pub(crate) struct Stream {
    exporter: Exporter,
    importer: Importer,
}

impl World {
    /// Two nodes with a connection on which the type is shared.
    pub(crate) async fn shared(rows: &Rows) -> anyhow::Result<World> {
        let clock = Arc::new(TestClock::default());
        let source = Party::founded("a", 1, Arc::clone(&clock)).await;
        let importer = Party::founded("b", 2, clock).await;
        for side in [Side::Egress, Side::Ingress] {
            source.permit(side, importer.id()).await;
            importer.permit(side, source.id()).await;
        }
        let ontology = serde_json::from_str(&rows.ontology())?;
        for party in [&source, &importer] {
            party
                .node()
                .apply_ontology(&party.admin, SPACE, &ontology)
                .await?;
        }
        let direction = Direction::Bidirectional;
        let invitation = source.node().invite_link(&source.admin, direction, None).await?;
        let name = "source".parse()?;
        let accepted = importer
            .node()
            .accept_link(&importer.admin, &invitation.code, &name);
        accepted.await?;
        carry::enroll(&importer, &source).await?;
        let connection = connect(&source, &importer).await?;
        let world = World {
            source,
            importer,
            connection,
        };
        world.share().await?;
        Ok(world)
    }

    async fn share(&self) -> anyhow::Result<()> {
        let (types, id) = ([TYPES[0].to_owned()], self.connection);
        for (party, export) in [(&self.source, true), (&self.importer, false)] {
            let ways = Ways {
                export,
                import: !export,
            };
            party.node().share_types(&party.manager, id, &types, ways).await?;
        }
        for (from, to) in [(&self.source, &self.importer), (&self.importer, &self.source)] {
            let (told, teller) = (
                from.node().sharings(&peer(from, to).await?).await?,
                peer(to, from).await?,
            );
            for one in told {
                let taken = to
                    .node()
                    .receive_sharing(&teller, one.connection, one.revision, one.content);
                taken.await?;
            }
        }
        Ok(())
    }

    /// The rows of a file as a load takes them.
    pub(crate) fn lines(rows: &Rows, file: &Path) -> anyhow::Result<Vec<Line>> {
        let mut all = Vec::new();
        for (number, line) in (2..).zip(lines(file)?) {
            let cells: Vec<String> = line?.split(',').map(str::to_owned).collect();
            ensure!(
                cells.len() == rows.columns.len(),
                "line {number} has other columns"
            );
            let content = Content::Cells(cells);
            all.push(Line { number, content });
        }
        Ok(all)
    }

    /// Loads rows at the source, a moment later than what was loaded before.
    pub(crate) async fn load(&self, rows: &Rows, lines: Vec<Line>) -> anyhow::Result<()> {
        self.source.clock().advance(Duration::from_secs(1));
        let header = LoadHeader {
            space: SPACE.to_owned(),
            object_type: TYPES[0].to_owned(),
            columns: rows.columns.iter().map(|(name, ..)| (*name).to_owned()).collect(),
            ..LoadHeader::default()
        };
        let mut load = self.source.node().begin_load(&self.source.admin, header).await?;
        load.offer(lines)?;
        while load.is_running() {
            load.step().await?;
        }
        let written = load.progress().written;
        ensure!(written == OBJECTS, "{written} objects were written");
        Ok(())
    }

    /// A stream from where the importer stands.
    pub(crate) async fn stream(&self) -> anyhow::Result<Stream> {
        let flow = || Flow {
            connection: self.connection,
            object_type: TYPES[0].to_owned(),
        };
        let (source, target) = (&self.source, &self.importer);
        let importer = Importer::open(target.node(), &peer(target, source).await?, flow()).await?;
        let position = importer.position().clone();
        let exporter = Exporter::open(source.node(), &peer(source, target).await?, flow(), position).await?;
        Ok(Stream { exporter, importer })
    }
}

impl Stream {
    /// What there is to send: a store in memory makes nobody wait.
    pub(crate) fn batches(&mut self) -> anyhow::Result<Vec<Batch>> {
        let mut batches = Vec::new();
        while let Some(batch) = self.exporter.next().now_or_never() {
            batches.push(batch?);
        }
        let items: usize = batches.iter().map(|batch| batch.items.len()).sum();
        ensure!(items as u64 == OBJECTS, "{items} objects are to be sent");
        Ok(batches)
    }

    /// Takes them in.
    pub(crate) async fn apply(&mut self, batches: Vec<Batch>) -> anyhow::Result<Vec<Ack>> {
        let mut acks = Vec::new();
        for batch in batches {
            let ack = self.importer.apply(batch).await?;
            ensure!(ack.refusals.is_empty(), "some were parked");
            acks.push(ack);
        }
        Ok(acks)
    }

    /// Tells the source.
    pub(crate) async fn acknowledge(&mut self, ack: Ack) -> anyhow::Result<()> {
        Ok(self.exporter.acknowledged(ack).await?)
    }
}

async fn connect(source: &Party, importer: &Party) -> anyhow::Result<ConnectionId> {
    let objects = |objects| DataTypes {
        objects,
        artifacts: false,
    };
    let link = source.link_to(importer.id()).await.context("a link")?;
    let ask = Ask {
        space: SPACE.to_owned(),
        link: link.id.to_string(),
        flow: Types {
            exports: objects(true),
            imports: objects(true),
        },
        security: Security::unrestricted(),
        lifetime: None,
    };
    let asked = source.node().request_connection(&source.manager, ask).await?;
    let approved = importer
        .node()
        .approve_connection(&importer.manager, &asked.code, SPACE, None);
    approved.await?;
    carry::carry_all(source, importer).await;
    source
        .node()
        .activate_connection(&source.manager, asked.id)
        .await?;
    carry::carry_all(source, importer).await;
    Ok(asked.id)
}

async fn peer(party: &Party, other: &Party) -> anyhow::Result<Peer> {
    carry::peer(party, other).await.context("a peer")
}
