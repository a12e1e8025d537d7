//! A node without network: real identity, in-memory store, test clock.

use std::sync::Arc;

use peerd_core::{Clock, Rng};
use peerd_identity::{EcdsaVerifier, Identity, LiveIdentity};
use peerd_node::{Node, Ports, Settings};
use peerd_store::{Blobs, Memory, MemoryBlobs, Store};
use tempfile::TempDir;

use crate::{Room, Scarce, SeededRng, TestClock};

/// A node, and the handles by which a test moves its world.
#[derive(Debug)]
pub struct TestNode {
    /// The node.
    pub node: Arc<Node>,
    /// Its clock.
    pub clock: Arc<TestClock>,
    /// Its store; [`Memory::reopen`] gives what a restart would find.
    pub store: Memory,
    /// Its content.
    pub blobs: MemoryBlobs,
    /// Its disk.
    pub room: Room,
    /// Its identity.
    pub identity: Arc<LiveIdentity>,
    /// Where the identity is kept.
    dir: Arc<TempDir>,
    settings: Settings,
}

impl TestNode {
    /// A new enrollment with a clock of its own.
    ///
    /// # Panics
    /// When the identity cannot be made.
    pub async fn fresh(name: &str) -> TestNode {
        TestNode::with(name, Arc::new(TestClock::default()), Memory::new()).await
    }

    /// A new enrollment on this clock and store.
    ///
    /// # Panics
    /// When the identity cannot be made.
    pub async fn with(name: &str, clock: Arc<TestClock>, store: Memory) -> TestNode {
        let dir = tempfile::tempdir().expect("a directory");
        let identity = Arc::new(Identity::create(dir.path(), clock.now()).expect("an identity"));
        let identity = Arc::new(LiveIdentity::new(identity, clock.now()).expect("a leaf"));
        let settings = Settings {
            name: name.to_owned(),
            addresses: vec![format!("{name}.example:7443")],
            ..Settings::default()
        };
        let blobs = MemoryBlobs::new(Arc::clone(&clock) as Arc<_>);
        TestNode::open((identity, Arc::new(dir)), clock, (store, blobs), settings).await
    }

    /// The same enrollment after a restart: same identity, same records, nothing else kept.
    pub async fn restarted(self) -> TestNode {
        let kept = (self.store.reopen(), self.blobs);
        TestNode::open((self.identity, self.dir), self.clock, kept, self.settings).await
    }

    async fn open(
        (identity, dir): (Arc<LiveIdentity>, Arc<TempDir>),
        clock: Arc<TestClock>,
        (store, blobs): (Memory, MemoryBlobs),
        settings: Settings,
    ) -> TestNode {
        let seed = u64::from_le_bytes(
            identity.enrollment_id().as_bytes()[..8]
                .try_into()
                .expect("8 bytes"),
        );
        let room = Room::default();
        let ports = Ports {
            store: Arc::new(Scarce::new(store.reopen(), room.clone())) as Arc<dyn Store>,
            blobs: Arc::new(blobs.clone()) as Arc<dyn Blobs>,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            rng: Arc::new(SeededRng::new(seed)) as Arc<dyn Rng>,
            identity: Arc::clone(&identity) as Arc<_>,
            verifier: Arc::new(EcdsaVerifier),
        };
        let node = Node::open(ports, settings.clone()).await.expect("a node");
        TestNode {
            node,
            clock,
            store,
            blobs,
            room,
            identity,
            dir,
            settings,
        }
    }
}
