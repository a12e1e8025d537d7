//! Policies as operators live with them: the second person, expiry, questions; and who may do what.

use std::path::Path;

use crate::process::{Enrollment, refused, words};
use crate::world::{World, count, sample, text};

const ANYWHERE: &str = "--destination 127.0.0.1 --port 1-65535 --enrollment any --justification pilot";

fn say_as(side: &Enrollment, token: &Path, line: &str) -> serde_json::Value {
    let output = side.try_ctl_as(token, &words(line));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {stderr}");
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

#[test]
fn where_a_second_person_is_required_nobody_approves_their_own_policy() {
    let mut north = Enrollment::init("north");
    north.environment.push(("PEERD_POLICY__SECOND_PERSON", "true"));
    north.run();
    let olga = north.principal("olga", "--role security-officer");
    let propose = format!("policy egress propose {ANYWHERE}");

    north.say_fails(&format!("{propose} --approve"), 4, "SECOND_PERSON_REQUIRED");
    let none = north.say("policy list")["items"].clone();
    assert_eq!(none.as_array().map(Vec::len), Some(0), "{none}");

    let proposed = north.say(&propose);
    assert_eq!(proposed["state"], "pending", "{proposed}");
    let approve = format!("policy approve {}", text(&proposed["policy_id"]));
    north.say_fails(&approve, 4, "SECOND_PERSON_REQUIRED");
    let shown = north.say(&format!("policy show {}", text(&proposed["policy_id"])));
    assert_eq!(shown["state"], "pending", "{shown}");

    let approved = say_as(&north, &olga, &approve);
    assert_eq!(approved["state"], "active", "{approved}");
    assert_ne!(approved["decided_by"], approved["proposed_by"], "{approved}");

    // The rule is the same for the officer.
    let own = say_as(&north, &olga, &propose);
    let approve = format!("policy approve {}", text(&own["policy_id"]));
    let output = north.try_ctl_as(&olga, &words(&approve));
    refused(&approve, &output, 4, "SECOND_PERSON_REQUIRED");
    assert_eq!(north.say(&approve)["state"], "active");
}

#[test]
fn b107_a_policy_that_expires_stops_the_stream_by_itself() {
    let (world, id) = World::peered();
    let (north, south) = (&world.north, &world.south);
    north.say("object create flights airport faa=JFK name=Idlewild lat=1 lon=2");
    south.eventually("the stream flows", |south| (count(south) == 1).then_some(()));

    let policies = north.say("policy list --direction egress");
    let forever = text(&policies["items"][0]["policy_id"]);
    let brief = north.say(&format!(
        "policy egress propose {ANYWHERE} --expires 2s --approve"
    ));
    let brief = text(&brief["policy_id"]);
    north.say(&format!("policy revoke {forever}"));

    let expired = north.eventually("the policy is over", |north| {
        let shown = north.say(&format!("policy show {brief}"));
        (shown["state"] == "expired").then_some(shown)
    });
    assert!(expired["expires_at"].is_string(), "{expired}");
    let blocked = north.eventually("the connection is blocked", |north| {
        let shown = north.say(&format!("connection show {id}"));
        (shown["health"]["status"] == "blocked").then_some(shown)
    });
    assert!(
        text(&blocked["health"]["reason"]).contains("EGRESS_DENIED"),
        "{blocked}"
    );
    north.say("object create flights airport faa=LGA name=LaGuardia lat=1 lon=2");
    north.say_fails(&format!("policy resume {brief}"), 5, "WRONG_STAGE");
    assert_eq!(count(south), 1, "what came after the end did not cross");

    north.say(&format!("policy egress propose {ANYWHERE} --approve"));
    south.eventually("the stream flows again", |south| {
        (count(south) == 2).then_some(())
    });
}

#[test]
fn a_policy_check_answers_with_the_rule_and_the_exit_code() {
    let north = Enrollment::start("north");
    let peer = {
        let south = Enrollment::start("south");
        south.id()
    };
    let check = |rest: &str| {
        let line = format!("policy check --enrollment {peer} {rest}");
        let output = north.try_ctl(&words(&line));
        let answer: serde_json::Value =
            serde_json::from_slice(&output.stdout).expect("one JSON document on stdout");
        (output.status.code(), answer)
    };
    let reach = "--direction egress --address 127.0.0.1:7443";
    let (exit, answer) = check(reach);
    assert_eq!(exit, Some(4), "{answer}");
    assert_eq!(answer["allowed"], false, "{answer}");
    assert_eq!(answer["reason"], "EGRESS_DENIED", "{answer}");

    let proposed = north.say(&format!(
        "policy egress propose --destination 127.0.0.1 --port 7443 --enrollment {peer} --justification pilot"
    ));
    assert_eq!(check(reach).0, Some(4), "a proposal allows nothing");
    let policy = text(&proposed["policy_id"]);
    north.say(&format!("policy approve {policy}"));
    let (exit, answer) = check(reach);
    assert_eq!(exit, Some(0), "{answer}");
    assert_eq!(answer["allowed"], true, "{answer}");
    assert_eq!(answer["policy_id"], policy, "{answer}");

    assert_eq!(check("--direction egress --address 127.0.0.1:7444").0, Some(4));
    assert_eq!(check("--direction egress --address 127.0.0.2:7443").0, Some(4));
    assert_eq!(check("--direction egress --data objects").0, Some(0));
    let (exit, answer) = check("--direction ingress --data objects");
    assert_eq!(exit, Some(4), "{answer}");
    assert_eq!(answer["reason"], "INGRESS_DENIED", "{answer}");

    north.say(&format!("policy pause {policy}"));
    assert_eq!(check(reach).0, Some(4), "a paused policy allows nothing");
}

#[test]
fn b103_data_crosses_only_while_both_sides_allow_it() {
    let (world, id) = World::peered();
    let (north, south) = (&world.north, &world.south);
    let policy = |side: &Enrollment, direction: &str| {
        let listed = side.say(&format!("policy list --direction {direction}"));
        text(&listed["items"][0]["policy_id"])
    };
    let out = policy(north, "egress");
    let into = policy(south, "ingress");
    let blocked = |side: &Enrollment| {
        side.eventually("the connection is blocked", |side| {
            let shown = side.say(&format!("connection show {id}"));
            (shown["health"]["status"] == "blocked").then_some(())
        });
    };
    for (round, (allowed_out, allowed_in)) in [(true, true), (false, true), (true, false), (false, false)]
        .into_iter()
        .enumerate()
    {
        if !allowed_out {
            north.say(&format!("policy pause {out}"));
            blocked(north);
        }
        if !allowed_in {
            south.say(&format!("policy pause {into}"));
            blocked(south);
        }
        let objects = count(south);
        north.say(&format!(
            "object create flights airport faa=K{round} name=New lat=1 lon=2"
        ));
        if !(allowed_out && allowed_in) {
            assert_eq!(count(south), objects, "out {allowed_out}, in {allowed_in}");
        }
        if !allowed_in {
            south.say(&format!("policy resume {into}"));
        }
        if !allowed_out {
            assert_eq!(count(south), objects, "one side's leave is not enough");
            north.say(&format!("policy resume {out}"));
        }
        south.eventually("what waited has crossed", |south| {
            (count(south) == objects + 1).then_some(())
        });
    }
}

/// What a viewer may not do, beside what names an id.
const BEYOND_A_VIEWER: [&str; 19] = [
    "enrollment set-title Hers",
    "principal create mallory --role enrollment-admin",
    "principal list",
    "principal revoke admin",
    "space create hers",
    "space add-manager flights vera",
    "policy list",
    "link invite",
    "link list",
    "link knocks",
    "object create flights airport faa=LGA name=LaGuardia lat=1 lon=2",
    "object edit flights airport JFK name=Hers",
    "object delete flights airport JFK",
    "object set-security flights airport JFK --marking medical",
    "object conflicts flights",
    "marking create hers",
    "classification set-levels low high",
    "audit list",
    "audit verify",
];

#[test]
fn b049_a_viewer_reads_the_space_and_changes_nothing() {
    let world = World::strangers();
    let north = &world.north;
    world.allow();
    world.link();
    world.spaces();
    let id = world.connect();
    north.say("object create flights airport faa=JFK name=Idlewild lat=1 lon=2");
    let vera = north.principal("vera", "--role viewer --space flights");
    let link = world.link_id();
    let code = text(&world.south.say("link invite")["code"]);
    let policy = text(&north.say("policy list")["items"][0]["policy_id"]);
    let ontology = sample("flights.yaml");

    let named = [
        format!("policy approve {policy}"),
        format!("policy revoke {policy}"),
        format!("link accept {code} --name hers"),
        format!("link remove {link}"),
        format!("connection request --space flights --link {link} --export objects"),
        format!("connection activate {id}"),
        format!("connection disable {id}"),
        format!("connection close {id}"),
        format!("connection propose-security {id} --marking medical"),
        format!("mapping share {id} airport"),
        format!("ontology apply flights {}", ontology.display()),
        format!(
            "ontology export-xsd {id} {}",
            north.data_dir().join("xsd").display()
        ),
    ];
    for line in BEYOND_A_VIEWER
        .into_iter()
        .chain(named.iter().map(String::as_str))
    {
        refused(
            line,
            &north.try_ctl_as(&vera, &words(line)),
            4,
            "ROLE_INSUFFICIENT",
        );
    }
    for line in [
        "status",
        "enrollment show",
        "space list",
        "ontology show flights",
        "object list flights airport",
        "connection list",
        "classification show",
    ] {
        say_as(north, &vera, line);
    }
    let seen = say_as(north, &vera, "object get flights airport JFK");
    assert_eq!(seen["properties"]["name"], "Idlewild", "{seen}");
    let counted = say_as(north, &vera, "object count flights airport");
    assert_eq!(counted["count"], 1);
    assert_eq!(north.say(&format!("connection show {id}"))["stage"], "active");

    // Its token is worth nothing once it is revoked.
    north.say("principal revoke vera");
    let late = north.try_ctl_as(&vera, &["status"]);
    refused("status", &late, 4, "TOKEN_INVALID");
}

#[test]
fn b082_what_carries_a_marking_does_not_exist_for_whoever_lacks_it() {
    let world = World::strangers();
    let (north, south) = (&world.north, &world.south);
    world.allow();
    world.link();
    world.spaces();
    for line in ["marking create medical", "marking grant medical admin"] {
        north.say(line);
        south.say(line);
    }
    let asked = north.say(&format!(
        "connection request --space flights --link {} --export objects --import objects --marking medical",
        world.link_id()
    ));
    let id = text(&asked["connection_id"]);
    south.say(&format!(
        "connection approve {} --space flights",
        text(&asked["code"])
    ));
    north.say(&format!("connection wait {id} --stage approved --timeout 60s"));
    north.say(&format!("connection activate {id}"));
    world.stage(&id, "active");
    world.share(&id);
    for key in ["JFK", "LGA"] {
        north.say(&format!(
            "object create flights airport faa={key} name=New lat=1 lon=2"
        ));
    }
    north.say("object set-security flights airport JFK --marking medical");
    south.eventually("the marked object arrived", |south| {
        let output = south.try_ctl(&words("object get flights airport JFK"));
        let object: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        (object["markings"] == serde_json::json!(["medical"]) && count(south) == 2).then_some(())
    });

    let vera = south.principal("vera", "--role viewer --space flights");
    let hidden = || south.try_ctl_as(&vera, &words("object get flights airport JFK"));
    let counted = || say_as(south, &vera, "object count flights airport")["count"].clone();
    refused("get", &hidden(), 3, "NOT_FOUND");
    assert_eq!(counted(), 1);
    let listed = say_as(south, &vera, "object list flights airport")["items"].clone();
    assert!(!listed.to_string().contains("JFK"), "{listed}");
    // What it may not see cannot be told from what is not there.
    let missing = south.try_ctl_as(&vera, &words("object get flights airport XYZ"));
    let told = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).replace("XYZ", "JFK");
    assert_eq!(told(&hidden()), told(&missing));

    south.say("marking grant medical vera");
    assert!(hidden().status.success());
    assert_eq!(counted(), 2);
}
