//! Loading the rows of a backing source.
//!
//! A load is driven by whoever feeds it: [`Load::offer`] takes some rows, [`Load::step`] waits for one commit. Several
//! batches are on their way at once, so that the store can write them as one group; no two of them have a key in
//! common, because a key is taken once in a load. What was counted is durable.
//!
//! A load raises the security of what is there already, it never lowers it: that is a decision of its own.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use peerd_core::audit::Fact;
use peerd_core::authz::Action;
use peerd_core::object::{Hlc, ObjectKey, ObjectState, PlainState, Provenance, Refused};
use peerd_core::security::{Levels, Security};
use peerd_core::value::Row;
use peerd_core::{Reason, SpaceId};
use peerd_store::{Batch, Entry, Expect, FeedId, Found, Table};

use self::plan::Plan;
use self::seen::Seen;
use super::stored::{self, PlainOutcome, Stored, StoredRef, encode_plain, feed_of, key_in, put_in_feed};
use crate::{Caller, Error, Node};

mod plan;
mod seen;

/// One commit has at most so many rows,
const BATCH_ROWS_MAX: usize = 500;
/// and ends when it has so many bytes.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// So many commits are on their way at once.
const BATCHES_MAX: usize = 4;
/// So many rows can be in one load: their keys are remembered, to find those that come twice.
const ROWS_MAX: usize = 4 << 20;
/// So many rejections are told in one answer,
const REJECTIONS_PER_ANSWER: usize = 100;
/// and so many in all.
const REJECTIONS_MAX: u64 = 1_000;

/// What a load starts with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadHeader {
    /// Name or id of the space.
    pub space: String,
    /// The object type.
    pub object_type: String,
    /// The columns of rows that come as cells.
    pub columns: Vec<String>,
    /// Whether columns and keys that are no properties are ignored instead of refused.
    pub ignore_extra: bool,
    /// Texts that mean null, beside the empty cell.
    pub nulls: Vec<String>,
    /// The columns that make the primary key, joined with `|`; empty when it has a column of its own.
    pub key_from: Vec<String>,
    /// The least classification and markings of the objects.
    pub security: Security,
}

/// A row as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its line number in the source.
    pub number: u64,
    /// What it says.
    pub content: Content,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// One text per column.
    Cells(Vec<String>),
    /// A JSON object by property name.
    Json(String),
}

/// A row that was not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Its line number.
    pub line: u64,
    /// Why, for programs.
    pub reason: Reason,
    /// Why, in words that name the property.
    pub message: String,
}

/// How far a load is. Counts are totals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadProgress {
    /// Rows that are dealt with: the sum of the other three.
    pub read: u64,
    /// Objects written.
    pub written: u64,
    /// Rows equal to what is there.
    pub unchanged: u64,
    /// Rows rejected.
    pub rejected: u64,
    /// Rejections that were not told before.
    pub rejections: Vec<Rejection>,
}

/// A load that was begun.
pub struct Load {
    node: Arc<Node>,
    target: Arc<Target>,
    plan: Plan,
    seen: Seen,
    waiting: VecDeque<Vec<Prepared>>,
    running: FuturesUnordered<BoxFuture<'static, Result<Settled, Error>>>,
    settled: Settled,
    /// How many rejections were told.
    told: u64,
}

/// Where rows go.
#[derive(Debug)]
struct Target {
    space: SpaceId,
    feed: FeedId,
    security: Security,
    levels: Levels,
}

/// A row that fits the type.
#[derive(Clone, Debug)]
struct Prepared {
    line: u64,
    key: ObjectKey,
    row: Row,
}

/// What became of rows.
#[derive(Debug, Default)]
struct Settled {
    written: u64,
    unchanged: u64,
    rejected: u64,
    rejections: VecDeque<Rejection>,
}

impl Settled {
    fn reject(&mut self, line: u64, error: &Error) {
        self.rejected += 1;
        if self.rejected <= REJECTIONS_MAX {
            self.rejections.push_back(Rejection {
                line,
                reason: error.reason(),
                message: error.told().to_owned(),
            });
        }
    }

