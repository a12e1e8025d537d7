//! The laws of merge, over random histories of up to five enrollments.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::EnrollmentId;
use crate::ontology::PropertyId;
use crate::security::Security;
use crate::value::{Properties, Row, Value};

/// What happens at one enrollment, or between two.
#[derive(Clone, Debug)]
enum Event {
    /// The source of enrollment 0 loads a row.
    Load(u8),
    Edit(usize, u16, Option<u8>),
    Create(usize, u8),
    Delete(usize),
    Purge(usize),
    Secure(usize, u8),
    Resolve(usize, bool),
    /// A state travels; the mask says which properties go along, and whether the source row does.
    Deliver(usize, usize, u8),
    /// A state of the past arrives again.
    Replay(usize, Index),
}

const N: usize = 5;

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        2 => any::<u8>().prop_map(Event::Load),
        8 => (0..N, 1_u16..4, any::<Option<u8>>()).prop_map(|(at, id, value)| Event::Edit(at, id, value)),
        2 => (0..N, any::<u8>()).prop_map(|(at, value)| Event::Create(at, value)),
        2 => (0..N).prop_map(Event::Delete),
        2 => (0..N, 0_u8..4).prop_map(|(at, marking)| Event::Secure(at, marking)),
        2 => (0..N, any::<bool>()).prop_map(|(at, keep)| Event::Resolve(at, keep)),
        8 => (0..N, 0..N, any::<u8>()).prop_map(|(from, to, mask)| Event::Deliver(from, to, mask)),
        2 => (0..N, any::<Index>()).prop_map(|(at, past)| Event::Replay(at, past)),
    ];
    let purges = prop::option::weighted(0.15, (0..N).prop_map(Event::Purge));
    (prop::collection::vec(event, 1..40), purges, any::<Index>()).prop_map(|(mut events, purge, place)| {
        let place = place.index(events.len());
        events.extend(purge);
        let last = events.len() - 1;
        events.swap(place, last);
        events
    })
}

fn key() -> ObjectKey {
    ObjectKey::new("airport".parse().expect("a name"), "EWR").expect("a key")
}

fn enrollment(n: usize) -> EnrollmentId {
    EnrollmentId::from_bytes([u8::try_from(n).expect("few") + 1; 32])
}

fn row(value: u8) -> Row {
    let values: Properties = [
        (PropertyId(1), Value::Integer(value.into())),
        (PropertyId(2), Value::Integer(0)),
    ]
    .into_iter()
    .collect();
    Row::of(&values).expect("small")
}

fn marked(n: u8) -> Security {
    let markings = ["a", "b"]
        .iter()
        .enumerate()
        .filter(|(bit, _)| n & (1 << bit) != 0);
    Security {
        classification: None,
        markings: markings.map(|(_, name)| name.parse().expect("a name")).collect(),
    }
}

/// Five copies of one object, and every state that any of them ever was in.
struct World {
    copies: [Option<ObjectState>; N],
    past: Vec<ObjectState>,
}

impl World {
    /// Lets everything happen. The clock of each enrollment is off by its own skew.
    fn after(events: &[Event], skews: [u8; N]) -> World {
        let mut world = World {
            copies: Default::default(),
            past: Vec::new(),
        };
        for (time, event) in (1_u64..).zip(events) {
            let clock = |at: usize| Hlc::new(time + u64::from(skews[at]), 0).expect("in range");
            let at = world.apply(event, clock);
            world.past.extend(world.copies[at].clone());
        }
        world
    }

    fn local(&mut self, at: usize, hlc: Hlc) -> &mut ObjectState {
        self.copies[at].get_or_insert_with(|| ObjectState::blank(hlc, enrollment(at)))
    }

