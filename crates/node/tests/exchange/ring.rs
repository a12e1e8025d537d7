//! Three enrollments in a ring: what came over one connection goes out over the next only where its sender says so.

use std::sync::Arc;

use peerd_core::ConnectionId;
use peerd_core::Reason;
use peerd_core::authz::Action;
use peerd_core::link::Direction;
use peerd_core::object::Provenance;
use peerd_core::peering::Imported;
use peerd_core::policy::Side;
use peerd_core::security::Security;
use peerd_node::exchange::{Exporter, Flow, Importer};
use peerd_node::object::ObjectView;
use peerd_node::sharing::Ways;
use peerd_testkit::{Party, TestClock, carry};

use crate::pair::{OBJECTS, ask_over};
use crate::refused::load;
use crate::world::{AIRPORTS, BOTH, apply, at, count, drain, edit, name, peer};

const OUT: Ways = Ways {
    export: true,
    import: false,
};
const IN: Ways = Ways {
    export: false,
    import: true,
};

/// a to b to c to a.
struct Ring {
    parties: [Party; 3],
    connections: [ConnectionId; 3],
}

async fn join(from: &Party, to: &Party, (out, back): (Ways, Ways)) -> ConnectionId {
    for side in [Side::Egress, Side::Ingress] {
        from.permit(side, to.id()).await;
        to.permit(side, from.id()).await;
    }
    let invited = from
        .node()
        .invite_link(&from.admin, Direction::Bidirectional, None);
    let code = invited.await.unwrap().code;
    let name = "before".parse().unwrap();
    to.node().accept_link(&to.admin, &code, &name).await.unwrap();
    carry::enroll(to, from).await.unwrap();
    let link = from.link_to(to.id()).await.unwrap().id.to_string();
    let asked = from
        .node()
        .request_connection(&from.manager, ask_over(&link, OBJECTS));
    let asked = asked.await.unwrap();
    let approved = to
        .node()
        .approve_connection(&to.manager, &asked.code, "main", None);
    approved.await.unwrap();
    carry::carry_all(from, to).await;
    let activated = from.node().activate_connection(&from.manager, asked.id);
    activated.await.unwrap();
    carry::carry_all(from, to).await;
    for (party, ways) in [(from, out), (to, back)] {
        let types = ["airport".to_owned()];
        let shared = party.node().share_types(&party.manager, asked.id, &types, ways);
        shared.await.unwrap();
    }
    for (one, other) in [(from, to), (to, from)] {
        for told in one.node().sharings(&peer(one, other).await).await.unwrap() {
            let teller = peer(other, one).await;
            let taken = other
                .node()
                .receive_sharing(&teller, told.connection, told.revision, told.content);
            taken.await.unwrap();
        }
    }
    asked.id
}

impl Ring {
    async fn joined(ways: (Ways, Ways)) -> Ring {
        let clock = Arc::new(TestClock::default());
        let mut parties = Vec::new();
        for (name, number) in [("a", 1), ("b", 2), ("c", 3)] {
            let party = Party::founded(name, number, Arc::clone(&clock)).await;
            apply(&party, AIRPORTS).await;
            parties.push(party);
        }
        let parties: [Party; 3] = parties.try_into().unwrap();
        let [a, b, c] = &parties;
        let connections = [
            join(a, b, ways).await,
            join(b, c, ways).await,
            join(c, a, ways).await,
        ];
        Ring { parties, connections }
    }

    /// Lets the sender of this connection of the ring pass on what came over others.
    async fn pass_on(&self, from: usize, allowed: bool) {
        let party = &self.parties[from];
        let set = party
            .node()
            .set_re_export(&party.manager, self.connections[from], allowed);
        assert_eq!(set.await.unwrap().connection.re_export, allowed);
    }

    /// What moves over one connection of the ring, in its direction.
    async fn pump(&self, from: usize) -> (usize, usize) {
        let (from, to) = (from, (from + 1) % 3);
        self.carry_over(from, from, to).await
    }

    /// What moves against its direction.
    async fn pump_back(&self, from: usize) -> (usize, usize) {
        self.carry_over(from, (from + 1) % 3, from).await
    }

    async fn carry_over(&self, over: usize, from: usize, to: usize) -> (usize, usize) {
        let flow = Flow {
            connection: self.connections[over],
            object_type: "airport".into(),
        };
        let (from, to) = (&self.parties[from], &self.parties[to]);
        let opened = Importer::open(to.node(), &peer(to, from).await, flow.clone()).await;
        let mut importer = opened.unwrap();
        let position = importer.position().clone();
        let opened = Exporter::open(from.node(), &peer(from, to).await, flow, position).await;
        drain(&mut opened.unwrap(), &mut importer).await
    }

    /// Once around.
    async fn around(&self) -> [(usize, usize); 3] {
        [self.pump(0).await, self.pump(1).await, self.pump(2).await]
    }

    async fn view(&self, who: usize, key: &str) -> ObjectView {
        let party = &self.parties[who];
        party.node().object(&party.admin, &at(key)).await.unwrap()
    }

