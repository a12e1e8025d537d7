//! Bundles that nothing depends on: acknowledgements, proof of life, questions.

use peerd_core::EpochId;
use peerd_node::Error;

use super::link::Running;
use crate::record::Heartbeat;
use crate::{Opened, Records};

/// The files that the newest of each kind are in, as long as this process knows.
#[derive(Debug, Default)]
pub(super) struct Passing {
    pub(super) ack: Option<String>,
    pub(super) heartbeat: Option<String>,
}

impl Running {
    pub(super) async fn take_passing(&mut self, opened: Opened) -> Result<(), Error> {
        let Opened { header, records, .. } = opened;
        match records {
            Records::Ack(acks) => {
                for ack in acks {
                    self.take_ack(ack).await?;
                }
            }
            Records::Heartbeat(beats) => {
                let epoch = EpochId::from_bytes(*header.epoch.as_bytes());
                if !self.is_current(epoch).await? {
                    return Ok(());
                }
                for beat in beats {
                    match beat {
                        Heartbeat::Highest(highest) => {
                            if let Some(ledger) = &mut self.ledger {
                                ledger.saw(highest);
                            }
                        }
                        Heartbeat::Digest { flow, digests } => self.take_digests(flow, &digests).await?,
                    }
                }
                // Whoever lives wants to know what came.
                self.acknowledge_soon();
            }
            Records::Query(records) => self.take_queries(records).await?,
            Records::Parity(_)
            | Records::Lifecycle(_)
            | Records::Sharing(_)
            | Records::Objects(_)
            | Records::Content(_) => {}
        }
        Ok(())
    }
}
