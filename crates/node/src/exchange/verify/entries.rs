//! Two runs of entries, side by side.

use std::collections::{BTreeSet, VecDeque};

use peerd_core::LinkId;

use super::digest::{ItemHash, bucket_of};
use super::held::HeldWalk;
use super::{Answer, Entry, Question, misbehaved};
use crate::exchange::Flow;
use crate::{Error, Node};

/// An object that is not the same on both sides at first sight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suspect {
    pub(super) key: String,
    /// The hash of what was offered, and whether that did not come to the exporter over this connection.
    pub(super) offered: Option<(ItemHash, bool)>,
}

/// The entries of both sides in the buckets that differ, page by page, in the order of keys.
pub(super) struct SideBySide<'a> {
    node: &'a Node,
    link: LinkId,
    flow: &'a Flow,
    buckets: BTreeSet<u16>,
    theirs: VecDeque<Entry>,
    /// The last key that arrived.
    last: Option<String>,
    /// Whether more may come after it.
    more: bool,
    ours: VecDeque<Entry>,
    walk: Option<HeldWalk<'a>>,
}

impl<'a> SideBySide<'a> {
    pub(super) fn new(
        node: &'a Node,
        link: LinkId,
        flow: &'a Flow,
        buckets: BTreeSet<u16>,
    ) -> SideBySide<'a> {
        SideBySide {
            node,
            link,
            flow,
            buckets,
            theirs: VecDeque::new(),
            last: None,
            more: true,
            ours: VecDeque::new(),
            walk: Some(HeldWalk::new(node, flow)),
        }
    }

    /// The next suspect; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Suspect>, Error> {
        loop {
            self.fill_theirs().await?;
            self.fill_ours().await?;
            let (theirs, ours) = (self.theirs.front(), self.ours.front());
            let theirs_first = match (theirs, ours) {
                (None, None) => return Ok(None),
                (Some(_), None) => Some(true),
                (None, Some(_)) => Some(false),
                (Some(theirs), Some(ours)) if theirs.key == ours.key => None,
                (Some(theirs), Some(ours)) => Some(theirs.key < ours.key),
            };
            let entry = match theirs_first {
                Some(false) => self.ours.pop_front().map(|entry| (entry, None)),
                Some(true) => self.theirs.pop_front().map(offered),
                None => {
                    let ours = self.ours.pop_front();
                    let theirs = self.theirs.pop_front();
                    theirs
                        .filter(|theirs| ours.is_some_and(|ours| ours.hash != theirs.hash))
                        .map(offered)
                }
            };
            if let Some((Entry { key, .. }, offered)) = entry {
                return Ok(Some(Suspect { key, offered }));
            }
        }
    }

    async fn fill_theirs(&mut self) -> Result<(), Error> {
        while self.theirs.is_empty() && self.more {
            let question = Question::Entries {
                flow: self.flow.clone(),
                buckets: self.buckets.clone(),
                after: self.last.clone(),
            };
            let Answer::Entries { entries, more } = self.node.ask(self.link, question).await? else {
                return Err(misbehaved("the answer is to another question"));
            };
            for Entry { key, .. } in &entries {
                if self.last.as_ref().is_some_and(|last| last >= key) {
                    return Err(misbehaved("the entries are not in the order of keys"));
                }
                self.last = Some(key.clone());
            }
            if more && entries.is_empty() {
                return Err(misbehaved("more was to come after nothing"));
            }
            self.more = more;
            self.theirs = entries.into();
        }
        Ok(())
    }

    async fn fill_ours(&mut self) -> Result<(), Error> {
        while self.ours.is_empty()
            && let Some(walk) = &mut self.walk
        {
            match walk.next().await? {
                None => self.walk = None,
                Some(page) => {
                    let wanted = |entry: &Entry| self.buckets.contains(&bucket_of(&entry.key));
                    self.ours.extend(page.into_iter().filter(wanted));
                }
            }
        }
        Ok(())
    }
}

fn offered(entry: Entry) -> (Entry, Option<(ItemHash, bool)>) {
    let offered = Some((entry.hash, entry.home));
    (entry, offered)
}
