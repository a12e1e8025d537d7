//! Two sides, random operators, and a carrier that duplicates, delays and reorders.

use proptest::prelude::*;

use super::*;

/// What may happen next. Numbers choose among what there is.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// The importer answers the code: approves, or rejects every fourth time.
    Answer(u8),
    /// A side carries out a command.
    Command(Role, u8),
    /// A message arrives, and may stay on its way to arrive again; policy may be against it just then.
    Deliver {
        which: usize,
        stays: bool,
        permitted: bool,
    },
    /// Time goes by.
    Wait(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let role = prop_oneof![Just(Role::Originator), Just(Role::Importer)];
    prop_oneof![
        1 => any::<u8>().prop_map(Act::Answer),
        5 => (role, any::<u8>()).prop_map(|(role, n)| Act::Command(role, n)),
        6 => (any::<usize>(), any::<bool>(), prop::bool::weighted(0.9))
            .prop_map(|(which, stays, permitted)| Act::Deliver { which, stays, permitted }),
        1 => any::<u8>().prop_map(Act::Wait),
    ]
}

/// Both records and what is on its way between them.
struct World {
    originator: Connection,
    importer: Option<Connection>,
    mail: Vec<Message>,
    ever: Vec<Message>,
    ids: u128,
    now: Time,
}

impl World {
    fn new() -> World {
        World {
            originator: requested(),
            importer: None,
            mail: Vec::new(),
            ever: Vec::new(),
            ids: 0,
            now: NOW,
        }
    }

    fn side(&self, role: Role) -> Option<&Connection> {
        match role {
            Role::Originator => Some(&self.originator),
            Role::Importer => self.importer.as_ref(),
        }
    }

