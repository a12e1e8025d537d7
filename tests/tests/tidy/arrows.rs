//! Which crate may know of which.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::tree::{report, root};

/// Each of our crates and what it may depend on among them. A crate that is not here has no rule and fails.
const ARROWS: &[(&str, &[&str])] = &[
    ("peerd-core", &[]),
    ("peerd-wire", &["peerd-core"]),
    ("peerd-identity", &["peerd-core"]),
    ("peerd-store", &["peerd-core"]),
    ("peerd-node", &["peerd-core", "peerd-store"]),
    ("peerd-questions", &["peerd-core", "peerd-wire", "peerd-node"]),
    ("peerd-mpx", TRANSPORT),
    (
        "peerd-api",
        &[
            "peerd-core",
            "peerd-wire",
            "peerd-identity",
            "peerd-node",
            "peerd-relay",
        ],
    ),
    ("peerd-relay", TRANSPORT),
    ("peerd-console", &["peerd-core", "peerd-node"]),
    ("peerctl", &["peerd-core", "peerd-wire"]),
    ("peerd", DAEMON),
    (TESTKIT, TESTS),
    ("peerd-tests", TESTS),
];

/// What carries what the node says, one way or another.
const TRANSPORT: &[&str] = &[
    "peerd-core",
    "peerd-wire",
    "peerd-identity",
    "peerd-node",
    "peerd-questions",
];

/// What the daemon is wired from.
const DAEMON: &[&str] = &[
    "peerd-core",
    "peerd-wire",
    "peerd-identity",
    "peerd-store",
    "peerd-node",
    "peerd-mpx",
    "peerd-relay",
    "peerd-api",
    "peerd-console",
];

/// What tests of the whole may use: everything.
const TESTS: &[&str] = &[
    "peerd-core",
    "peerd-wire",
    "peerd-identity",
    "peerd-store",
    "peerd-node",
    "peerd-mpx",
    "peerd-relay",
    "peerd-api",
    "peerd-console",
    "peerd",
    "peerctl",
    TESTKIT,
];

/// Any crate's tests may use it, and nothing else may.
const TESTKIT: &str = "peerd-testkit";

/// What a crate's own tests may use beside it, and why. Its code may not.
const IN_TESTS: &[(&str, &str, &str)] = &[
    (
        "peerd-node",
        "peerd-identity",
        "tests of policies need real signatures",
    ),
    (
        "peerd-mpx",
        "peerd-store",
        "its tests make a whole side, from the store up",
    ),
    (
        "peerd-api",
        "peerd-store",
        "its tests break a record and ask for it",
    ),
    (
        "peerd-console",
        "peerd-store",
        "its tests look for what an upload left behind",
    ),
];

/// What from outside is for some of our crates only, and why.
const CONFINED: &[(&str, &[&str], &str)] = &[
    (
        "anyhow",
        &["peerd", "peerctl"],
        "below the binaries an error is a type that says whose fault it is",
    ),
    ("fjall", &["peerd-store"], "the engine is a backend's own affair"),
    ("rcgen", &["peerd-identity"], "certificates are made in one place"),
    (
        "tonic",
        &[
            "peerd-wire",
            "peerd-mpx",
            "peerd-api",
            "peerd",
            "peerctl",
            TESTKIT,
        ],
        "use-cases do not know how they are called",
    ),
    (
        "tokio",
        &[
            "peerd-store",
            "peerd-node",
            "peerd-mpx",
            "peerd-relay",
            "peerd-api",
            "peerd-console",
            "peerd",
            "peerctl",
            TESTKIT,
        ],
        "the domain and its edges are plain functions",
    ),
];

/// A dependency of one of our crates.
struct Dependency {
    of: String,
    on: String,
    dev: bool,
}

#[test]
fn our_crates_depend_on_each_other_only_along_the_arrows() {
    let (crates, dependencies) = workspace();
    let arrows = ARROWS.iter().copied().collect::<BTreeMap<_, _>>();
    let mut problems = Vec::new();
    for name in &crates {
        if !arrows.contains_key(name.as_str()) {
            problems.push(format!(
                "{name}: a new crate; say in ARROWS what it may depend on"
            ));
        }
    }
    for name in arrows.keys().filter(|name| !crates.contains(**name)) {
        problems.push(format!("{name}: has a rule and is no crate; remove the rule"));
    }
    for Dependency { of, on, dev } in dependencies
        .iter()
        .filter(|dependency| crates.contains(&dependency.on))
    {
        let allowed = arrows
            .get(of.as_str())
            .is_some_and(|allowed| allowed.contains(&on.as_str()));
        let tested = IN_TESTS.iter().any(|(by, uses, _)| by == of && uses == on);
        if !(allowed || *dev && (tested || on == TESTKIT)) {
            problems.push(format!("{of} must not depend on {on}"));
        }
    }
    report(&problems);
}

#[test]
fn what_is_confined_to_some_crates_stays_there() {
    let (_, dependencies) = workspace();
    let mut problems = Vec::new();
    for Dependency { of, on, dev } in &dependencies {
        let confined = CONFINED.iter().find(|(name, ..)| name == on);
        if let Some((_, places, reason)) = confined
            && !(*dev || of == "peerd-tests" || places.contains(&of.as_str()))
        {
            problems.push(format!("{of} must not depend on {on}: {reason}"));
        }
    }
    report(&problems);
}

/// Our crates, and every dependency of each.
fn workspace() -> (BTreeSet<String>, Vec<Dependency>) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root())
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata = serde_json::from_slice::<Value>(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let crates = packages.iter().map(|package| text(&package["name"])).collect();
    let dependencies = packages.iter().flat_map(|package| {
        let of = text(&package["name"]);
        let list = package["dependencies"].as_array().expect("dependencies");
        list.iter().map(move |dependency| Dependency {
            of: of.clone(),
            on: text(&dependency["name"]),
            dev: dependency["kind"] == "dev",
        })
    });
    (crates, dependencies.collect())
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
