//! Batches that are made and not handed out: what they need written is on its way to the disk.

use std::collections::VecDeque;
use std::pin::Pin;

use futures::future::{BoxFuture, MaybeDone, maybe_done};

use super::draft::Draft;
use crate::Error;

/// So many batches are made ahead.
const AHEAD_MAX: usize = 3;

/// A batch that is made.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) draft: Draft,
    /// Whether nothing more was waiting when it was made.
    pub(super) last: bool,
    /// Whether it says anything.
    pub(super) speaks: bool,
}

/// The batches that are made, in order.
#[derive(Default)]
pub(super) struct Planned(VecDeque<(Plan, MaybeDone<Writing>)>);

type Writing = BoxFuture<'static, Result<(), Error>>;

impl Planned {
    pub(super) fn has_room(&self) -> bool {
        self.0.len() < AHEAD_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a batch and begins to write what it needs.
    pub(super) async fn add(&mut self, plan: Plan, writing: Writing) {
        self.0.push_back((plan, maybe_done(writing)));
        if let Some((_, writing)) = self.0.back_mut() {
            // Polled once, the write is in the store's queue; it does not wait here.
            let _ = futures::poll!(Pin::new(writing));
        }
    }

    /// Waits for the first batch to be written, if there is one. May be cancelled: it is there at the next call.
    pub(super) async fn written(&mut self) -> Result<Option<Plan>, Error> {
        let Some((_, writing)) = self.0.front_mut() else {
            return Ok(None);
        };
        Pin::new(&mut *writing).await;
        let written = Pin::new(writing).take_output();
        let plan = self.0.pop_front().map(|(plan, _)| plan);
        written.unwrap_or(Ok(())).map(|()| plan)
    }

    /// Gives up all of them. What was to be written may be written: it harms nothing.
    pub(super) fn give_up(&mut self) {
        self.0.clear();
    }
}

impl std::fmt::Debug for Planned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(plan, _)| plan))
            .finish()
    }
}
