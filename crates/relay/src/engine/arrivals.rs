//! What came: each bundle once, as it comes.

use std::sync::Arc;

use bytes::Bytes;
use peerd_core::link::Form as SetForm;
use peerd_core::relay::{Heard, Ledger};
use peerd_core::{EpochId, Reason};
use peerd_node::Error;
use peerd_node::connection::{self, Received};
use peerd_node::exchange::{Bundled, Flow, Unready};
use peerd_wire::frame::{Receipt, Sharing, Signed};
use peerd_wire::lifecycle;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::link::Running;
use super::schemas::Vocabulary;
use crate::inbox::CannotTake;
use crate::record::{KeyHash, Lifecycle, Objects, Refusal};
use crate::{Header, OpenForm, Opened, Opening, Records, Refused, peek, peek_flow, read};

/// So many refusals of objects wait to be told.
const REFUSALS_MAX: usize = 1_024;

/// A bundle that came.
enum Came {
    Opened(Box<Opened>),
    /// Its objects are of this type, whose schema is not here.
    Unread(Flow),
}

/// What became of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// It has had its effects, and is noted.
    Noted,
    /// It has had its effects.
    Done,
    /// It waits for something.
    Waits,
}

impl Running {
    /// Looks into the inbox when it is time, and takes what can be taken.
    pub(super) async fn take_arrivals(&mut self) -> Result<(), Error> {
        if self.due.look > Instant::now() && !self.due.retry_waiting {
            return Ok(());
        }
        let look = self.folders.look(self.shared.node.now()).await?;
        let pause = match look.unsettled {
            0 => self.shared.timing.poll,
            _ => self.shared.timing.settle.min(self.shared.timing.poll),
        };
        self.due.look = Instant::now() + pause;
        if look.full {
            tracing::warn!(link = %self.link.id, bytes = look.usage.bytes, "the inbox holds more than it may");
        }
        let mut moved = false;
        let retry = std::mem::take(&mut self.due.retry_waiting);
        for arrival in look.arrived {
            let waits = self.waiting.values().any(|name| *name == arrival.name);
            if waits && !retry {
                continue;
            }
            moved |= self.take_file(&arrival.name).await?;
        }
        self.counts.quarantined = self.folders.usage().await?.1.files as u64 / 2;
        if moved && !self.waiting.is_empty() {
            // What was taken may be what others wait for.
            self.due.retry_waiting = true;
        }
        Ok(())
    }

    /// Takes a file. Answers whether something came of it that others may wait for.
    async fn take_file(&mut self, name: &str) -> Result<bool, Error> {
        let bytes = match self.folders.read(name).await? {
            Ok(bytes) => bytes,
            Err(CannotTake::Gone | CannotTake::Changes | CannotTake::NoFile) => return Ok(false),
            Err(CannotTake::TooLarge { bytes, max }) => {
                let detail = format!("the file has {bytes} bytes, and {max} is the most");
                let refused = Refused {
                    reason: Reason::BundleTooLarge,
                    detail,
                };
                self.refuse(name, refused).await?;
                return Ok(false);
            }
            Err(CannotTake::Broken(broken)) => {
                return Err(Error::new(Reason::StoreUnavailable, broken.to_string()));
            }
        };
        let opened = match self.open_bundle(bytes.clone()).await? {
            Ok(opened) => opened,
            Err(refused) if refused.waits() => return self.take_unread(name, bytes).await,
            Err(refused) => {
                self.refuse(name, refused).await?;
                return Ok(false);
            }
        };
        self.counts.heard_at = Some(self.shared.node.now());
        if opened.header.kind.is_lasting() {
            let header = opened.header.clone();
            self.take_lasting(name, &header, Came::Opened(Box::new(opened)))
                .await
        } else {
            self.take_passing(opened).await?;
            self.folders.done(name).await?;
            Ok(false)
        }
    }

