//! The numbers as text.

use std::sync::atomic::AtomicU64;

use peerd_core::Time;
use peerd_core::link::Status;
use peerd_core::policy::Direction;
use peerd_node::exchange::{Tally, Way};
use peerd_node::reading::{OpenConnection, Reading};
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::Commits;

/// Labels of one number.
type Labels = Vec<(&'static str, String)>;
type Number = Gauge<f64, AtomicU64>;

const WAYS: [Direction; 2] = [Direction::Export, Direction::Import];

const STATUSES: [Status; 5] = [
    Status::Pending,
    Status::Healthy,
    Status::Degraded,
    Status::Down,
    Status::Blocked,
];

/// What the node does not know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) started_at: Time,
    pub(crate) leaf_expires_at: Time,
    pub(crate) store_bytes: u64,
    pub(crate) blob_bytes: u64,
}

/// All of it, as a scrape reads it.
pub(super) fn encode(
    reading: &Reading,
    tally: &Tally,
    commits: &Commits,
    facts: &Facts,
) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("peerd");
    daemon(&mut registry, facts);
    peers(&mut registry, reading);
    flows(&mut registry, &reading.open);
    exchanged(&mut registry, tally);
    registry.register_with_unit(
        "store_commit_duration",
        "How long commits took that were written",
        Unit::Seconds,
        commits.seconds.clone(),
    );
    let failed = Family::<Labels, Counter>::default();
    for (outcome, count) in [("conflict", &commits.conflicts), ("error", &commits.failures)] {
        count_in(&failed, &vec![("outcome", outcome.to_owned())], count.now());
    }
    registry.register("store_commit_failures", "Commits that wrote nothing", failed);
    let mut out = String::new();
    text::encode(&mut out, &registry)?;
    Ok(out)
}

fn daemon(registry: &mut Registry, facts: &Facts) {
    let build = Family::<Labels, Number>::default();
    let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    build.get_or_create(&version).set(1.0);
    registry.register("build_info", "The version that runs", build);
    let one = |registry: &mut Registry, name: &str, help: &str, value: f64| {
        let gauge = Number::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    };
    let Facts {
        started_at,
        leaf_expires_at,
        store_bytes,
        blob_bytes,
    } = *facts;
    one(
        registry,
        "start_time_seconds",
        "When the daemon started, since 1970",
        seconds(started_at),
    );
    one(
        registry,
        "leaf_certificate_expiry_seconds",
        "When the TLS certificate for peers ends, since 1970",
        seconds(leaf_expires_at),
    );
    one(
        registry,
        "store_size_bytes",
        "What the store takes on disk",
        big(store_bytes),
    );
    one(
        registry,
        "content_size_bytes",
        "What content takes on disk",
        big(blob_bytes),
    );
}

fn peers(registry: &mut Registry, reading: &Reading) {
    let links = Family::<Labels, Number>::default();
    for status in STATUSES {
        let count = reading.links.get(status.as_str()).copied().unwrap_or(0);
        let labels = vec![("status", status.as_str().to_owned())];
        links.get_or_create(&labels).set(f64::from(count));
    }
    registry.register("links", "Links by status", links);
    let connections = Family::<Labels, Number>::default();
    for (stage, count) in &reading.connections {
        let labels = vec![("stage", (*stage).to_owned())];
        connections.get_or_create(&labels).set(f64::from(*count));
    }
    registry.register("connections", "Connections by stage", connections);
    let omitted = Number::default();
    omitted.set(big(reading.omitted as u64));
    registry.register(
        "connections_omitted",
        "Open connections that have no numbers of their own here, since there are too many",
        omitted,
    );
    let readable = Number::default();
    readable.set(if reading.policies_readable { 1.0 } else { 0.0 });
    registry.register(
        "policies_readable",
        "0 when everything is denied, since policies cannot be read",
        readable,
    );
    let refused = Counter::<u64>::default();
    refused.inc_by(reading.refused_messages);
    registry.register(
        "lifecycle_messages_refused",
        "Messages of peers that no step allowed",
        refused,
    );
}