    fn add(&mut self, other: Settled) {
        self.written += other.written;
        self.unchanged += other.unchanged;
        self.rejected += other.rejected;
        self.rejections.extend(other.rejections);
    }
}

impl Node {
    /// Begins a load.
    pub async fn begin_load(self: &Arc<Node>, caller: &Caller, header: LoadHeader) -> Result<Load, Error> {
        let LoadHeader {
            space,
            object_type,
            columns,
            ignore_extra,
            nulls,
            key_from,
            security,
        } = header;
        let (space, of) = self
            .writable(caller, Action::ObjectLoad, &space, &object_type)
            .await?;
        self.check_security(&security).await?;
        let target = Target {
            space: space.id,
            feed: feed_of(space.id, &of.name),
            security,
            levels: self.levels().await?,
        };
        let plan = Plan::new(of, columns, key_from, nulls, ignore_extra)?;
        let fact = Fact::of_call(self.now(), caller.principal(), Action::ObjectLoad)
            .on(space.id)
            .detail("object_type", &target.feed.object_type)
            .detail("security", &target.security);
        let mut batch = Batch::new();
        crate::audit::record(&mut batch, &fact)?;
        self.commit(batch).await?;
        Ok(Load {
            node: Arc::clone(self),
            target: Arc::new(target),
            plan,
            seen: Seen::new(),
            waiting: VecDeque::new(),
            running: FuturesUnordered::new(),
            settled: Settled::default(),
            told: 0,
        })
    }

    async fn load_batch(&self, target: &Target, rows: &[Prepared]) -> Result<Settled, Error> {
        self.retrying(|| self.try_load(target, rows)).await
    }

    async fn try_load(&self, target: &Target, rows: &[Prepared]) -> Result<Settled, Error> {
        let mut batch = Batch::read_at(self.store.horizon());
        let places = rows.iter().map(|row| key_in(&target.feed, row.key.primary_key()));
        let places: Vec<Bytes> = places.collect();
        let found = self.store.read_many(Table::Objects, &places).await?;
        let hlc = self.tick().await?;
        let mut settled = Settled::default();
        for ((row, place), entry) in rows.iter().zip(places).zip(found) {
            match self.loaded_plain(target, row, entry.as_ref(), hlc)? {
                Some(PlainOutcome::Write(bytes)) => {
                    let as_read = entry.map_or(Expect::Absent, |entry| Expect::At(entry.revision));
                    batch.expect(Table::Objects, place.clone(), as_read);
                    batch.put_in_feed(target.feed.clone(), place, bytes);
                    settled.written += 1;
                    continue;
                }
                Some(PlainOutcome::Unchanged) => {
                    settled.unchanged += 1;
                    continue;
                }
                None => {}
            }
            let before = entry.as_ref().map(stored::found).transpose()?;
            match self.loaded(target, row, before.as_ref(), hlc) {
                Ok(Some(after)) => {
                    put_in_feed(&mut batch, target.space, &row.key, &after, before.as_ref())?;
                    settled.written += 1;
                }
                Ok(None) => settled.unchanged += 1,
                Err(refused) => settled.reject(row.line, &refused.into()),
            }
        }
        if settled.written > 0 {
            self.commit(batch).await?;
        }
        Ok(settled)
    }

    /// What becomes of an object that is new, or was nothing but its row, with this row: what [`Node::loaded`] comes to,
    /// where the bytes lie. `None` where it takes a closer look.
    fn loaded_plain(
        &self,
        target: &Target,
        row: &Prepared,
        entry: Option<&Entry>,
        hlc: Hlc,
    ) -> Result<Option<PlainOutcome>, Error> {
        let (me, new) = (self.enrollment_id(), row.row.as_ref());
        if target.security != Security::unrestricted() {
            return Ok(None);
        }
        let Some(entry) = entry else {
            let plain = PlainState {
                origin: hlc,
                owner: me,
                version: hlc,
                row: new,
            };
            let bytes = encode_plain(Provenance::OWN, false, &plain);
            return Ok(Some(PlainOutcome::Write(bytes)));
        };
        let known = StoredRef::read(&entry.value)?;
        let Some(plain) = known.plain().filter(|plain| plain.owner == me) else {
            return Ok(None);
        };
        if plain.row == new {
            return Ok(Some(PlainOutcome::Unchanged));
        }
        let loaded = plain.loaded(new, hlc);
        Ok(loaded.map(|loaded| PlainOutcome::Write(encode_plain(known.provenance, false, &loaded))))
    }