    fn post(&mut self, of: &Connection, effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::Send { sequence, body } = effect {
                self.ids += 1;
                let message = Message::of(of, message_id(self.ids), sequence, body, self.now);
                self.mail.push(message.clone());
                self.ever.push(message);
            }
        }
    }

    /// Stores a step, as the daemon would: the record and its messages together.
    fn store(&mut self, step: Step) {
        let Step { next, effects, .. } = step;
        if let Some(before) = self.side(next.role) {
            if before.stage.is_final() {
                assert_eq!(
                    before.stage.name(),
                    next.stage.name(),
                    "nothing moves a final stage"
                );
            }
            assert_eq!(
                (before.id, before.role, before.remote),
                (next.id, next.role, next.remote)
            );
        }
        self.post(&next, effects);
        match next.role {
            Role::Originator => self.originator = next,
            Role::Importer => self.importer = Some(next),
        }
        self.check();
    }

    /// What must be true at every moment.
    fn check(&self) {
        let name = |connection: Option<&Connection>| connection.map_or("none", |found| found.stage.name());
        let there = name(self.importer.as_ref());
        if self.originator.is_flowing() {
            assert!(self.originator.approval.is_some(), "the approval arrived");
            assert!(
                !matches!(there, "none" | "rejected"),
                "the importer approved: {there}"
            );
        }
        if matches!(there, "active" | "disabled") {
            let here = self.originator.stage.name();
            assert!(
                !matches!(here, "requested" | "approved"),
                "the originator activated: {here}"
            );
        }
    }

    fn answer(&mut self, n: u8) {
        let existing = self.importer.as_ref();
        let step = if n.is_multiple_of(4) {
            let link = LinkId::from_bytes([2; 16]);
            Connection::reject(&invite(), importer(), link, remark("no"), existing, self.now)
        } else {
            let permit = Granted(originator());
            Connection::approve(&invite(), approval(), existing, &permit, &levels(), self.now)
        };
        if let Ok(step) = step {
            self.store(step);
        }
    }

    fn operate(&mut self, role: Role, n: u8) {
        let Some(connection) = self.side(role).cloned() else {
            return;
        };
        let level = if n.is_multiple_of(2) { "open" } else { "secret" };
        let types = |bits: u8| DataTypes {
            objects: bits & 1 != 0,
            artifacts: bits & 2 != 0,
        };
        let step = match n % 12 {
            0 => connection.command(&Command::Revoke, self.now),
            1 => connection.command(&close(Imported::Purge), self.now),
            2..=4 => connection.activate(&Granted(connection.remote), self.now),
            5 | 6 => connection.command(&Command::Disable, self.now),
            7 => connection.command(&Command::Enable, self.now),
            8 => {
                let flow = Flow {
                    exports: types(n >> 4),
                    imports: types(n >> 6),
                };
                connection.command(&Command::SetDataTypes(flow), self.now)
            }
            9 | 10 => {
                self.ids += 1;
                let id = ChangeRequestId::from_bytes(self.ids.to_be_bytes());
                let security = security(level, &[]);
                connection.command(&Command::ProposeSecurity { id, security }, self.now)
            }
            _ => {
                let id = connection.change.as_ref().map_or(change(0), |held| held.id);
                let decision = match n {
                    0..200 => Decision::Approve,
                    _ => Decision::Reject { remark: remark("no") },
                };
                connection.command(&Command::DecideSecurity { id, decision }, self.now)
            }
        };
        if let Ok(step) = step {
            self.store(step);
        }
    }

    /// A message arrives. What its recipient wants again stays on its way.
    fn deliver(&mut self, which: usize, stays: bool, permitted: bool) {
        if self.mail.is_empty() {
            return;
        }
        let message = self.mail.remove(which % self.mail.len());
        let to = if message.to == self.originator.local {
            Role::Originator
        } else {
            Role::Importer
        };
        let Some(connection) = self.side(to).cloned() else {
            return;
        };
        let permit = Granted(message.from);
        let levels = levels();
        let permit: Option<&dyn Permit> = if permitted { Some(&permit) } else { None };
        let answer = connection.receive(
            &message,
            Allowed {
                permit,
                levels: &levels,
            },
            self.now,
        );
        let again = match answer {
            Ok(step) => {
                self.store(step);
                stays
            }
            Err(Refused {
                reason: Reason::MessageEarly | Reason::RemoteRefused,
                ..
            }) => true,
            Err(refused) => {
                assert!(
                    connection.stage.is_final(),
                    "an honest peer is not refused: {refused}"
                );
                self.post(&connection, connection.ending().into_iter().collect());
                stays
            }
        };
        if again {
            self.mail.push(message);
        }
    }

    fn apply(&mut self, act: Act) {
        match act {
            Act::Answer(n) => self.answer(n),
            Act::Command(role, n) => self.operate(role, n),
            Act::Deliver {
                which,
                stays,
                permitted,
            } => self.deliver(which, stays, permitted),
            Act::Wait(n) => {
                self.now = self.now.plus(HOUR * u32::from(n / 8));
                if let Ok(step) = self.originator.expire(self.now) {
                    self.store(step);
                }
            }
        }
    }

    /// The carrier heals: everything arrives.
    fn quiesce(&mut self) {
        for _ in 0..2_000 {
            if self.mail.is_empty() {
                return;
            }
            self.deliver(0, false, true);
        }
        panic!("messages are still on their way: {:?}", self.mail);
    }

    /// Converged: both over, or both in the same stage with the same terms, halts, data types and change request.
    fn assert_converged(&self) {
        let here = &self.originator;
        let Some(there) = &self.importer else {
            assert!(matches!(here.stage.name(), "requested" | "expired" | "revoked"));
            return;
        };
        assert_eq!(
            here.view().compare(&there.view()),
            Agreement::Same,
            "{here:#?}\n{there:#?}"
        );
        assert_eq!(here.stage.is_final(), there.stage.is_final());
        if here.stage.is_final() {
            return;
        }
        assert_eq!(here.stage.name(), there.stage.name());
        assert_eq!(here.terms(), there.terms());
        assert_eq!(here.security, there.security);
        assert_eq!(
            (here.ours, here.theirs),
            (there.theirs.mirrored(), there.ours.mirrored())
        );
        let held = |connection: &Connection| {
            let held = connection.change.clone();
            held.map(|held| {
                (
                    held.id,
                    held.security,
                    (held.by == Side::Here) == (connection.role == Role::Originator),
                )
            })
        };
        assert_eq!(held(here), held(there));
    }

    /// Whatever was ever sent comes once more.
    fn assert_replay_changes_nothing(&self) {
        for message in &self.ever {
            let to = if message.to == self.originator.local {
                Role::Originator
            } else {
                Role::Importer
            };
            let Some(connection) = self.side(to) else { continue };
            if let Ok(step) = receive(connection, message) {
                assert!(step.is_noop() && step.next == *connection, "{message:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn b036_b045_both_sides_agree_once_all_messages_arrived(acts in prop::collection::vec(act(), 1..80)) {
        let mut world = World::new();
        for act in acts {
            world.apply(act);
        }
        world.quiesce();
        world.assert_converged();
        world.assert_replay_changes_nothing();
    }

    /// The same from an active connection, where the races are.
    #[test]
    fn b112_simultaneous_halts_changes_and_closes_converge(acts in prop::collection::vec(act(), 1..60)) {
        let mut world = World::new();
        world.answer(1);
        world.quiesce();
        world.operate(Role::Originator, 2);
        world.quiesce();
        prop_assert!(world.importer.as_ref().is_some_and(Connection::is_flowing));
        for act in acts {
            // Endings are rare here, so that what comes before them is seen.
            match act {
                Act::Command(_, n) if n % 12 < 2 && n > 24 => {}
                act => world.apply(act),
            }
        }
        world.quiesce();
        world.assert_converged();
        world.assert_replay_changes_nothing();
    }
}
