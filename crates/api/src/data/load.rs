//! Loads: rows come in while answers go out.
//!
//! The load runs inside its answer stream, so it goes on only while the caller takes answers, and takes rows only while
//! no others wait: that is the back-pressure. It ends with the call.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt as _, stream};
use peerd_node::object::{Content, Line, Load, LoadHeader};
use peerd_node::{Caller, Node};
use peerd_wire::data::v1 as pb;
use peerd_wire::data::v1::load_objects_request::Part;
use peerd_wire::data::v1::load_row;
use tonic::{Status, Streaming};

use super::object::security;
use crate::parse;
use crate::refuse::{field, told};
use crate::view::data as view;

/// The most rows of one message.
const ROWS_MAX: usize = 10_000;

/// What goes out during a load.
pub(crate) type Answers = Pin<Box<dyn Stream<Item = Result<pb::LoadObjectsResponse, Status>> + Send>>;

/// Begins a load with the header, which comes first.
pub(super) async fn run(
    node: Arc<Node>,
    caller: Caller,
    mut parts: Streaming<pb::LoadObjectsRequest>,
) -> Result<Answers, Status> {
    let first = parts.message().await?.and_then(|message| message.part);
    let Some(Part::Header(header)) = first else {
        return Err(field("header", "must come first"));
    };
    let load = node.begin_load(&caller, read_header(header)?).await;
    let running = Some(Running {
        load: load.map_err(told)?,
        parts,
        whole: false,
    });
    Ok(Box::pin(stream::unfold(running, |running| async {
        let mut running = running?;
        match running.next().await {
            Ok(Some(answer)) => Some((Ok(answer), Some(running))),
            Ok(None) => None,
            Err(status) => Some((Err(status), None)),
        }
    })))
}

struct Running {
    load: Load,
    parts: Streaming<pb::LoadObjectsRequest>,
    /// Whether the last answer was given.
    whole: bool,
}

impl Running {
    /// The next answer: after each commit, for rejections, and at the end.
    async fn next(&mut self) -> Result<Option<pb::LoadObjectsResponse>, Status> {
        let mut ended = false;
        while !self.whole {
            if self.load.has_rejections() {
                return Ok(Some(view::progress(self.load.progress())));
            }
            if ended && !self.load.is_running() {
                self.whole = true;
                return Ok(Some(view::progress(self.load.progress())));
            }
            tokio::select! {
                durable = self.load.step(), if self.load.is_running() => {
                    durable.map_err(told)?;
                    return Ok(Some(view::progress(self.load.progress())));
                }
                part = self.parts.next(), if !ended && !self.load.has_waiting() => match part {
                    Some(part) => self.load.offer(read_rows(part?)?).map_err(told)?,
                    None => ended = true,
                },
            }
        }
        Ok(None)
    }
}

fn read_header(header: pb::LoadHeader) -> Result<LoadHeader, Status> {
    let pb::LoadHeader {
        space,
        object_type,
        columns,
        ignore_extra,
        nulls,
        key_from,
        classification,
        markings,
    } = header;
    parse::reference("space", &space)?;
    parse::reference("object_type", &object_type)?;
    let security = security(&classification, &markings)?;
    Ok(LoadHeader {
        space,
        object_type,
        columns,
        ignore_extra,
        nulls,
        key_from,
        security,
    })
}

fn read_rows(message: pb::LoadObjectsRequest) -> Result<Vec<Line>, Status> {
    let Some(Part::Rows(pb::LoadRows { rows })) = message.part else {
        return Err(field("rows", "required after the header"));
    };
    if rows.len() > ROWS_MAX {
        return Err(field("rows", format_args!("at most {ROWS_MAX} a message")));
    }
    rows.into_iter().map(read_row).collect()
}

fn read_row(row: pb::LoadRow) -> Result<Line, Status> {
    let pb::LoadRow { line, content } = row;
    let content = match content {
        Some(load_row::Content::Cells(pb::Cells { values })) => Content::Cells(values),
        Some(load_row::Content::Json(json)) => Content::Json(json),
        None => return Err(field("content", format_args!("required, line {line}"))),
    };
    Ok(Line {
        number: line,
        content,
    })
}