    /// The object with this row; `None` when it is as it was.
    fn loaded(
        &self,
        target: &Target,
        row: &Prepared,
        before: Option<&Found<Stored>>,
        hlc: Hlc,
    ) -> Result<Option<Stored>, Refused> {
        let me = self.enrollment_id();
        let known = before.map(|found| found.record.clone());
        let mut after = known.unwrap_or_else(|| Stored::own(ObjectState::blank(hlc, me)));
        let mut changed = after.state.load_row(row.row.clone(), hlc, me)?;
        let security = after.state.security(&target.levels);
        let raised = security.clone().join(target.security.clone(), &target.levels);
        if raised != security {
            changed |= after.state.set_security(raised, hlc, me)?;
        }
        after.clean = false;
        Ok(changed.then_some(after))
    }
}

impl Load {
    /// Takes some rows. To be called when none are [waiting](Load::has_waiting), so that no more pile up.
    pub fn offer(&mut self, lines: Vec<Line>) -> Result<(), Error> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for line in lines {
            let number = line.number;
            let prepared = match self.prepare(line) {
                Ok(prepared) => prepared,
                Err(error) => {
                    self.settled.reject(number, &error);
                    continue;
                }
            };
            if self.seen.count() > ROWS_MAX {
                let told = format!("a load has at most {ROWS_MAX} rows; load the rest by another");
                return Err(Error::new(Reason::TooLarge, told));
            }
            bytes += prepared.row.as_bytes().len();
            batch.push(prepared);
            if batch.len() == BATCH_ROWS_MAX || bytes >= BATCH_BYTES_MAX {
                self.waiting.push_back(std::mem::take(&mut batch));
                bytes = 0;
            }
        }
        if !batch.is_empty() {
            self.waiting.push_back(batch);
        }
        self.start();
        Ok(())
    }

    /// Whether rows that were offered are not on their way yet.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether there is something to wait for.
    pub fn is_running(&self) -> bool {
        !self.running.is_empty()
    }

    /// Waits until one more batch is durable. An error is the end of the load: what was counted before stays.
    pub async fn step(&mut self) -> Result<(), Error> {
        if let Some(settled) = self.running.next().await {
            self.settled.add(settled?);
        }
        self.start();
        Ok(())
    }

    /// Whether there are rejections to tell.
    pub fn has_rejections(&self) -> bool {
        !self.settled.rejections.is_empty() && self.told < REJECTIONS_MAX
    }

    /// How far it is.
    pub fn progress(&mut self) -> LoadProgress {
        let Settled {
            written,
            unchanged,
            rejected,
            rejections,
        } = &mut self.settled;
        let room = usize::try_from(REJECTIONS_MAX - self.told).unwrap_or(0);
        let some = rejections.len().min(room).min(REJECTIONS_PER_ANSWER);
        self.told += some as u64;
        LoadProgress {
            read: *written + *unchanged + *rejected,
            written: *written,
            unchanged: *unchanged,
            rejected: *rejected,
            rejections: rejections.drain(..some).collect(),
        }
    }

    fn start(&mut self) {
        while self.running.len() < BATCHES_MAX
            && let Some(rows) = self.waiting.pop_front()
        {
            let (node, target) = (Arc::clone(&self.node), Arc::clone(&self.target));
            self.running
                .push(Box::pin(async move { node.load_batch(&target, &rows).await }));
        }
    }

    fn prepare(&mut self, line: Line) -> Result<Prepared, Error> {
        let Line { number, content } = line;
        let (key, row) = self.plan.read(&content)?;
        if !self.seen.insert(key.primary_key()) {
            let told = format!("this load had a row with the key {} before", key.primary_key());
            return Err(Error::new(Reason::KeyRepeated, told));
        }
        Ok(Prepared {
            line: number,
            key,
            row,
        })
    }
}

impl std::fmt::Debug for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Load")
            .field("target", &self.target)
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}
