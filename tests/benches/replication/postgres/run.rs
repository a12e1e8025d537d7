//! The same phases as those of `peerd`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use peerd_tests::bench::cpu;
use peerd_tests::bench::operator::{eventually, within};
use peerd_tests::bench::proxy::Proxy;
use tempfile::TempDir;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::script;
use super::server::Server;
use crate::phase::{Phase, Running, Used, patience, told};
use crate::run::Phases;
use peerd_tests::bench::rows::{Rows, TYPES};

/// How often a worker is looked for, whose start is not counted.
const LOOK: Duration = Duration::from_millis(2);

/// A publisher and a subscriber.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) publisher: Server,
    pub(crate) subscriber: Server,
    pub(crate) there: Client,
    pub(crate) here: Client,
    /// What the subscriber comes through, where that is counted.
    pub(crate) way: Option<Proxy>,
    scripts: TempDir,
}

impl Replica {
    /// Two servers with empty tables.
    pub(crate) async fn start(programs: &Path, rows: &Rows) -> anyhow::Result<Replica> {
        let publisher = Server::start(programs).await?;
        let subscriber = Server::start(programs).await?;
        let (here, there) = (publisher.connect().await?, subscriber.connect().await?);
        for client in [&here, &there] {
            for name in TYPES {
                client.batch_execute(&script::table(rows, name)).await?;
            }
        }
        here.batch_execute(&format!("CREATE PUBLICATION bench FOR TABLE {}", TYPES[0]))
            .await?;
        Ok(Replica {
            publisher,
            subscriber,
            there,
            here,
            way: None,
            scripts: tempfile::tempdir()?,
        })
    }

    /// The same through a proxy that counts bytes.
    pub(crate) async fn counted(programs: &Path, rows: &Rows) -> anyhow::Result<Replica> {
        let mut replica = Replica::start(programs, rows).await?;
        let target = (std::net::Ipv4Addr::LOCALHOST, replica.publisher.port()).into();
        replica.way = Some(Proxy::start(target, Duration::ZERO).await?);
        Ok(replica)
    }

    /// Begins to follow the first table.
    pub(crate) async fn subscribe(&self) -> anyhow::Result<()> {
        let port = match &self.way {
            Some(way) => way.address.port(),
            None => self.publisher.port(),
        };
        let subscribe = format!(
            "CREATE SUBSCRIPTION bench CONNECTION '{}' PUBLICATION bench WITH (synchronous_commit = 'on')",
            Server::address_by(port)
        );
        Ok(self.there.batch_execute(&subscribe).await?)
    }

    /// Follows another table too.
    pub(super) async fn follow_also(&self, table: &str) -> anyhow::Result<()> {
        let publish = format!("ALTER PUBLICATION bench ADD TABLE {table}");
        self.here.batch_execute(&publish).await?;
        let refresh = "ALTER SUBSCRIPTION bench REFRESH PUBLICATION";
        Ok(self.there.batch_execute(refresh).await?)
    }

    fn used(&self) -> anyhow::Result<Used> {
        Ok([
            cpu::of_ended_children()?,
            self.publisher.cpu_seconds()?,
            self.subscriber.cpu_seconds()?,
        ])
    }

    pub(super) fn script(&self, name: &str) -> PathBuf {
        self.scripts.path().join(name)
    }

    pub(super) async fn mark(&self, rows: &Rows, table: &str, mark: &str) -> anyhow::Result<()> {
        let key = script::is(rows, &rows.keys[0]);
        let update = format!("UPDATE {table} SET {} = '{mark}' WHERE {key}", rows.text);
        Ok(self.here.batch_execute(&update).await?)
    }

    pub(super) async fn arrived(&self, rows: &Rows, table: &str, mark: &str) -> anyhow::Result<()> {
        let key = script::is(rows, &rows.keys[0]);
        let select = format!("SELECT {} FROM {table} WHERE {key}", rows.text);
        let seen = async || Ok(self.one(&select).await?.as_deref() == Some(mark));
        within(patience(rows), mark, seen).await
    }

    /// The one value of a query at the subscriber.
    async fn one(&self, query: &str) -> anyhow::Result<Option<String>> {
        for message in self.there.simple_query(query).await? {
            if let SimpleQueryMessage::Row(row) = message {
                return Ok(row.get(0).map(str::to_owned));
            }
        }
        Ok(None)
    }

