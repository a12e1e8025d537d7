//! The node: what an enrollment is while it runs, and the ports it stands on.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwap;
use peerd_core::policy::PolicySet;
use peerd_core::signature::{OwnIdentity, PublicKey, Verifier};
use peerd_core::{Clock, EnrollmentId, Rng, Secret, Time};
use peerd_store::{Batch, Blobs, Store};
use tokio::sync::{Mutex, Semaphore, watch};

use crate::Error;
use crate::exchange::Progress;
use crate::exchange::blobs::Transfers;
use crate::line::Lines;
use crate::object::WriteClock;
use crate::presence::Presence;
use crate::settings::Settings;

/// How often a use-case that lost a race against another write tries again on fresh reads.
const RACES_MAX: usize = 16;
/// How many connections are verified at once: each reads all that flows.
const VERIFICATIONS_MAX: usize = 2;

/// How many streams of object changes run at once: each remembers a little.
const WATCHES_MAX: usize = 256;

/// What a node stands on.
#[derive(Clone, Debug)]
pub struct Ports {
    /// Where it keeps what it knows.
    pub store: Arc<dyn Store>,
    /// Where it keeps content.
    pub blobs: Arc<dyn Blobs>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance, fit for secrets.
    pub rng: Arc<dyn Rng>,
    /// Who this enrollment is.
    pub identity: Arc<dyn OwnIdentity>,
    /// Checks of other enrollments' signatures.
    pub verifier: Arc<dyn Verifier>,
}

/// An enrollment at work: every use-case of operators and peers is a method of it.
///
/// It holds no connection and runs no task; transports and the API call it.
pub struct Node {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) identity: Arc<dyn OwnIdentity>,
    /// Counts replacements of the identity.
    pub(crate) identity_changes: watch::Sender<u64>,
    /// Held while the identity is replaced.
    pub(crate) rotating: Mutex<()>,
    pub(crate) verifier: Arc<dyn Verifier>,
    pub(crate) settings: Settings,
    /// The policies as they are stored, ready to decide. Unreadable policies are a set that denies all.
    pub(crate) policies: ArcSwap<PolicySet>,
    /// Held while the policies are read and put in force, so that an older read never replaces a newer one.
    pub(crate) reloading: Mutex<()>,
    /// Counts policy changes; whatever acts under a permit asks anew when it moves.
    pub(crate) policy_changes: watch::Sender<u64>,
    pub(crate) presence: Presence,
    pub(crate) progress: Progress,
    pub(crate) transfers: Transfers,
    /// How questions reach peers.
    pub(crate) lines: Lines,
    /// Held by each verification.
    pub(crate) verifying: Semaphore,
    /// The clock that every write of an object is named by.
    pub(crate) write_clock: WriteClock,
    /// Lifecycle messages refused since the start.
    pub(crate) refused_messages: AtomicU64,
    /// One permit for each stream of object changes that may run.
    pub(crate) watches: Arc<Semaphore>,
    /// Held by the backup that is being made.
    pub(crate) backups: Arc<Semaphore>,
    /// What follows from the first identity key: asked about every object.
    enrollment: EnrollmentId,
}

impl Node {
    /// A node on these ports; reads the policies.
    pub async fn open(ports: Ports, settings: Settings) -> Result<Arc<Node>, Error> {
        let Ports {
            store,
            blobs,
            clock,
            rng,
            identity,
            verifier,
        } = ports;
        let node = Node {
            store,
            blobs,
            clock,
            rng,
            enrollment: identity.lineage().enrollment(),
            identity,
            identity_changes: watch::Sender::new(0),
            rotating: Mutex::default(),
            verifier,
            settings,
            policies: ArcSwap::from_pointee(PolicySet::unreadable()),
            reloading: Mutex::new(()),
            policy_changes: watch::Sender::new(0),
            presence: Presence::default(),
            progress: Progress::default(),
            transfers: Transfers::default(),
            lines: Lines::default(),
            verifying: Semaphore::new(VERIFICATIONS_MAX),
            write_clock: WriteClock::default(),
            refused_messages: AtomicU64::new(0),
            watches: Arc::new(Semaphore::new(WATCHES_MAX)),
            backups: Arc::new(Semaphore::new(1)),
        };
        node.reload_policies().await;
        node.note_identity_at_start().await?;
        Ok(Arc::new(node))
    }

    /// Who this enrollment is.
    pub fn enrollment_id(&self) -> EnrollmentId {
        self.enrollment
    }

    /// The public identity key that signs now.
    pub fn public_key(&self) -> PublicKey {
        self.identity.public_key()
    }

    /// What the operator set in the configuration.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The time now.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Marked changed whenever a policy changed, or one reached its expiry.
    pub fn policy_changes(&self) -> watch::Receiver<u64> {
        self.policy_changes.subscribe()
    }

    /// What is known of links right now; transports tell it, views read it.
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// The store, for background work that reads feeds and topics.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The store of content.
    pub fn blobs(&self) -> &Arc<dyn Blobs> {
        &self.blobs
    }

    /// A new id for one call, by which a caller's complaint finds its lines in the log.
    pub fn request_id(&self) -> String {
        self.mint(|uuid| uuid.simple().to_string())
    }

    /// A new id: a UUID of version 7, so that ids sort by age.
    pub(crate) fn mint<T>(&self, from_uuid: impl FnOnce(uuid::Uuid) -> T) -> T {
        let mut chance = [0; 10];
        self.rng.fill(&mut chance);
        let millis = u64::try_from(self.now().as_micros() / 1_000).unwrap_or(0);
        from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &chance).into_uuid())
    }

    /// A new one-time secret.
    pub(crate) fn secret(&self) -> Secret {
        let mut bytes = [0; 32];
        self.rng.fill(&mut bytes);
        Secret::from_bytes(bytes)
    }

    /// Writes a batch.
    pub(crate) async fn commit(&self, batch: Batch) -> Result<(), Error> {
        self.store.commit(batch).await?;
        Ok(())
    }

    /// Runs a use-case again, on fresh reads, as long as it loses races against other writes.
    pub(crate) async fn retrying<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        for _ in 1..RACES_MAX {
            match attempt().await {
                Err(error) if error.is_lost_race() => {}
                answer => return answer,
            }
        }
        attempt().await
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("enrollment", &self.enrollment_id())
            .finish_non_exhaustive()
    }
}