fn flows(registry: &mut Registry, open: &[OpenConnection]) {
    let healthy = Family::<Labels, Number>::default();
    let acknowledged = Family::<Labels, Number>::default();
    let lag = Family::<Labels, Number>::default();
    let parked = Family::<Labels, Number>::default();
    let in_sync = Family::<Labels, Number>::default();
    for connection in open {
        let labels = vec![("connection", connection.id.to_string())];
        let is_healthy = connection.status == Status::Healthy;
        healthy
            .get_or_create(&labels)
            .set(f64::from(u8::from(is_healthy)));
        if let Some(at) = connection.last_acknowledged_at {
            acknowledged.get_or_create(&labels).set(seconds(at));
        }
        for feed in &connection.feeds {
            let labels = vec![
                ("connection", connection.id.to_string()),
                ("direction", word(feed.direction).to_owned()),
                ("type", feed.object_type.clone()),
            ];
            lag.get_or_create(&labels).set(big(feed.lag));
            parked.get_or_create(&labels).set(big(feed.parked));
            in_sync
                .get_or_create(&labels)
                .set(f64::from(u8::from(feed.in_sync)));
        }
    }
    registry.register("connection_healthy", "1 while the connection is healthy", healthy);
    registry.register(
        "connection_acknowledged_seconds",
        "When the other side last acknowledged something, since 1970",
        acknowledged,
    );
    registry.register(
        "feed_lag",
        "Changes that are still to be looked at; 10,000 are counted",
        lag,
    );
    registry.register("feed_parked", "Objects that could not be applied", parked);
    registry.register("feed_in_sync", "1 while nothing waits", in_sync);
}

/// A number of each direction: its name, what it is, and where it is counted.
type OfWay = (&'static str, &'static str, fn(&Way) -> u64);

fn exchanged(registry: &mut Registry, tally: &Tally) {
    let of_ways: [OfWay; 5] = [
        ("exchange_batches", "Batches handed out or committed", |way| {
            way.batches.now()
        }),
        ("exchange_objects", "Objects in them", |way| way.objects.now()),
        ("exchange_bytes", "Bytes of these objects", |way| way.bytes.now()),
        ("exchange_parked", "Objects that were parked", |way| {
            way.parked.now()
        }),
        ("exchange_stream_failures", "Streams that broke", |way| {
            way.failures.now()
        }),
    ];
    for (name, help, count) in of_ways {
        let family = Family::<Labels, Counter>::default();
        for way in WAYS {
            let labels = vec![("direction", word(way).to_owned())];
            count_in(&family, &labels, count(tally.of(way)));
        }
        registry.register(name, help, family);
    }
    let decisions = Family::<Labels, Counter>::default();
    for way in WAYS {
        let counted = tally.of(way);
        for (outcome, count) in [("allowed", &counted.allowed), ("denied", &counted.denied)] {
            let labels = vec![
                ("direction", word(way).to_owned()),
                ("outcome", outcome.to_owned()),
            ];
            count_in(&decisions, &labels, count.now());
        }
    }
    registry.register("policy_decisions", "Decisions of the policies on data", decisions);
    for (name, help, count) in [
        (
            "exchange_resyncs",
            "Times everything was sent again",
            &tally.resyncs,
        ),
        ("knocks", "Attempts of others that were refused", &tally.knocks),
    ] {
        let counter = Counter::<u64>::default();
        counter.inc_by(count.now());
        registry.register(name, help, counter);
    }
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Export => "export",
        Direction::Import => "import",
    }
}

fn count_in(family: &Family<Labels, Counter>, labels: &Labels, count: u64) {
    family.get_or_create(labels).inc_by(count);
}

fn seconds(at: Time) -> f64 {
    std::time::Duration::from_micros(u64::try_from(at.as_micros()).unwrap_or(0)).as_secs_f64()
}

/// Exact up to what a float holds.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float, and nobody reads its last digits"
)]
fn big(count: u64) -> f64 {
    count as f64
}