    async fn parked(&self) -> usize {
        let mut count = 0;
        for party in &self.parties {
            let listed = party.node().list_parked(&party.admin, None, None, 100).await;
            count += listed.unwrap().0.len();
        }
        count
    }
}

#[tokio::test]
async fn b088_imports_are_passed_on_only_where_the_sender_says_so() {
    let ring = Ring::joined((OUT, IN)).await;
    let [a, b, c] = &ring.parties;
    load(a, "EWR", "Newark").await;
    load(b, "LHR", "Heathrow").await;
    assert_eq!(ring.around().await, [(1, 0), (1, 0), (0, 0)]);
    assert_eq!((count(b).await, count(c).await), (2, 1), "off by default");

    ring.pass_on(1, true).await;
    assert_eq!(ring.pump(1).await, (1, 0), "only what differs is said");
    let seen = ring.view(2, "EWR").await;
    assert_eq!((seen.origin, seen.source.unwrap().owner), (a.id(), a.id()));
    let came = Provenance {
        hops: 2,
        via: Some(ring.connections[1]),
    };
    assert_eq!((seen.rid.enrollment, seen.provenance), (c.id(), came));
    load(a, "EWR", "Liberty").await;
    assert_eq!((ring.pump(0).await, ring.pump(1).await), ((1, 0), (1, 0)));
    assert_eq!(name(c, "EWR").await, name(a, "EWR").await);

    ring.pass_on(1, false).await;
    assert_eq!(ring.pump(1).await, (0, 1), "taken back");
    assert_eq!((count(c).await, name(c, "LHR").await.is_some()), (1, true));
    ring.pass_on(1, true).await;
    assert_eq!(ring.pump(1).await, (1, 0), "and sent again");
    assert_eq!(ring.parked().await, 0);
}

#[tokio::test]
async fn b088_a_ring_comes_to_rest() {
    let ring = Ring::joined((OUT, IN)).await;
    for from in 0..3 {
        ring.pass_on(from, true).await;
    }
    for (party, key) in ring.parties.iter().zip(["EWR", "LHR", "CDG"]) {
        load(party, key, "an airport").await;
    }
    for _ in 0..4 {
        ring.around().await;
    }
    assert_eq!(ring.around().await, [(0, 0); 3], "nothing goes round for ever");
    for party in &ring.parties {
        assert_eq!(count(party).await, 3);
    }
    for (owner, key) in [(0, "EWR"), (1, "LHR"), (2, "CDG")] {
        for who in 0..3 {
            assert_eq!(ring.view(who, key).await.origin, ring.parties[owner].id());
        }
    }
    // Two connections passed it on before the third brought it back to where it is from: it stays there as it was.
    ring.pass_on(0, false).await;
    for _ in 0..4 {
        ring.around().await;
    }
    assert_eq!(count(&ring.parties[0]).await, 3);
    assert_eq!(
        count(&ring.parties[1]).await,
        2,
        "c's object came to b through a alone"
    );
    assert_eq!(ring.around().await, [(0, 0); 3]);
    assert_eq!(ring.parked().await, 0);
}

#[tokio::test]
async fn b088_edits_go_both_ways_round_a_ring_and_come_to_rest() {
    let ring = Ring::joined((BOTH, BOTH)).await;
    for from in 0..3 {
        ring.pass_on(from, true).await;
        let to = &ring.parties[(from + 1) % 3];
        let set = to.node().set_re_export(&to.manager, ring.connections[from], true);
        set.await.unwrap();
    }
    crate::world::create(&ring.parties[0], "EWR", "Newark").await;
    let settle = async || {
        for _ in 0..12 {
            let mut moved = (0, 0);
            for over in 0..3 {
                let (there, back) = (ring.pump(over).await, ring.pump_back(over).await);
                moved = (moved.0 + there.0 + back.0, moved.1 + there.1 + back.1);
            }
            if moved == (0, 0) {
                return;
            }
        }
        panic!("the ring keeps talking");
    };
    settle().await;
    for party in &ring.parties {
        edit(party, "EWR", "edited").await;
    }
    settle().await;
    let [a, b, c] = &ring.parties;
    assert_eq!(name(a, "EWR").await, name(b, "EWR").await);
    assert_eq!(name(b, "EWR").await, name(c, "EWR").await);
    assert_eq!(ring.parked().await, 0);
}

#[tokio::test]
async fn b081_what_is_passed_on_never_displaces_what_came_from_elsewhere() {
    let ring = Ring::joined((OUT, IN)).await;
    let [a, _, c] = &ring.parties;
    // c has the object of its own; b passes a's on.
    load(a, "EWR", "of a").await;
    load(c, "EWR", "of c").await;
    ring.pass_on(1, true).await;
    ring.pump(0).await;
    assert_eq!(ring.pump(1).await, (1, 0));
    let seen = ring.view(2, "EWR").await;
    assert_eq!(seen.origin, c.id());
    let parked = c.node().list_parked(&c.admin, None, None, 10).await.unwrap().0;
    let reasons: Vec<_> = parked.iter().map(|it| it.reason).collect();
    assert_eq!(reasons, [Reason::SourceOwned]);
}