    /// Operations that are refused change nothing, as in life.
    fn apply(&mut self, event: &Event, clock: impl Fn(usize) -> Hlc) -> usize {
        match *event {
            Event::Load(value) => {
                let _ = self
                    .local(0, clock(0))
                    .load_row(row(value), clock(0), enrollment(0));
                0
            }
            Event::Edit(at, id, value) => {
                let changes = BTreeMap::from([(PropertyId(id), value.map(|v| Value::Integer(v.into())))]);
                let _ = self
                    .local(at, clock(at))
                    .edit(&Changes(changes), clock(at), enrollment(at));
                at
            }
            Event::Create(at, value) => {
                let changes = BTreeMap::from([(PropertyId(1), Some(Value::Integer(value.into())))]);
                let _ = self
                    .local(at, clock(at))
                    .create(&Changes(changes), clock(at), enrollment(at));
                at
            }
            Event::Delete(at) => {
                let _ = self.local(at, clock(at)).delete(clock(at), enrollment(at));
                at
            }
            Event::Purge(at) => {
                let _ = self.local(at, clock(at)).purge(clock(at), enrollment(at));
                at
            }
            Event::Secure(at, marking) => {
                let _ = self
                    .local(at, clock(at))
                    .set_security(marked(marking), clock(at), enrollment(at));
                at
            }
            Event::Resolve(at, keep) => {
                let keep = if keep { Keep::Winner } else { Keep::Loser };
                let state = self.local(at, clock(at));
                if let Some(conflict) = state.conflicts(&key()).first() {
                    state
                        .resolve(&key(), conflict.id, keep, clock(at), enrollment(at))
                        .expect("it is there");
                }
                at
            }
            Event::Deliver(from, to, mask) => {
                let lanes = Lanes {
                    source: mask & 1 != 0,
                    actions: mask & 2 != 0,
                };
                let ids = (1..4)
                    .filter(|id| mask & (4 << id) != 0)
                    .map(PropertyId)
                    .collect();
                if let Some(sent) = self.copies[from].clone() {
                    self.receive(to, &sent.exported(lanes, &ids).expect("small"));
                }
                to
            }
            Event::Replay(at, past) => {
                if !self.past.is_empty() {
                    let old = past.get(&self.past).clone();
                    self.receive(at, &old);
                }
                at
            }
        }
    }

    fn receive(&mut self, at: usize, sent: &ObjectState) {
        let bytes = sent.encode();
        let sent = ObjectState::decode(&bytes).expect("what is sent is canonical");
        let local = self.copies[at].take();
        self.copies[at] = Some(match local {
            None => sent,
            Some(local) => join(&local, &sent),
        });
    }
}

