//! Batches of objects become bundles.

use peerd_node::Error;
use peerd_node::exchange::{Item, Refusal};
use peerd_node::relay::{RelayExport, Spooled};
use tokio::time::Instant;

use super::exports::{GATHER_BYTES, GATHER_ITEMS, Gathered, Made};
use super::link::Running;
use super::writing::{About, Draft};
use crate::record::Objects;
use crate::{CannotWrite, Records};

impl Running {
    /// Takes a batch. What is worth a bundle is written.
    pub(super) async fn gather(&mut self, made: Made) -> Result<(), Error> {
        if let Some(made) = self.exports.add(made) {
            self.flush().await?;
            self.exports.add(made);
        }
        let full = |gathered: &Gathered| {
            gathered.caught_up || gathered.bytes >= GATHER_BYTES / 2 || gathered.items.len() >= GATHER_ITEMS
        };
        if self.exports.gathered.as_ref().is_some_and(full) {
            self.flush().await?;
        }
        Ok(())
    }

    pub(super) async fn flush_if_due(&mut self) -> Result<(), Error> {
        match self.exports.flush_at() {
            Some(at) if at <= Instant::now() => self.flush().await,
            _ => Ok(()),
        }
    }

    /// Writes what is gathered: one bundle, or more where the link's bundles are small.
    async fn flush(&mut self) -> Result<(), Error> {
        let Some(mut gathered) = self.exports.gathered.take() else {
            return Ok(());
        };
        let mut rest = vec![std::mem::take(&mut gathered.items)];
        while let Some(items) = rest.pop() {
            let last = rest.is_empty();
            match self.write_objects(&gathered, &items, last).await? {
                Ok(sequence) => {
                    self.exports
                        .wrote(&gathered.flow, sequence, last.then_some(gathered.last_batch));
                    if self.set.one_way {
                        // Nothing will say that it came; the snapshot mends what did not.
                        self.exports.settle(&gathered.flow, sequence, Vec::new()).await;
                    }
                }
                Err(CannotWrite::TooLarge { .. } | CannotWrite::TooMany { .. }) if items.len() > 1 => {
                    let (first, second) = items.split_at(items.len() / 2);
                    rest.extend([second.to_vec(), first.to_vec()]);
                }
                Err(CannotWrite::SchemaMissing { .. }) => {
                    // The type was let out when its objects were read, and is no more. Should it be again, an exporter
                    // begins after the last bundle that was written.
                    self.exports.close(&gathered.flow);
                    return Ok(());
                }
                Err(error) => self.leave_out(&gathered, items, &error, (last, &mut rest)),
            }
        }
        Ok(())
    }

    async fn write_objects(
        &mut self,
        gathered: &Gathered,
        items: &[Item],
        last: bool,
    ) -> Result<Result<u64, CannotWrite>, Error> {
        let Gathered {
            flow,
            sharing_revision,
            cursor,
            caught_up,
            ..
        } = gathered;
        let security = self.shared.node.security_of_items(items).await?;
        let export = last.then(|| RelayExport {
            link: self.link.id,
            connection: flow.connection,
            object_type: flow.object_type.clone(),
            position: cursor.0.to_vec(),
            generation: self.exports.generation(flow),
        });
        let content = self
            .shared
            .node
            .content_following(self.link.id, flow, items)
            .await?;
        let about = About {
            flow: Some(flow.clone()),
            keys: items.iter().map(|item| item.key.clone()).collect(),
            with: Spooled {
                export,
                content: content.clone(),
            },
            ..About::default()
        };
        let draft = Draft {
            records: Records::Objects(Objects {
                flow: flow.clone(),
                cover: None,
                caught_up: *caught_up && last,
                items: items.to_vec(),
            }),
            security,
            schema_revision: *sharing_revision,
        };
        let written = self.write_lasting(draft, about).await?;
        if written.is_ok() {
            self.content.due.extend(content);
        }
        Ok(written)
    }

    /// What no bundle can hold is left out, and its exporter told: the rest goes on.
    fn leave_out(
        &mut self,
        gathered: &Gathered,
        items: Vec<Item>,
        error: &CannotWrite,
        (last, rest): (bool, &mut Vec<Vec<Item>>),
    ) {
        let at_fault = match error {
            CannotWrite::Record { number, .. } => usize::try_from(*number).unwrap_or(1).saturating_sub(1),
            _ => 0,
        };
        let (connection, object_type) = (gathered.flow.connection, &gathered.flow.object_type);
        tracing::warn!(%connection, object_type, %error, "an object cannot go over this link");
        self.counts.refused += 1;
        let mut others = items;
        if at_fault < others.len() {
            let left = others.remove(at_fault);
            let reason = error.reason();
            self.exports.left_out(
                &gathered.flow,
                Refusal {
                    key: left.key,
                    reason,
                },
            );
        }
        // An empty bundle still says how far the type has come.
        if last || !others.is_empty() {
            rest.push(others);
        }
    }
}