    /// Takes a file of objects whose schema is not here: the sharing that has it is still to come, or the type does not
    /// come in any more. Its header and its scope were verified.
    async fn take_unread(&mut self, name: &str, bytes: Bytes) -> Result<bool, Error> {
        let peeked = spawn_blocking(move || Ok((peek(&bytes)?, peek_flow(&bytes)?)));
        let peeked: Result<_, Refused> = peeked
            .await
            .map_err(|error| Error::of(Reason::Internal).because(error))?;
        let (header, flow) = match peeked {
            Ok((header, Some(flow))) => (header, flow),
            Ok((_, None)) => return Ok(false),
            Err(refused) => {
                self.refuse(name, refused).await?;
                return Ok(false);
            }
        };
        self.counts.heard_at = Some(self.shared.node.now());
        self.take_lasting(name, &header, Came::Unread(flow)).await
    }

    async fn open_bundle(&self, bytes: Bytes) -> Result<Result<Opened, Refused>, Error> {
        let keys = self.link.remote.as_ref().map(|remote| remote.keys.clone());
        let (keys, limits) = (keys.unwrap_or_default(), self.limits());
        let (me, from, now) = (
            self.shared.node.enrollment_id(),
            self.them,
            self.shared.node.now(),
        );
        let (verifier, sealing) = (
            Arc::clone(&self.shared.verifier),
            Arc::clone(&self.shared.sealing),
        );
        let vocabulary = match self.set.form {
            SetForm::Sealed => None,
            SetForm::Xml => Some(self.vocabulary_of(bytes.clone()).await?),
        };
        let opening = spawn_blocking(move || {
            let opening = Opening {
                me,
                from,
                keys: &keys,
                verifier: &*verifier,
                now,
                form: match &vocabulary {
                    None => OpenForm::Sealed(&sealing),
                    Some(vocabulary) => OpenForm::Xml(vocabulary),
                },
                limits: &limits,
            };
            read(bytes, &opening)
        });
        opening
            .await
            .map_err(|error| Error::of(Reason::Internal).because(error))
    }

    /// What it takes to read a file: what the other side published on the connection that the file says it is of. Where
    /// the file lies, it does not verify.
    async fn vocabulary_of(&self, bytes: Bytes) -> Result<Vocabulary, Error> {
        let peeked = spawn_blocking(move || peek_flow(&bytes)).await;
        let peeked = peeked.map_err(|error| Error::of(Reason::Internal).because(error))?;
        let Ok(Some(flow)) = peeked else {
            return Ok(Vocabulary::default());
        };
        let there = self.shared.node.published_there(&self.peer, flow.connection);
        Ok(Vocabulary::of(flow.connection, there.await?))
    }

    /// A file that is not taken is put aside, counted and audited.
    async fn refuse(&mut self, name: &str, refused: Refused) -> Result<(), Error> {
        let node = &self.shared.node;
        tracing::warn!(link = %self.link.id, file = name, %refused, "a file was put aside");
        self.counts.refused += 1;
        node.audit_bundle_refused(&self.link, name, refused.reason, &refused.detail)
            .await?;
        self.folders.put_aside(name, refused, node.now()).await
    }

    /// A bundle of the epoch's numbering.
    async fn take_lasting(&mut self, name: &str, header: &Header, came: Came) -> Result<bool, Error> {
        let Header {
            epoch,
            sequence,
            not_after,
            ..
        } = *header;
        if !self.is_current(EpochId::from_bytes(*epoch.as_bytes())).await? {
            self.counts.repeated += 1;
            self.folders.done(name).await?;
            return Ok(false);
        }
        let Some(ledger) = &mut self.ledger else {
            return Ok(false);
        };
        ledger.saw(sequence);
        if ledger.has(sequence) {
            // The other side may not know that it came.
            self.counts.repeated += 1;
            self.acknowledge_soon();
            self.folders.done(name).await?;
            return Ok(false);
        }
        let mut after = ledger.clone();
        after.take(sequence, not_after);
        let room = ledger.has_room(sequence);
        let taken = match came {
            Came::Opened(opened) if room => self.take_records(*opened, &after).await?,
            Came::Unread(flow) if room => self.let_go(&flow, header.schema_revision).await?,
            _ => Taken::Waits,
        };
        self.acknowledge_soon();
        if taken == Taken::Waits {
            self.waiting.insert(sequence, name.to_owned());
            return Ok(false);
        }
        self.waiting.remove(&sequence);
        if taken == Taken::Done {
            self.shared.node.relay_took(self.link.id, &after).await?;
        }
        let closed = after.taken.is_empty()
            && self
                .ledger
                .as_ref()
                .is_some_and(|ledger| !ledger.taken.is_empty());
        self.ledger = Some(after);
        if closed {
            self.shared.node.relay_unhear(self.link.id).await?;
        }
        self.folders.done(name).await?;
        Ok(true)
    }