fn join(a: &ObjectState, b: &ObjectState) -> ObjectState {
    merge(a, b).expect("one owner, small").state
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn b085_any_order_duplication_and_topology_converges_to_equal_bytes(
        events in events(), skews in any::<[u8; N]>(), order in prop::collection::vec((0..N, 0..N), 0..40),
        shuffled in any::<prop::sample::Selector>(),
    ) {
        let world = World::after(&events, skews);
        let Some(all) = world.past.iter().cloned().reduce(|a, b| join(&a, &b)) else { return Ok(()) };

        // Gossip at random, then once around twice: everybody has everything.
        let mut copies = world.copies.clone();
        let around = (0..2 * N).map(|step| (step % N, (step + 1) % N));
        for (from, to) in order.into_iter().chain(around) {
            let (sent, local) = (copies[from].clone(), copies[to].clone());
            copies[to] = match (local, sent) {
                (Some(local), Some(sent)) => Some(join(&local, &sent)),
                (local, sent) => local.or(sent),
            };
        }
        // Every state of the past was delivered or kept somewhere, so it is below what everybody has now.
        for copy in &copies {
            prop_assert_eq!(copy.as_ref().map(ObjectState::encode), Some(all.encode()));
        }

        // The same from the states of the past, in any order, some of them twice.
        let mut picked: Vec<&ObjectState> = world.past.iter().chain(&world.past).collect();
        let first = shuffled.select(picked.iter().enumerate().map(|(place, _)| place));
        picked.rotate_left(first);
        picked.reverse();
        let folded = picked.into_iter().cloned().reduce(|a, b| join(&a, &b));
        prop_assert_eq!(folded.map(|state| state.encode()), Some(all.encode()));
    }

    #[test]
    fn merge_is_commutative_associative_and_idempotent(
        events in events(), skews in any::<[u8; N]>(), picks in any::<[Index; 3]>(),
    ) {
        let past = World::after(&events, skews).past;
        if past.is_empty() { return Ok(()) }
        let [a, b, c] = picks.map(|pick| pick.get(&past).clone());
        prop_assert_eq!(join(&a, &b).encode(), join(&b, &a).encode());
        prop_assert_eq!(join(&join(&a, &b), &c).encode(), join(&a, &join(&b, &c)).encode());
        prop_assert_eq!(join(&a, &a).encode(), a.encode());
        let ab = join(&a, &b);
        for known in [&a, &b, &ab] {
            prop_assert!(!merge(&ab, known).expect("merges").changed, "dominated");
        }
        prop_assert_eq!(merge(&a, &b).expect("merges").changed, ab != a);
    }

    #[test]
    fn a_state_survives_its_encoding(events in events(), skews in any::<[u8; N]>()) {
        for state in World::after(&events, skews).past {
            let bytes = state.encode();
            prop_assert_eq!(ObjectState::decode(&bytes), Ok(state.clone()));
            prop_assert_eq!(state.verify(), Ok(()));
        }
    }

    #[test]
    fn damaged_states_never_panic_and_what_is_accepted_is_canonical(
        events in events(), cut in any::<Index>(), place in any::<Index>(), byte in any::<u8>(), whole in any::<bool>(),
    ) {
        for state in World::after(&events, [0; N]).past {
            let mut bytes = state.encode();
            let damaged = place.index(bytes.len());
            bytes[damaged] = byte;
            if !whole {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(read) = ObjectState::decode(&bytes) {
                prop_assert_eq!(read.encode(), bytes);
                let _ = merge(&state, &read);
                let _ = read.conflicts(&key());
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let framed = [&[1, 0][..], &bytes].concat();
        for bytes in [&bytes, &framed] {
            if let Ok(state) = ObjectState::decode(bytes) {
                prop_assert_eq!(&state.encode(), bytes);
            }
        }
    }

    #[test]
    fn what_is_read_where_the_bytes_lie_is_what_the_states_say(events in events(), skews in any::<[u8; N]>()) {
        let past = World::after(&events, skews).past;
        let encoded: Vec<Vec<u8>> = past.iter().map(ObjectState::encode).collect();
        for (state, bytes) in past.iter().zip(&encoded) {
            let plain = PlainState::read(bytes);
            prop_assert_eq!(plain, state.as_plain());
            if let Some(plain) = plain.filter(|plain| plain.row != row(99).as_ref()) {
                prop_assert_eq!(&plain.write(Vec::new()), bytes);
                prop_assert_eq!(plain.newest(), state.newest());
                let (next, clock) = (row(99), Hlc::new(1_000, 0).expect("in range"));
                let mut loaded = state.clone();
                loaded.load_row(next.clone(), clock, plain.owner).expect("its own row");
                let quick = plain.loaded(next.as_ref(), clock).expect("a clock");
                prop_assert_eq!(quick.write(Vec::new()), loaded.encode());
            }
        }
        for (a, one) in past.iter().zip(&encoded) {
            for (b, other) in past.iter().zip(&encoded) {
                let both = PlainState::read(one).zip(PlainState::read(other));
                let Some((plain, incoming)) = both else { continue };
                let Some(quick) = plain.merge(&incoming) else { continue };
                let merged = merge(a, b).expect("one owner");
                prop_assert_eq!(quick.state.write(Vec::new()), merged.state.encode());
                prop_assert_eq!(quick.changed, merged.changed);
            }
        }
    }

    #[test]
    fn bytes_that_are_no_plain_state_are_not_taken_for_one(
        value in any::<u8>(), at in any::<Index>(), with in any::<u8>(), cut in any::<Index>(),
    ) {
        let hlc = Hlc::new(7, 1).expect("in range");
        let mut state = ObjectState::blank(hlc, enrollment(0));
        state.load_row(row(value), hlc, enrollment(0)).expect("a row");
        let bytes = state.encode();
        let mut altered = bytes.clone();
        let place = at.index(altered.len());
        altered[place] = with;
        let plain = PlainState::read(&altered);
        let decoded = ObjectState::decode(&altered).ok();
        prop_assert_eq!(plain, decoded.as_ref().and_then(ObjectState::as_plain));
        prop_assert_eq!(PlainState::read(&bytes[..cut.index(bytes.len())]), None);
    }
}
