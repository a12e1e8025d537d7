//! An enrollment inside the bench: real identity, TLS, HTTP/2 and clock; its store is in memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use peerd::clock::SystemClock;
use peerd_core::authz::Token;
use peerd_core::policy::{Enrollments, Rule};
use peerd_core::{Clock, Rng as _};
use peerd_identity::{EcdsaVerifier, Identity, LiveIdentity, OsRng};
use peerd_mpx::{Limits, Mpx, Runtime};
use peerd_node::{Caller, Node, Ports, Settings};
use peerd_store::{Memory, MemoryBlobs};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A running enrollment with one admin; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) node: Arc<Node>,
    pub(crate) admin: Caller,
    hard: CancellationToken,
}

impl Site {
    /// Opens an enrollment that accepts on this listener and tells others to dial these addresses. Its policies allow
    /// the loopback interface.
    pub(crate) async fn open(listener: TcpListener, addresses: Vec<String>) -> anyhow::Result<Site> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let dir = tempfile::tempdir()?;
        let identity = Arc::new(Identity::create(dir.path(), clock.now())?);
        let leaf = Arc::new(LiveIdentity::new(identity, clock.now())?);
        let ports = Ports {
            store: Arc::new(Memory::new()),
            blobs: Arc::new(MemoryBlobs::new(Arc::clone(&clock))),
            clock: Arc::clone(&clock),
            rng: Arc::new(OsRng),
            identity: Arc::clone(&leaf) as Arc<_>,
            verifier: Arc::new(EcdsaVerifier),
            sealing: None,
        };
        let settings = Settings {
            addresses,
            ..Settings::default()
        };
        let node = Node::open(ports, settings).await?;
        let admin = furnish(&node).await?;
        let hard = CancellationToken::new();
        let runtime = Runtime {
            node: Arc::clone(&node),
            leaf,
            clock,
            limits: Limits::default(),
            tasks: TaskTracker::new(),
            soft: hard.child_token(),
            hard: hard.clone(),
        };
        Mpx::start(runtime, listener)?;
        Ok(Site { node, admin, hard })
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.hard.cancel();
    }
}

/// An admin, a title, and policies for the loopback interface.
async fn furnish(node: &Node) -> anyhow::Result<Caller> {
    let mut secret = [0; 32];
    OsRng.fill(&mut secret);
    let token = Token::from_bytes(secret);
    node.bootstrap_admin(&token).await?;
    let admin = node.authenticate(&token.expose()).await?;
    node.set_title(&admin, "A figure".parse()?).await?;
    let out = Rule::Egress {
        destination: "127.0.0.0/8".parse()?,
        ports: "1-65535".parse()?,
        enrollments: Enrollments::Any,
    };
    let into = Rule::Ingress {
        sources: BTreeSet::from(["127.0.0.0/8".parse()?]),
        enrollments: Enrollments::Any,
    };
    for rule in [out, into] {
        node.propose_policy(&admin, rule, "a figure".parse()?, None, true)
            .await?;
    }
    Ok(admin)
}