    /// What becomes of objects that cannot be read.
    async fn let_go(&self, flow: &Flow, schema_revision: u64) -> Result<Taken, Error> {
        let node = &self.shared.node;
        let unready = node.relay_unready(&self.peer, flow, schema_revision).await?;
        Ok(match unready {
            Some(Unready::LetGo) => Taken::Done,
            // Where nothing stands against it now, the schema came meanwhile.
            Some(Unready::Waits) | None => Taken::Waits,
        })
    }

    /// Whether an epoch is the one that counts. A newer one takes the place of the one before it.
    pub(super) async fn is_current(&mut self, epoch: EpochId) -> Result<bool, Error> {
        let known = self.ledger.as_ref().map(|ledger| ledger.epoch);
        if known.is_some_and(|known| known > epoch) {
            return Ok(false);
        }
        if known != Some(epoch) {
            if known.is_some() {
                tracing::warn!(link = %self.link.id, "the other side began a new epoch: it sends everything anew");
            }
            let ledger = Ledger::new(epoch);
            self.shared.node.relay_took(self.link.id, &ledger).await?;
            self.shared.node.relay_unhear(self.link.id).await?;
            self.ledger = Some(ledger);
            self.waiting.clear();
        }
        Ok(true)
    }

    async fn take_records(&mut self, opened: Opened, after: &Ledger) -> Result<Taken, Error> {
        let Opened {
            header,
            records,
            numbers,
            dropped,
        } = opened;
        if !dropped.is_empty() {
            let (link, sequence, count) = (self.link.id, header.sequence, dropped.len());
            tracing::warn!(%link, sequence, count, "records were dropped on the way");
        }
        match records {
            Records::Lifecycle(records) => self.take_lifecycle(records).await,
            Records::Sharing(records) => self.take_sharings(records).await,
            Records::Objects(objects) => self.take_objects(&header, objects, &numbers, after).await,
            Records::Content(parts) => {
                let next = self
                    .ledger
                    .as_ref()
                    .is_some_and(|ledger| ledger.is_next(header.sequence));
                let waits = self.take_content(parts, next).await?;
                Ok(if waits { Taken::Waits } else { Taken::Done })
            }
            // Not of this numbering.
            Records::Ack(_) | Records::Query(_) | Records::Heartbeat(_) | Records::Parity(_) => {
                Ok(Taken::Done)
            }
        }
    }

    async fn take_lifecycle(&mut self, records: Vec<Lifecycle>) -> Result<Taken, Error> {
        let mut receipts = Vec::new();
        for record in records {
            match record {
                Lifecycle::Receipt(receipt) => self.take_receipt(receipt).await?,
                Lifecycle::Message(signed) => match self.take_message(&signed).await? {
                    Some(receipt) if receipt.refused == Some(Reason::MessageEarly) => {
                        return Ok(Taken::Waits);
                    }
                    Some(receipt) => receipts.push(receipt),
                    None => self.counts.refused += 1,
                },
            }
        }
        self.speech.receipts.extend(receipts);
        // The answers are durable before the bundle is taken.
        self.speak().await?;
        Ok(Taken::Done)
    }

    /// The answer to a message; none to one that the other side did not sign.
    async fn take_message(&self, signed: &Signed) -> Result<Option<Receipt>, Error> {
        let Signed { payload, signature } = signed;
        let Ok(message) = lifecycle::decode(payload) else {
            return Ok(lifecycle::message_id(payload).map(|message| Receipt {
                message,
                refused: Some(Reason::FieldInvalid),
                retry: false,
            }));
        };
        let signed = connection::Signed {
            payload,
            signature,
            message,
        };
        Ok(match self.shared.node.receive(&self.peer, signed).await? {
            Received::Answer(connection::Receipt {
                message,
                refused,
                retry,
            }) => Some(Receipt {
                message,
                refused,
                retry,
            }),
            Received::Forged => None,
        })
    }

