//! The engine against a model that is too simple to be wrong.

use std::ops::RangeBounds;

use peerd_core::SpaceId;
use proptest::prelude::*;

use super::*;
use crate::read::Keys;
use crate::{AuditEntry, Sequence, read};

/// Committed state as one plain map.
#[derive(Debug, Default)]
struct State(BTreeMap<(Table, Bytes), Entry>);

impl State {
    fn apply(&mut self, writes: &Writes) {
        for (table, records) in &writes.tables {
            for (key, entry) in records {
                match entry {
                    Some(entry) => self.0.insert((*table, key.clone()), entry.clone()),
                    None => self.0.remove(&(*table, key.clone())),
                };
            }
        }
    }
}

impl View for State {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Entry>, Error> {
        Ok(self.0.get(&(table, Bytes::copy_from_slice(key))).cloned())
    }

    fn scan(&self, table: Table, keys: &Keys, limit: usize) -> Result<Vec<(Bytes, Entry)>, Error> {
        let within = self
            .0
            .iter()
            .filter(|((t, key), _)| *t == table && RangeBounds::<[u8]>::contains(&keys.bounds(), key));
        Ok(within
            .take(limit)
            .map(|((_, key), e)| (key.clone(), e.clone()))
            .collect())
    }

    fn count(&self, table: Table, keys: &Keys) -> Result<u64, Error> {
        Ok(self.scan(table, keys, usize::MAX)?.len() as u64)
    }

    fn last(&self, table: Table, keys: &Keys) -> Result<Option<Bytes>, Error> {
        Ok(self.scan(table, keys, usize::MAX)?.pop().map(|(key, _)| key))
    }
}

/// What a store is, said with lists.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    revision: u64,
    records: BTreeMap<(Table, Bytes), (u64, Bytes)>,
    feeds: BTreeMap<FeedId, Vec<(u64, Bytes)>>,
    audit: Vec<Bytes>,
}

impl Model {
    fn commit(&mut self, batch: &Batch) -> Result<u64, ()> {
        for op in batch.ops() {
            if let Op::Expect(table, key, expect) = op {
                let found = self
                    .records
                    .get(&(*table, key.clone()))
                    .map(|(revision, _)| Revision(*revision));
                let wanted = match expect {
                    Expect::Absent => None,
                    Expect::At(revision) => Some(*revision),
                };
                if found != wanted {
                    return Err(());
                }
            }
        }
        for op in batch.ops() {
            match op {
                Op::Expect(..) => {}
                Op::Put(table, key, value) => self.put(*table, key, value),
                Op::Delete(table, key) => drop(self.records.remove(&(*table, key.clone()))),
                Op::PutInFeed(feed, key, value) => {
                    self.put(Table::Objects, key, value);
                    let changes = self.feeds.entry(feed.clone()).or_default();
                    changes.retain(|(_, other)| other != key);
                    changes.push((self.revision, key.clone()));
                }
                Op::DeleteFromFeed(feed, key) => {
                    self.records.remove(&(Table::Objects, key.clone()));
                    let changes = self.feeds.entry(feed.clone()).or_default();
                    changes.retain(|(_, other)| other != key);
                }
                Op::Audit(body) => {
                    self.revision += 1;
                    self.audit.push(body.clone());
                }
            }
        }
        Ok(self.revision)
    }

    fn put(&mut self, table: Table, key: &Bytes, value: &Bytes) {
        self.revision += 1;
        self.records
            .insert((table, key.clone()), (self.revision, value.clone()));
    }
}

fn feed(n: u8) -> FeedId {
    FeedId {
        space: SpaceId::from_bytes([1; 16]),
        object_type: "t".repeat(usize::from(n) + 1),
    }
}

/// An object belongs to one feed for its life: its key says which.
fn object(feed: u8, n: u8) -> Bytes {
    vec![feed, n].into()
}

fn op() -> impl Strategy<Value = Op> {
    let table = prop_oneof![Just(Table::Links), Just(Table::Jobs)];
    let expect = prop_oneof![
        Just(Expect::Absent),
        (0..40_u64).prop_map(|n| Expect::At(Revision(n)))
    ];
    let value = any::<u8>().prop_map(|n| Bytes::from(vec![n]));
    prop_oneof![
        1 => (table.clone(), 0..3_u8, expect.clone()).prop_map(|(t, k, e)| Op::Expect(t, vec![k].into(), e)),
        1 => (0..2_u8, 0..3_u8, expect).prop_map(|(f, k, e)| Op::Expect(Table::Objects, object(f, k), e)),
        4 => (table.clone(), 0..3_u8, value.clone()).prop_map(|(t, k, v)| Op::Put(t, vec![k].into(), v)),
        2 => (table, 0..3_u8).prop_map(|(t, k)| Op::Delete(t, vec![k].into())),
        6 => (0..2_u8, 0..3_u8, value.clone()).prop_map(|(f, k, v)| Op::PutInFeed(feed(f), object(f, k), v)),
        3 => (0..2_u8, 0..3_u8).prop_map(|(f, k)| Op::DeleteFromFeed(feed(f), object(f, k))),
        2 => value.prop_map(Op::Audit),
    ]
}

fn batch() -> impl Strategy<Value = Batch> {
    prop::collection::vec(op(), 0..6).prop_map(Batch::from_ops)
}

/// Whether the engine's state says what the model says, read the way stores read.
fn assert_same(state: &State, model: &Model) {
    for table in [Table::Links, Table::Jobs, Table::Objects] {
        let is = state.0.iter().filter(|((t, _), _)| *t == table);
        let is: Vec<_> = is
            .map(|(k, e)| (k.clone(), (e.revision.0, e.value.clone())))
            .collect();
        let should = model.records.iter().filter(|((t, _), _)| *t == table);
        let should: Vec<_> = should.map(|(k, v)| (k.clone(), v.clone())).collect();
        assert_eq!(is, should);
    }
    for n in 0..2 {
        let should = model.feeds.get(&feed(n)).cloned().unwrap_or_default();
        let is = read::changes(state, &feed(n), Sequence(0), usize::MAX).unwrap();
        let is: Vec<_> = is.into_iter().map(|c| (c.sequence.0, c.key)).collect();
        assert_eq!(is, should);
        let head = should.last().map_or(0, |(sequence, _)| *sequence);
        assert_eq!(read::head(state, &feed(n)).unwrap(), Sequence(head));
    }
    let chain: Vec<AuditEntry> = read::audit(state, 1, usize::MAX).unwrap();
    let bodies: Vec<_> = chain.iter().map(|entry| entry.body.clone()).collect();
    assert_eq!(bodies, model.audit);
}

proptest! {
    #[test]
    fn groups_of_batches_do_what_batches_one_by_one_would(
        groups in prop::collection::vec(prop::collection::vec(batch(), 1..5), 1..8)
    ) {
        let (mut state, mut heads, mut model) = (State::default(), Heads::default(), Model::default());
        for batches in groups {
            let mut group = Group::new(&state, heads, None);
            for batch in batches {
                let should = model.commit(&batch);
                let is = group.stage(batch).map(|committed| committed.revision.0);
                prop_assert_eq!(is.map_err(|_| ()), should);
            }
            let (writes, next) = group.finish();
            state.apply(&writes);
            heads = next;
            assert_same(&state, &model);
            prop_assert_eq!(heads.audit, read::audit_head(&state).unwrap());
        }
    }
}
