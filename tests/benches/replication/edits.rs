//! Single edits between two daemons, and other work beside them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use peerd_tests::bench::operator::Operator;
use peerd_tests::bench::rows::{Rows, TYPES, lines};
use peerd_wire::data::v1 as data;
use peerd_wire::data::v1::load_objects_request::Part;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::latency::{Edited, OBJECTS};
use crate::pair::{Pair, SPACE};

/// So many rows come at once, as a commit has.
const BATCH_ROWS: usize = 500;
/// How many batches wait.
const QUEUE: usize = 2;

/// Two daemons, of which the importer is asked by an operator of its own.
#[derive(Clone, Debug)]
pub(crate) struct Sides {
    here: Operator,
    there: Operator,
    keys: Arc<[String]>,
    text: &'static str,
}

impl Sides {
    pub(crate) fn of(pair: &Pair, rows: &Rows) -> Sides {
        Sides {
            here: pair.source.operator.clone(),
            there: pair.importer.operator.clone(),
            keys: rows.keys.iter().take(OBJECTS).cloned().collect(),
            text: rows.text,
        }
    }
}

impl Edited for Sides {
    async fn edit(&self, object: usize, text: String) -> anyhow::Result<()> {
        let edit = (self.text, text.as_str());
        self.here.edit(SPACE, TYPES[0], &self.keys[object], edit).await
    }

    async fn text(&self, object: usize) -> anyhow::Result<Option<String>> {
        let found = self.there.object(SPACE, TYPES[0], &self.keys[object]).await?;
        let value = found.and_then(|mut object| object.properties.remove(self.text)?.kind);
        Ok(match value {
            Some(data::value::Kind::StringValue(text)) => Some(text),
            _ => None,
        })
    }
}

/// Loads rows at a rate, those that are edited left out, until it is dropped or has no more. What it loads differs from
/// what the updates left.
pub(crate) async fn busy(pair: &Pair, rows: &Rows, rows_per_second: f64) -> anyhow::Result<()> {
    let (wire, parts) = mpsc::channel(QUEUE);
    let header = data::LoadHeader {
        space: SPACE.to_owned(),
        object_type: TYPES[0].to_owned(),
        columns: rows.columns.iter().map(|(name, ..)| (*name).to_owned()).collect(),
        ..Default::default()
    };
    let part = |part| data::LoadObjectsRequest { part: Some(part) };
    wire.send(part(Part::Header(header))).await?;
    let file = rows.all.clone();
    let sending = async move {
        let mut interval = tokio::time::interval(Duration::from_secs_f64(500.0 / rows_per_second));
        let mut batch = Vec::with_capacity(BATCH_ROWS);
        for (line, text) in (0..).zip(lines(&file)?).skip(OBJECTS) {
            let values = text?.split(',').map(str::to_owned).collect();
            let content = Some(data::load_row::Content::Cells(data::Cells { values }));
            batch.push(data::LoadRow { line, content });
            if batch.len() == BATCH_ROWS {
                interval.tick().await;
                let rows = std::mem::take(&mut batch);
                wire.send(part(Part::Rows(data::LoadRows { rows }))).await?;
            }
        }
        anyhow::Ok(())
    };
    let mut objects = pair.source.operator.objects();
    let answering = async move {
        let mut answers = objects
            .load_objects(ReceiverStream::new(parts))
            .await?
            .into_inner();
        while answers.message().await.context("a load")?.is_some() {}
        Ok(())
    };
    tokio::try_join!(sending, answering)?;
    Ok(())
}
