//! Enrollments on the loopback interface: real TLS and HTTP/2, stores in memory, every port chosen by the system.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use peerd_core::authz::{Principal, Role, Space, Token};
use peerd_core::link::Direction;
use peerd_core::name::Title;
use peerd_core::peering::{DataTypes, Flow};
use peerd_core::policy::{Enrollments, Policy, Proposal, Rule};
use peerd_core::security::Security;
use peerd_core::{Clock, LinkId, PolicyId, PrincipalId, Rng, SpaceId, Time};
use peerd_identity::{EcdsaVerifier, Identity, LiveIdentity};
use peerd_mpx::{Limits, Mpx, Runtime};
use peerd_node::connection::Ask;
use peerd_node::link::LinkView;
use peerd_node::{Caller, Node, Ports, Settings};
use peerd_store::records::{NameKind, NamedThing, TokenOwner};
use peerd_store::{Batch, Memory, MemoryBlobs, RecordBatch as _, Store, meta_record};
use peerd_testkit::{Room, Scarce, SeededRng, TestClock, eventually};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The name of the other side's link, and of everyone's space.
pub(crate) const THERE: &str = "there";
pub(crate) const SPACE: &str = "space";
/// The policy that lets others in.
pub(crate) const INGRESS: PolicyId = PolicyId::from_bytes([4; 16]);

/// Mirrors the node's own record, which operators set.
#[derive(Serialize, Deserialize)]
struct PlatformTitle {
    title: Title,
}

meta_record!(PlatformTitle, b"platform_title", 1);

/// How an enrollment of a test is made.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) limits: Limits,
    pub(crate) heartbeat_interval: Duration,
    pub(crate) silence_max: Duration,
    /// What is advertised besides the own address, and before it.
    pub(crate) addresses_before: Vec<String>,
    /// When the ingress policy ends by itself.
    pub(crate) ingress_until: Option<Time>,
    /// Where the ingress policy admits from.
    pub(crate) sources: &'static str,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            limits: Limits {
                retry_after: Duration::from_millis(50),
                linger: Duration::from_millis(100),
                ..Limits::default()
            },
            heartbeat_interval: Duration::from_millis(50),
            silence_max: Duration::from_secs(10),
            addresses_before: Vec::new(),
            ingress_until: None,
            sources: "127.0.0.0/8",
        }
    }
}

/// What survives a stop.
pub(crate) struct Ground {
    pub(crate) identity: Arc<LiveIdentity>,
    /// Where the identity is kept.
    pub(crate) dir: Arc<tempfile::TempDir>,
    pub(crate) store: Memory,
    pub(crate) blobs: MemoryBlobs,
    pub(crate) clock: Arc<TestClock>,
    /// Its disk.
    pub(crate) room: Room,
    plan: Plan,
    address: SocketAddr,
}

