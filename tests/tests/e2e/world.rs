//! Two enrollments on the way to each other, step by step.

use std::path::PathBuf;

use serde_json::Value;

use crate::process::Enrollment;

/// North asks, South approves.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) north: Enrollment,
    pub(crate) south: Enrollment,
}

/// A file of the samples.
pub(crate) fn sample(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy/samples")
        .join(name)
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

impl World {
    /// Two daemons that do not know each other.
    pub(crate) fn strangers() -> World {
        World {
            north: Enrollment::start("north"),
            south: Enrollment::start("south"),
        }
    }

    /// Both sides let each other in and out.
    pub(crate) fn allow(&self) {
        for (side, other) in [(&self.north, &self.south), (&self.south, &self.north)] {
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
                "any",
                "--justification",
                "the pilot",
                "--approve",
            ]);
            side.ctl(&[
                "policy",
                "ingress",
                "propose",
                "--source",
                "127.0.0.0/8",
                "--enrollment",
                "any",
                "--justification",
                "the pilot",
                "--approve",
            ]);
        }
    }

    /// One link code, entered at the other side; healthy at both ends.
    pub(crate) fn link(&self) {
        let invited = self.north.ctl(&["link", "invite"]);
        self.south
            .ctl(&["link", "accept", &text(&invited["code"]), "--name", "north"]);
        healthy(&self.south, "north");
        healthy(&self.north, &text(&invited["link_id"]));
    }

    /// A space with the sample ontology on both sides.
    pub(crate) fn spaces(&self) {
        for side in [&self.north, &self.south] {
            side.ctl(&["space", "create", "flights"]);
            let ontology = sample("flights.yaml");
            side.ctl(&["ontology", "apply", "flights", ontology.to_str().expect("a path")]);
        }
    }

    /// North's link to South.
    pub(crate) fn link_id(&self) -> String {
        text(&self.north.ctl(&["link", "list"])["items"][0]["link_id"])
    }

    /// A peer request of North for objects both ways; the connection and its code.
    pub(crate) fn request(&self) -> (String, String) {
        let asked = self.north.ctl(&[
            "connection",
            "request",
            "--space",
            "flights",
            "--link",
            &self.link_id(),
            "--export",
            "objects",
            "--import",
            "objects",
        ]);
        (text(&asked["connection_id"]), text(&asked["code"]))
    }

    /// An active connection.
    pub(crate) fn connect(&self) -> String {
        let (id, code) = self.request();
        self.south
            .ctl(&["connection", "approve", &code, "--space", "flights"]);
        self.north.ctl(&[
            "connection",
            "wait",
            &id,
            "--stage",
            "approved",
            "--timeout",
            "60s",
        ]);
        self.north.ctl(&["connection", "activate", &id]);
        self.south
            .ctl(&["connection", "wait", &id, "--stage", "active", "--timeout", "60s"]);
        id
    }

    /// Everything up to shared airports.
    pub(crate) fn peered() -> (World, String) {
        let world = World::strangers();
        world.allow();
        world.link();
        world.spaces();
        let id = world.connect();
        world.share(&id);
        (world, id)
    }

    /// Both sides share their airports.
    pub(crate) fn share(&self, id: &str) {
        for side in [&self.north, &self.south] {
            side.ctl(&["mapping", "share", id, "airport"]);
        }
    }

    /// Waits until both sides show a connection in this stage.
    pub(crate) fn stage(&self, id: &str, stage: &str) {
        for side in [&self.north, &self.south] {
            side.eventually(&format!("the connection is {stage}"), |side| {
                (side.say(&format!("connection show {id}"))["stage"] == stage).then_some(())
            });
        }
    }

    /// Loads the sample airports at North.
    pub(crate) fn load(&self) -> Value {
        let airports = sample("airports.csv");
        let file = airports.to_str().expect("a path");
        self.north
            .ctl(&["object", "load", "flights", "airport", file, "--null", "NA"])
    }
}

/// How many live airports a side has.
pub(crate) fn count(side: &Enrollment) -> u64 {
    side.ctl(&["object", "count", "flights", "airport"])["count"]
        .as_u64()
        .expect("a number")
}

/// The property of an airport, as a side sees it.
pub(crate) fn property(side: &Enrollment, key: &str, name: &str) -> Value {
    side.ctl(&["object", "get", "flights", "airport", key])["properties"][name].clone()
}

/// Waits until a link is healthy, as this side sees it.
pub(crate) fn healthy(side: &Enrollment, link: &str) {
    side.eventually("the link is healthy", |side| {
        (side.ctl(&["link", "show", link])["status"] == "healthy").then_some(())
    });
}
