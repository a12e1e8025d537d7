//! Single updates between two servers, and other work beside them.

use std::sync::Arc;
use std::time::Duration;

use peerd_tests::bench::rows::{Rows, TYPES};
use tokio_postgres::{Client, Statement};

use super::run::Replica;
use super::{BATCH_ROWS, script};
use crate::latency::{Edited, OBJECTS};

/// Two servers with statements that are prepared.
#[derive(Clone)]
pub(crate) struct Sides {
    here: Arc<Client>,
    there: Arc<Client>,
    update: Statement,
    select: Statement,
    keys: Arc<[String]>,
}

impl Sides {
    /// Rows whose key is one column.
    pub(crate) async fn of(replica: &Replica, rows: &Rows) -> anyhow::Result<Sides> {
        let (here, there) = (
            replica.publisher.connect().await?,
            replica.subscriber.connect().await?,
        );
        let (table, text, key) = (TYPES[0], rows.text, rows.key_from[0]);
        let update = format!("UPDATE {table} SET {text} = $1 WHERE {key} = $2");
        let select = format!("SELECT {text} FROM {table} WHERE {key} = $1");
        Ok(Sides {
            update: here.prepare(&update).await?,
            select: there.prepare(&select).await?,
            here: Arc::new(here),
            there: Arc::new(there),
            keys: rows.keys.iter().take(OBJECTS).cloned().collect(),
        })
    }
}

impl Edited for Sides {
    async fn edit(&self, object: usize, text: String) -> anyhow::Result<()> {
        self.here
            .execute(&self.update, &[&text, &self.keys[object]])
            .await?;
        Ok(())
    }

    async fn text(&self, object: usize) -> anyhow::Result<Option<String>> {
        let row = self.there.query_opt(&self.select, &[&self.keys[object]]).await?;
        Ok(row.and_then(|row| row.get(0)))
    }
}

/// Updates rows at a rate, those that are edited left out, until it is dropped or has no more.
pub(crate) async fn busy(replica: &Replica, rows: &Rows, rows_per_second: f64) -> anyhow::Result<()> {
    let client = replica.publisher.connect().await?;
    let period = Duration::from_secs_f64(500.0 / rows_per_second);
    let mut interval = tokio::time::interval(period);
    for statement in script::upserts(rows, &rows.all, TYPES[0])?.skip(OBJECTS / BATCH_ROWS) {
        interval.tick().await;
        client.batch_execute(&statement?).await?;
    }
    Ok(())
}