/// A running enrollment.
pub(crate) struct Site {
    pub(crate) node: Arc<Node>,
    pub(crate) caller: Caller,
    pub(crate) ground: Ground,
    tasks: TaskTracker,
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Site {
    pub(crate) async fn fresh() -> Site {
        Site::planned(Plan::default()).await
    }

    /// A new enrollment where another one was.
    pub(crate) async fn at(address: SocketAddr) -> Site {
        Site::made(Plan::default(), TcpListener::bind(address).await.unwrap()).await
    }

    pub(crate) async fn planned(plan: Plan) -> Site {
        Site::made(plan, TcpListener::bind("127.0.0.1:0").await.unwrap()).await
    }

    async fn made(plan: Plan, listener: TcpListener) -> Site {
        let clock = Arc::new(TestClock::default());
        let dir = tempfile::tempdir().unwrap();
        let identity = Arc::new(Identity::create(dir.path(), clock.now()).unwrap());
        let ground = Ground {
            identity: Arc::new(LiveIdentity::new(identity, clock.now()).unwrap()),
            dir: Arc::new(dir),
            store: Memory::new(),
            blobs: MemoryBlobs::new(Arc::clone(&clock) as Arc<_>),
            clock,
            room: Room::default(),
            plan,
            address: listener.local_addr().unwrap(),
        };
        furnish(&ground).await;
        Site::start(ground, listener).await
    }

    async fn start(ground: Ground, listener: TcpListener) -> Site {
        let plan = &ground.plan;
        let mut addresses = plan.addresses_before.clone();
        addresses.push(ground.address.to_string());
        let settings = Settings {
            addresses,
            heartbeat_interval: plan.heartbeat_interval,
            silence_max: plan.silence_max,
            ..Settings::default()
        };
        let clock = Arc::clone(&ground.clock) as Arc<dyn Clock>;
        let id = ground.identity.enrollment_id();
        let seed = u64::from_le_bytes(id.as_bytes()[..8].try_into().unwrap());
        let ports = Ports {
            store: Arc::new(Scarce::new(ground.store.reopen(), ground.room.clone())) as Arc<dyn Store>,
            blobs: Arc::new(ground.blobs.clone()),
            clock: Arc::clone(&clock),
            rng: Arc::new(SeededRng::new(seed)) as Arc<dyn Rng>,
            identity: Arc::clone(&ground.identity) as Arc<_>,
            verifier: Arc::new(EcdsaVerifier),
        };
        let node = Node::open(ports, settings).await.unwrap();
        let caller = node.authenticate(&token().expose()).await.unwrap();
        let (tasks, hard) = (TaskTracker::new(), CancellationToken::new());
        let soft = hard.child_token();
        let runtime = Runtime {
            node: Arc::clone(&node),
            leaf: Arc::clone(&ground.identity),
            clock,
            limits: plan.limits.clone(),
            tasks: tasks.clone(),
            soft: soft.clone(),
            hard: hard.clone(),
        };
        Mpx::start(runtime, listener).unwrap();
        Site {
            node,
            caller,
            ground,
            tasks,
            soft,
            hard,
        }
    }

    /// Stops softly and waits until every task has ended.
    pub(crate) async fn stop(self) -> Ground {
        self.soft.cancel();
        self.tasks.close();
        let drained = tokio::time::timeout(Duration::from_secs(20), self.tasks.wait()).await;
        drained.expect("every task ends when asked to");
        self.hard.cancel();
        Ground {
            identity: Arc::clone(&self.ground.identity),
            dir: Arc::clone(&self.ground.dir),
            store: self.ground.store.reopen(),
            blobs: self.ground.blobs.clone(),
            clock: Arc::clone(&self.ground.clock),
            room: self.ground.room.clone(),
            plan: self.ground.plan.clone(),
            address: self.ground.address,
        }
    }

    pub(crate) async fn restart(ground: Ground) -> Site {
        let listener = TcpListener::bind(ground.address).await.unwrap();
        Site::start(ground, listener).await
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.ground.address
    }

    /// Its content.
    pub(crate) fn blobs(&self) -> &MemoryBlobs {
        &self.ground.blobs
    }

    /// The one link of this side.
    pub(crate) async fn link(&self) -> Option<LinkView> {
        let (links, _) = self.node.list_links(&self.caller, None, 10).await.unwrap();
        links.into_iter().next()
    }

    pub(crate) async fn link_id(&self) -> LinkId {
        self.link().await.unwrap().link.id
    }

    /// Waits for a session, later than that one.
    pub(crate) async fn connected_after(&self, number: u64) -> u64 {
        eventually("a session", async || {
            let life = self.link().await?.life;
            Some(life.session?.number).filter(|next| *next > number)
        })
        .await
    }

    /// The code of a new link.
    pub(crate) async fn invite(&self, direction: Direction) -> String {
        let invitation = self.node.invite_link(&self.caller, direction, None).await;
        invitation.unwrap().code
    }

    pub(crate) async fn enter(&self, code: &str) {
        let name = THERE.parse().unwrap();
        self.node.accept_link(&self.caller, code, &name).await.unwrap();
    }

    /// What asks the other side for objects, both ways.
    pub(crate) async fn ask(&self) -> Ask {
        let objects = DataTypes {
            objects: true,
            artifacts: false,
        };
        Ask {
            space: SPACE.to_owned(),
            link: self.link_id().await.to_string(),
            flow: Flow {
                exports: objects,
                imports: objects,
            },
            security: Security::unrestricted(),
            lifetime: None,
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.hard.cancel();
    }
}

/// Two enrollments with one link between them, connected.
pub(crate) async fn linked(a: Plan, b: Plan) -> (Site, Site) {
    linked_by(Direction::Bidirectional, a, b).await
}

/// The same, where `direction` is seen from the first.
pub(crate) async fn linked_by(direction: Direction, a: Plan, b: Plan) -> (Site, Site) {
    let (a, b) = (Site::planned(a).await, Site::planned(b).await);
    b.enter(&a.invite(direction).await).await;
    a.connected_after(0).await;
    b.connected_after(0).await;
    (a, b)
}

fn token() -> Token {
    Token::from_bytes([7; 32])
}

/// An admin, a space, a title, and policies that allow the loopback interface.
async fn furnish(ground: &Ground) {
    let now = ground.clock.now();
    let admin = PrincipalId::from_bytes([1; 16]);
    let principal = Principal {
        id: admin,
        name: "admin".parse().unwrap(),
        role: Role::EnrollmentAdmin,
        space: None,
        token: token().hash(),
        created_at: now,
        revoked_at: None,
    };
    let owner = TokenOwner {
        token: token().hash(),
        principal: admin,
    };
    let space = Space {
        id: SpaceId::from_bytes([2; 16]),
        name: SPACE.parse().unwrap(),
        title: None,
        managers: BTreeSet::new(),
    };
    let name = NamedThing {
        kind: NameKind::Space,
        name: space.name.clone(),
        id: *space.id.as_bytes(),
    };
    let title = PlatformTitle {
        title: "A Title".parse().unwrap(),
    };
    let out = Rule::Egress {
        destination: "127.0.0.0/8".parse().unwrap(),
        ports: "1-65535".parse().unwrap(),
        enrollments: Enrollments::Any,
    };
    let into = Rule::Ingress {
        sources: BTreeSet::from([ground.plan.sources.parse().unwrap()]),
        enrollments: Enrollments::Any,
    };
    let mut batch = Batch::new();
    batch.insert(&principal).unwrap().insert(&owner).unwrap();
    batch.insert(&space).unwrap().insert(&name).unwrap();
    batch.insert(&title).unwrap();
    for (id, rule, expires_at) in [(3, out, None), (4, into, ground.plan.ingress_until)] {
        let proposal = Proposal {
            rule,
            justification: "a test".parse().unwrap(),
            expires_at,
        };
        let policy = Policy::propose(PolicyId::from_bytes([id; 16]), proposal, admin, now).unwrap();
        batch.insert(&policy.approve(admin, false, now).unwrap()).unwrap();
    }
    ground.store.commit(batch).await.unwrap();
}
