//! Three daemons in a ring: what came over one connection goes out over the next where its sender says so.

use crate::process::Enrollment;
use crate::world::{count, healthy, property, sample, text};

fn allow(side: &Enrollment, other: &Enrollment) {
    let (host, port) = other.mpx.split_once(':').expect("host:port");
    side.ctl(&[
        "policy",
        "egress",
        "propose",
        "--destination",
        host,
        "--port",
        port,
        "--enrollment",
        &other.id(),
        "--justification",
        "a ring",
        "--approve",
    ]);
    side.ctl(&[
        "policy",
        "ingress",
        "propose",
        "--source",
        "127.0.0.0/8",
        "--enrollment",
        &other.id(),
        "--justification",
        "a ring",
        "--approve",
    ]);
}

/// A connection that carries airports from one side to the other.
fn join(from: &Enrollment, to: &Enrollment) -> String {
    allow(from, to);
    allow(to, from);
    let invited = from.say("link invite");
    to.ctl(&["link", "accept", &text(&invited["code"]), "--name", "before"]);
    let link = text(&invited["link_id"]);
    healthy(from, &link);
    healthy(to, "before");
    let asked = from.say(&format!(
        "connection request --space flights --link {link} --export objects --import objects"
    ));
    let id = text(&asked["connection_id"]);
    to.ctl(&[
        "connection",
        "approve",
        &text(&asked["code"]),
        "--space",
        "flights",
    ]);
    from.say(&format!("connection wait {id} --stage approved --timeout 60s"));
    from.say(&format!("connection activate {id}"));
    to.say(&format!("connection wait {id} --stage active --timeout 60s"));
    from.say(&format!("mapping share {id} airport --no-import"));
    to.say(&format!("mapping share {id} airport --no-export"));
    id
}

fn ring() -> ([Enrollment; 3], [String; 3]) {
    let sides = ["north", "south", "west"].map(Enrollment::start);
    for side in &sides {
        side.say("space create flights");
        let ontology = sample("flights.yaml");
        side.ctl(&["ontology", "apply", "flights", ontology.to_str().expect("a path")]);
    }
    let [a, b, c] = &sides;
    let connections = [join(a, b), join(b, c), join(c, a)];
    (sides, connections)
}

fn airport(side: &Enrollment, key: &str) -> serde_json::Value {
    side.say(&format!("object get flights airport {key}"))
}

#[test]
fn b088_a_ring_of_three_daemons_passes_on_where_it_may_and_comes_to_rest() {
    let ([a, b, c], [ab, bc, ca]) = ring();
    let airports = sample("airports.csv");
    let file = airports.to_str().expect("a path");
    a.ctl(&["object", "load", "flights", "airport", file, "--null", "NA"]);
    b.eventually("everything of A arrived", |b| (count(b) == 1458).then_some(()));
    c.say("object create flights airport faa=CCC name=Own lat=1 lon=2 tz=0 dst=A tzone=UTC");

    // Off by default: B holds what is A's, and C gets nothing of it.
    assert_eq!(b.say(&format!("connection show {bc}"))["re_export"], false);
    b.say(&format!("connection wait {bc} --in-sync --timeout 60s"));
    assert_eq!(count(&c), 1);

    let set = b.say(&format!("connection set {bc} --re-export on"));
    assert_eq!(set["re_export"], true, "{set}");
    c.eventually("what is A's arrived through B", |c| {
        (count(c) == 1459).then_some(())
    });
    let seen = airport(&c, "JFK");
    assert_eq!(seen["origin_enrollment_id"], a.id(), "{seen}");
    assert_eq!(seen["source_enrollment_id"], a.id(), "{seen}");
    assert_eq!(
        (&seen["hops"], &seen["via_connection_id"]),
        (&2.into(), &bc.as_str().into())
    );
    let at_home = airport(&a, "JFK");
    assert_eq!(
        (&at_home["hops"], at_home["via_connection_id"].is_null()),
        (&0.into(), true)
    );

    // Round to A, where it is from, and on with what is C's: it comes to rest.
    c.say(&format!("connection set {ca} --re-export on"));
    a.say(&format!("connection set {ab} --re-export on"));
    a.eventually("what is C's arrived at A", |a| (count(a) == 1459).then_some(()));
    b.eventually("and went on to B", |b| (count(b) == 1459).then_some(()));
    a.ctl(&["object", "edit", "flights", "airport", "JFK", "name=Idlewild"]);
    c.eventually("an edit went on to C", |c| {
        (property(c, "JFK", "name") == "Idlewild").then_some(())
    });
    for (side, id) in [(&a, &ab), (&b, &bc), (&c, &ca)] {
        side.say(&format!("connection wait {id} --in-sync --timeout 60s"));
        let shown = side.say(&format!("connection show {id}"));
        for feed in shown["feeds"].as_array().expect("feeds") {
            assert_eq!((&feed["lag"], &feed["parked"]), (&0.into(), &0.into()), "{shown}");
        }
    }
    assert_eq!(airport(&a, "JFK")["hops"], 0);

    // Off again: taken back at C, and what is C's stays.
    b.say(&format!("connection set {bc} --re-export off"));
    c.eventually("C gave it back", |c| (count(c) == 1).then_some(()));
    a.eventually("A has its own", |a| {
        (property(a, "JFK", "name") == "Idlewild").then_some(())
    });
    assert_eq!(count(&a), 1459);
    let audited = b.say("audit list");
    let set = audited["items"].as_array().expect("records").iter();
    assert_eq!(
        set.filter(|record| record["action"] == "connection set").count(),
        2,
        "{audited}"
    );
    let viewer = b.principal("vera", "--role viewer --space flights");
    let denied = b.try_ctl_as(&viewer, &["connection", "set", &bc, "--re-export", "on"]);
    assert_eq!(denied.status.code(), Some(4));
    assert_eq!(b.say(&format!("connection show {bc}"))["re_export"], false);
}