    /// Whether the first copy of a table is done.
    pub(super) async fn is_copied(&self, table: &str) -> anyhow::Result<bool> {
        let state = format!("SELECT srsubstate FROM pg_subscription_rel WHERE srrelid = '{table}'::regclass");
        Ok(matches!(
            self.one(&state).await?.as_deref(),
            Some("f" | "s" | "r")
        ))
    }
}

/// Runs the phases on two servers.
pub(crate) async fn through_postgres(replica: &Replica, rows: &Rows) -> anyhow::Result<Phases> {
    let [stored, live] = TYPES;
    let (all, other, part) = (
        replica.script("all.sql"),
        replica.script("changed.sql"),
        replica.script("part.sql"),
    );
    script::copy(&rows.all, stored, &all)?;
    let load = {
        let running = Running::start(replica.used()?);
        replica.publisher.run(&all).await?;
        let seconds = running.seconds();
        told("load", running.end(seconds, rows.count, replica.used()?))
    };
    let bootstrap = bootstrap(replica, rows, stored).await?;
    replica.follow_also(live).await?;
    eventually("a second table", async || replica.is_copied(live).await).await?;
    script::copy(&rows.all, live, &all)?;
    let live = followed(replica, rows, (live, "live"), &all).await?;
    script::upsert(rows, &rows.changed, stored, &other)?;
    let updates = followed(replica, rows, (stored, "updates"), &other).await?;
    replica
        .there
        .batch_execute("ALTER SUBSCRIPTION bench DISABLE")
        .await?;
    script::upsert(rows, &rows.part, stored, &part)?;
    replica.publisher.run(&part).await?;
    replica.mark(rows, stored, "catch-up").await?;
    let catch_up = catch_up(replica, rows, stored).await?;
    Ok(Phases {
        load,
        bootstrap,
        live,
        updates,
        catch_up,
        memory_mib: None,
    })
}

/// The first copy of a table, from when it is seen to be under way.
async fn bootstrap(replica: &Replica, rows: &Rows, table: &str) -> anyhow::Result<Phase> {
    let mut running = Running::start(replica.used()?);
    replica.subscribe().await?;
    let under_way = "SELECT pid FROM pg_stat_progress_copy WHERE tuples_processed > 0";
    let mut interval = tokio::time::interval(LOOK);
    while replica.one(under_way).await?.is_none() && !replica.is_copied(table).await? {
        running.restart_clock();
        interval.tick().await;
    }
    within(patience(rows), "the first copy", async || {
        replica.is_copied(table).await
    })
    .await?;
    let seconds = running.seconds();
    Ok(told(
        "bootstrap",
        running.end(seconds, rows.count, replica.used()?),
    ))
}

/// What changed meanwhile, from when a worker is seen to be there again.
async fn catch_up(replica: &Replica, rows: &Rows, table: &str) -> anyhow::Result<Phase> {
    let mut running = Running::start(replica.used()?);
    replica
        .there
        .batch_execute("ALTER SUBSCRIPTION bench ENABLE")
        .await?;
    let working = "SELECT pid FROM pg_stat_subscription WHERE pid IS NOT NULL";
    let mut interval = tokio::time::interval(LOOK);
    while replica.one(working).await?.is_none() {
        running.restart_clock();
        interval.tick().await;
    }
    replica.arrived(rows, table, "catch-up").await?;
    let seconds = running.seconds();
    Ok(told(
        "catch-up",
        running.end(seconds, rows.part_count(), replica.used()?),
    ))
}

/// A load while the subscriber follows, until it has all.
async fn followed(
    replica: &Replica,
    rows: &Rows,
    (table, name): (&str, &str),
    script: &Path,
) -> anyhow::Result<Phase> {
    let running = Running::start(replica.used()?);
    replica.publisher.run(script).await?;
    replica.mark(rows, table, name).await?;
    replica
        .arrived(rows, table, name)
        .await
        .context("what was written")?;
    let seconds = running.seconds();
    Ok(told(name, running.end(seconds, rows.count, replica.used()?)))
}