    async fn take_receipt(&mut self, receipt: Receipt) -> Result<(), Error> {
        let node = &self.shared.node;
        let outbox = node.outbox(self.link.id).await?;
        let Some(message) = outbox.into_iter().find(|message| message.id == receipt.message) else {
            return Ok(());
        };
        let rests = receipt.refused.filter(|_| receipt.retry);
        let rests = rests.map(|_| Instant::now() + self.shared.timing.retry_after);
        let receipt = connection::Receipt {
            message: receipt.message,
            refused: receipt.refused,
            retry: receipt.retry,
        };
        node.answered(&self.peer, &message, &receipt).await?;
        self.speech.answered(message.id, rests);
        Ok(())
    }

    async fn take_sharings(&self, records: Vec<Sharing>) -> Result<Taken, Error> {
        let node = &self.shared.node;
        for sharing in records {
            let Sharing {
                connection,
                revision,
                content,
            } = sharing;
            let taken = node
                .receive_sharing(&self.peer, connection, revision, content)
                .await;
            match taken {
                Ok(()) => {}
                // It may have overtaken the approval.
                Err(error) if error.reason() == Reason::WrongStage => {
                    if node.may_still_join(&self.peer, connection).await? {
                        return Ok(Taken::Waits);
                    }
                }
                Err(error) if is_ours(error.reason()) => return Err(error),
                Err(error) => {
                    tracing::info!(%connection, reason = %error.reason(), "sharing not taken");
                }
            }
        }
        Ok(Taken::Done)
    }

    async fn take_objects(
        &mut self,
        header: &Header,
        objects: Objects,
        numbers: &[u32],
        after: &Ledger,
    ) -> Result<Taken, Error> {
        let node = Arc::clone(&self.shared.node);
        let Objects {
            flow,
            cover,
            caught_up,
            items,
        } = objects;
        let unready = node
            .relay_unready(&self.peer, &flow, header.schema_revision)
            .await?;
        match unready {
            Some(Unready::Waits) => return Ok(Taken::Waits),
            Some(Unready::LetGo) => return Ok(Taken::Done),
            None => {}
        }
        let Some(importer) = self.imports.of(&node, &self.peer, &flow).await else {
            return Ok(Taken::Waits);
        };
        let before = self.ledger.as_ref();
        let bundle = Bundled {
            heard: Heard {
                epoch: after.epoch,
                sequence: header.sequence,
            },
            items: &items,
            caught_up,
            cover: cover
                .as_ref()
                .map(|cover| (cover.after.as_deref(), cover.through.as_deref())),
            ledger: after,
            gap_before: before.is_none_or(|ledger| !ledger.is_next(header.sequence)),
            late: before.is_some_and(|ledger| !ledger.taken.is_empty()),
        };
        let refusals = match importer.take(bundle).await {
            Ok(refusals) => refusals,
            Err(error) if error.reason() == Reason::ConcurrentChange => {
                self.imports.close(&flow);
                self.due.retry_waiting = true;
                return Ok(Taken::Waits);
            }
            Err(error) if is_ours(error.reason()) => return Err(error),
            Err(error) => {
                tracing::info!(connection = %flow.connection, reason = %error.reason(), "objects not taken now");
                return Ok(Taken::Waits);
            }
        };
        for refusal in refusals {
            let record = items.iter().position(|item| item.key == refusal.key);
            let record = record.and_then(|place| numbers.get(place)).copied();
            if let Some(record) = record.filter(|_| self.refusals.len() < REFUSALS_MAX) {
                self.refusals.push(Refusal {
                    sequence: header.sequence,
                    record,
                    key: KeyHash::of(&refusal.key),
                    reason: refusal.reason,
                });
            }
        }
        Ok(Taken::Noted)
    }
}

/// Reasons that say nothing about what came.
const fn is_ours(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::StoreUnavailable | Reason::StoreFull | Reason::StoreCorrupt | Reason::Internal
    )
}