#[tokio::test]
async fn b049_who_may_set_re_export_and_where_it_is_recorded() {
    let ring = Ring::joined((OUT, IN)).await;
    let b = &ring.parties[1];
    let id = ring.connections[1];
    for (caller, reason) in [
        (&b.viewer, Reason::RoleInsufficient),
        (&b.other_manager, Reason::NotFound),
    ] {
        let denied = b.node().set_re_export(caller, id, true).await.unwrap_err();
        assert_eq!(denied.reason(), reason);
        assert!(!b.connection(id).await.unwrap().re_export);
    }
    ring.pass_on(1, true).await;
    ring.pass_on(1, true).await;
    let (records, _) = b.node().list_audit(&b.admin, None, None, 1_000).await.unwrap();
    let facts = records.iter().map(|record| &record.fact);
    let set = facts.filter(|fact| {
        fact.action() == Action::ConnectionSet.word() && fact.subjects().contains(&id.to_string())
    });
    assert_eq!(set.count(), 1, "what is so already is not done again");
}

#[tokio::test]
async fn b088_what_is_withdrawn_or_deleted_at_its_origin_goes_all_the_way() {
    let ring = Ring::joined((OUT, IN)).await;
    let [a, b, c] = &ring.parties;
    ring.pass_on(1, true).await;
    for key in ["EWR", "JFK", "LGA", "PHL"] {
        load(a, key, "an airport").await;
    }
    let on = async || [ring.pump(0).await, ring.pump(1).await];
    assert_eq!(on().await, [(4, 0); 2]);

    let deleted = a.node().delete_object(&a.admin, &at("JFK")).await;
    deleted.unwrap();
    assert_eq!(on().await, [(1, 0); 2], "a deletion is passed on like an edit");
    assert_eq!((count(b).await, count(c).await), (3, 3));

    let marking: peerd_core::name::Name = "medical".parse().unwrap();
    let admin = a.admin.principal().name.to_string();
    a.node().create_marking(&a.admin, marking.clone()).await.unwrap();
    let granted = a.node().grant_marking(&a.admin, &marking, &admin).await;
    granted.unwrap();
    let security = Security {
        classification: None,
        markings: ["medical".parse().unwrap()].into(),
    };
    let raised = a
        .node()
        .set_object_security(&a.admin, &at("EWR"), &security)
        .await;
    raised.unwrap();
    assert_eq!(on().await, [(0, 1); 2], "what a takes back, b takes back");
    assert_eq!((count(b).await, count(c).await), (2, 2));

    let lowered = Security::unrestricted();
    let lowered = a.node().set_object_security(&a.admin, &at("EWR"), &lowered).await;
    lowered.unwrap();
    assert_eq!(on().await, [(1, 0); 2], "and what it gives again, b gives again");
    assert_eq!(ring.view(2, "EWR").await.provenance.hops, 2);
    assert_eq!((count(b).await, count(c).await), (3, 3));

    // b ends its connection with a and gives back what came: then c does too.
    let ab = ring.connections[0];
    let closed = b.node().close_connection(&b.manager, ab, Imported::Purge, false);
    closed.await.unwrap();
    b.node().remove_due_imports().await.unwrap();
    load(b, "LHR", "Heathrow").await;
    assert_eq!(
        ring.pump(1).await,
        (1, 4),
        "b's own goes, what was a's is taken back"
    );
    assert_eq!((count(b).await, count(c).await), (1, 1));
    // What had gone can be b's own now.
    load(b, "EWR", "of b").await;
    assert_eq!(ring.pump(1).await, (1, 0));
    assert_eq!(ring.view(2, "EWR").await.origin, b.id());
    assert_eq!(ring.parked().await, 0);
}

#[tokio::test]
async fn b081_a_row_that_came_round_is_taken_from_its_owner_afterwards() {
    let ring = Ring::joined((BOTH, BOTH)).await;
    let [a, _, c] = &ring.parties;
    ring.pass_on(1, true).await;
    load(a, "EWR", "Newark").await;
    ring.pump(0).await;
    assert_eq!(ring.pump(1).await, (1, 0));
    assert_eq!(ring.view(2, "EWR").await.provenance.hops, 2);
    // a tells c itself: it is a's row, so it is taken, and from now on it is a's copy that c has.
    load(a, "EWR", "Liberty").await;
    assert_eq!(ring.pump_back(2).await, (1, 0));
    let came = Provenance {
        hops: 1,
        via: Some(ring.connections[2]),
    };
    assert_eq!(ring.view(2, "EWR").await.provenance, came);
    assert_eq!(name(c, "EWR").await, name(a, "EWR").await);
    // b still has the older one and passes it on: c has that already.
    assert_eq!(ring.parked().await, 0);
    ring.pump(0).await;
    ring.pump(1).await;
    assert_eq!(
        ring.parked().await,
        0,
        "word for word the same is nothing to refuse"
    );
    // And what b takes back is not b's to take.
    ring.pass_on(1, false).await;
    assert_eq!(ring.pump(1).await, (0, 1));
    assert_eq!(count(c).await, 1);
}
