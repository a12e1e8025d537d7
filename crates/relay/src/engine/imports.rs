//! The importers of a link.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use peerd_node::Node;
use peerd_node::exchange::{Flow, RelayImporter};
use peerd_node::peer::Peer;

/// One importer for each type that comes in.
#[derive(Debug, Default)]
pub(super) struct Imports(BTreeMap<Flow, RelayImporter>);

impl Imports {
    /// Opens the importers of these types, and ends the others. Answers whether the exporter is to be told of it.
    pub(super) async fn keep(&mut self, node: &Arc<Node>, peer: &Peer, wanted: BTreeSet<Flow>) -> bool {
        self.0.retain(|flow, _| wanted.contains(flow));
        let mut told = false;
        for flow in wanted {
            told |= self.open(node, peer, flow).await;
        }
        told
    }

    async fn open(&mut self, node: &Arc<Node>, peer: &Peer, flow: Flow) -> bool {
        if self.0.contains_key(&flow) {
            return false;
        }
        match RelayImporter::open(node, peer, flow.clone()).await {
            Ok(importer) => {
                let told = importer.generation() > 0;
                self.0.insert(flow, importer);
                told
            }
            Err(error) => {
                let (connection, reason) = (flow.connection, error.reason());
                tracing::info!(%connection, object_type = flow.object_type, %reason, "import not opened");
                false
            }
        }
    }

    /// The importer of a type, opened where it is not.
    pub(super) async fn of(
        &mut self,
        node: &Arc<Node>,
        peer: &Peer,
        flow: &Flow,
    ) -> Option<&mut RelayImporter> {
        self.open(node, peer, flow.clone()).await;
        self.0.get_mut(flow)
    }

    /// Ends one: its terms changed.
    pub(super) fn close(&mut self, flow: &Flow) {
        self.0.remove(flow);
    }

    pub(super) fn close_all(&mut self) {
        self.0.clear();
    }

    /// The types that were asked for anew, and how often.
    pub(super) fn anew(&self) -> impl Iterator<Item = (&Flow, u64)> {
        let generations = self.0.iter().map(|(flow, one)| (flow, one.generation()));
        generations.filter(|(_, generation)| *generation > 0)
    }
}
