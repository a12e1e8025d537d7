//! A process that ends between any two persisted steps of the handshake: what was committed goes on to the same end.

use peerd_core::link::Direction;
use peerd_testkit::carry::{self, Parcel};

use crate::pair::Pair;

/// Where a process ends, and whose.
#[derive(Debug)]
struct Crash {
    at: usize,
    passed: usize,
    a: bool,
    b: bool,
}

impl Crash {
    /// Every persisted step ends here.
    async fn here(&mut self, pair: &mut Pair) {
        if self.passed == self.at {
            if self.a {
                pair.a.restart().await;
            }
            if self.b {
                pair.b.restart().await;
            }
        }
        self.passed += 1;
    }

    /// Sends what waits, with an end between message and answer: the sender does not know that it arrived.
    async fn send(&mut self, pair: &mut Pair, from_a: bool) {
        let (from, to) = if from_a {
            (&pair.a, &pair.b)
        } else {
            (&pair.b, &pair.a)
        };
        for message in carry::waiting(from, to).await {
            Parcel::pack(from, &message).deliver(from, to).await;
        }
        self.here(pair).await;
        // The transport of the next process starts from the outbox again.
        pair.carry().await;
        self.here(pair).await;
    }
}

/// The whole handshake; gives how many persisted steps it has.
async fn handshake(mut crash: Crash) -> usize {
    let pair = &mut Pair::permitted().await;
    let code = pair.code(Direction::Bidirectional).await;
    crash.here(pair).await;
    let name = "to-a".parse().expect("a name");
    let accepted = pair.b.node().accept_link(&pair.b.admin, &code, &name).await;
    accepted.expect("a link");
    crash.here(pair).await;
    let (_, answer) = carry::show_proof(&pair.b, &pair.a, [1; 32])
        .await
        .expect("a proof is due");
    answer.expect("the proof is taken");
    crash.here(pair).await;
    carry::enroll(&pair.b, &pair.a).await.expect("an enrollment");
    crash.here(pair).await;

    let invitation = pair.request().await;
    crash.here(pair).await;
    pair.approve(&invitation.code).await.expect("an approval");
    crash.here(pair).await;
    crash.send(pair, false).await;
    let activated = pair
        .a
        .node()
        .activate_connection(&pair.a.manager, invitation.id)
        .await;
    activated.expect("an activation");
    crash.here(pair).await;
    crash.send(pair, true).await;

    assert_eq!(
        pair.stages(invitation.id).await,
        ("active", "active"),
        "{crash:?}"
    );
    let (here, there) = pair.records(invitation.id).await;
    assert_eq!(
        [here.sent, here.received, there.sent, there.received],
        [1; 4],
        "{crash:?}"
    );
    for (from, to) in [(&pair.a, &pair.b), (&pair.b, &pair.a)] {
        assert!(carry::waiting(from, to).await.is_empty(), "{crash:?}");
    }
    crash.passed
}

#[tokio::test]
async fn b046_a_crash_at_any_step_of_the_handshake_ends_in_the_same_outcome() {
    let never = Crash {
        at: usize::MAX,
        passed: 0,
        a: false,
        b: false,
    };
    let steps = handshake(never).await;
    assert!(steps >= 10, "only {steps} steps");
    for at in 0..steps {
        for (a, b) in [(true, false), (false, true), (true, true)] {
            handshake(Crash { at, passed: 0, a, b }).await;
        }
    }
}

#[tokio::test]
async fn b071_every_process_may_end_at_every_step_at_once() {
    // Not one crash but a crash after each step: nothing is kept in memory that the outcome needs.
    let pair = &mut Pair::linked().await;
    let invitation = pair.request().await;
    pair.approve(&invitation.code).await.expect("an approval");
    for _ in 0..2 {
        pair.a.restart().await;
        pair.b.restart().await;
        pair.carry().await;
    }
    let activated = pair
        .a
        .node()
        .activate_connection(&pair.a.manager, invitation.id)
        .await;
    activated.expect("an activation");
    pair.a.restart().await;
    pair.b.restart().await;
    pair.carry().await;
    assert_eq!(pair.stages(invitation.id).await, ("active", "active"));
}
