//! What a daemon with many idle links needs, and how fast it starts.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::swarm::Swarm;
use peerd_tests::bench::daemon::{self, Daemon};
use peerd_tests::bench::operator::Operator;
use peerd_tests::bench::table::{Row, median_ms};

const FEW: usize = 100;
const MANY: usize = 1_000;
/// Starts whose median is told.
const STARTS: usize = 10;
const STARTS_WITH_LINKS: usize = 5;
/// How long links rest before anything is measured: two heartbeats.
const REST: Duration = Duration::from_secs(10);
/// Over how long the CPU time of idle links is measured: two heartbeats.
const IDLE: Duration = Duration::from_secs(10);
/// How long all links may take before the bench gives up.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often the daemon is asked for its healthy links meanwhile.
const INTERVAL: Duration = Duration::from_millis(500);

/// What a daemon with some links is like at rest.
#[derive(Clone, Copy, Debug)]
struct Reading {
    resident_kib: f64,
    cpu_seconds_per_minute: f64,
}

pub(crate) fn figures() -> anyhow::Result<Vec<Row>> {
    let mut hub = Daemon::init(daemon::program("peerd")?, "hub")?;
    let version_ms = version(&hub)?;
    let empty_ms = starts(&mut hub, STARTS)?;
    hub.start()?;
    let (none, few, many, linked_per_second) = readings(&hub)?;
    hub.stop()?;
    let full_ms = starts(&mut hub, STARTS_WITH_LINKS)?;

    let per_link = |reading: Reading, links: f64| (reading.resident_kib - none) / links;
    let (few_links, many_links) = (f64::from(u32::try_from(FEW)?), f64::from(u32::try_from(MANY)?));
    let (started, memory) = ("start until `ready`", "memory of the daemon");
    Ok(vec![
        Row::new(
            format!("{started}, empty store"),
            empty_ms,
            "ms",
            "`peerd --version`",
            version_ms,
        ),
        Row::new(
            format!("{started}, {MANY} links stored"),
            full_ms,
            "ms",
            "empty store",
            empty_ms,
        ),
        Row::new(
            format!("{memory}, {MANY} idle links"),
            many.resident_kib / 1_024.0,
            "MiB",
            "no link",
            none / 1_024.0,
        ),
        Row::new(
            format!("{memory} per link, {MANY} idle links"),
            per_link(many, many_links),
            "KiB",
            format!("per link at {FEW}"),
            per_link(few, few_links),
        ),
        Row::new(
            format!("CPU of the daemon, {MANY} idle links"),
            many.cpu_seconds_per_minute,
            "s/min",
            format!("{FEW} links"),
            few.cpu_seconds_per_minute,
        ),
        Row::new(
            format!("links invited, entered and healthy, {FEW} → {MANY}"),
            linked_per_second.1,
            "/s",
            format!("0 → {FEW}"),
            linked_per_second.0,
        ),
    ])
}

/// The memory of the daemon without links, in KiB; the daemon at rest with few and with many; and how many links a second came to be, up to few and from
/// there to many.
fn readings(hub: &Daemon) -> anyhow::Result<(f64, Reading, Reading, (f64, f64))> {
    let runtime = tokio::runtime::Runtime::new()?;
    let (api, token_file) = (hub.api()?, hub.data_dir().join("admin.token"));
    let operator = runtime.block_on(Operator::connect(&api, &token_file))?;
    runtime.block_on(operator.allow_loopback())?;
    // Nothing goes on without links, so there is nothing to wait for.
    let none = hub.resident_kib()?;
    let mut swarm = Swarm::start(&api, &token_file)?;
    let first = runtime.block_on(linked(&mut swarm, &operator, 0, FEW))?;
    let few = reading(hub)?;
    let then = runtime.block_on(linked(&mut swarm, &operator, FEW, MANY))?;
    let many = reading(hub)?;
    // Idle means that nothing was lost while it was measured.
    let healthy = runtime.block_on(operator.healthy())?;
    ensure!(healthy == MANY, "only {healthy} of {MANY} links are healthy");
    Ok((none, few, many, (first, then)))
}

fn reading(hub: &Daemon) -> anyhow::Result<Reading> {
    std::thread::sleep(REST);
    let (began, before) = (Instant::now(), hub.cpu_seconds()?);
    std::thread::sleep(IDLE);
    let used = hub.cpu_seconds()? - before;
    Ok(Reading {
        resident_kib: hub.resident_kib()?,
        cpu_seconds_per_minute: used * 60.0 / began.elapsed().as_secs_f64(),
    })
}

/// Brings the swarm from so many links to so many, all healthy as the daemon sees them; how many a second.
async fn linked(swarm: &mut Swarm, operator: &Operator, from: usize, to: usize) -> anyhow::Result<f64> {
    let began = Instant::now();
    swarm.grow(to)?;
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        interval.tick().await;
        let healthy = operator.healthy().await?;
        if healthy == to {
            break;
        }
        ensure!(
            began.elapsed() < PATIENCE,
            "only {healthy} of {to} links are healthy"
        );
    }
    Ok(f64::from(u32::try_from(to - from)?) / began.elapsed().as_secs_f64())
}

/// The median of some starts, in milliseconds. The daemon is stopped again.
fn starts(hub: &mut Daemon, count: usize) -> anyhow::Result<f64> {
    // The first one does what only a first one does.
    hub.start()?;
    hub.stop()?;
    let mut times = Vec::new();
    for _ in 0..count {
        times.push(hub.start()?);
        hub.stop()?;
    }
    Ok(median_ms(times))
}

/// The median of processes that do nothing but say their version, in milliseconds.
fn version(hub: &Daemon) -> anyhow::Result<f64> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        let mut command = Command::new(hub.program());
        let ran = command.arg("--version").stdout(Stdio::null()).status()?;
        ensure!(ran.success(), "`peerd --version` fails");
        times.push(began.elapsed());
    }
    Ok(median_ms(times))
}
