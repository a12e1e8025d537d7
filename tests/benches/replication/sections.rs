//! The groups of figures.

use std::time::Duration;

use peerd_tests::bench::rows::{self, Rows};
use peerd_tests::bench::table::Row;

use crate::latency::{self, LASTING, Latency, OBJECTS};
use crate::limit::Limit;
use crate::pair::Pair;
use crate::phase::Phase;
use crate::postgres::{self, Replica};
use crate::run::{self, Phases};
use crate::{Options, edits, wire};

/// Objects whose bytes on the network are counted.
const WIRE_OBJECTS: u64 = 20_000;
/// The sizes of stores whose costs are compared, and the largest, which takes long.
const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];
const LARGEST: u64 = 5_000_000;

type Pick = fn(&Phases) -> &Phase;
const PHASES: [(&str, Pick); 5] = [
    ("load at the source", |phases| &phases.load),
    ("bootstrap of the importer", |phases| &phases.bootstrap),
    ("live", |phases| &phases.live),
    ("updates, live", |phases| &phases.updates),
    ("catch-up of 1 % after a cut", |phases| &phases.catch_up),
];

/// What one system came to: its phases, and single edits while nothing else happens and at half its rate.
#[derive(Debug)]
struct Run {
    phases: Phases,
    edits: Option<[Latency; 2]>,
}

/// All phases on these rows, and single edits after them.
pub(crate) async fn replicated(
    options: &Options,
    rows: &Rows,
    limit: Option<&Limit>,
    edits: bool,
) -> anyhow::Result<Vec<Row>> {
    let ours = ours(rows, edits).await?;
    let theirs = theirs(options, rows, edits).await?;
    let mut table = Vec::new();
    for (name, pick) in PHASES {
        let theirs = theirs.as_ref().map(|run| pick(&run.phases));
        table.extend(beside(
            &format!("{name}, {}", rows.name),
            pick(&ours.phases),
            theirs,
        ));
    }
    if let Some(limit) = limit {
        let (figure, live) = (format!("live, {}", rows.name), ours.phases.live);
        let (slowest, all) = (limit.rows_per_second(), limit.cpu_us_per_row());
        let (rate, cpu) = (live.rows_per_second(), live.cpu_us_per_row());
        table.push(Row::new(
            figure.clone(),
            rate,
            "rows/s",
            "limit: the slowest part alone",
            slowest,
        ));
        table.push(Row::new(
            format!("{figure}: CPU"),
            cpu,
            "µs/row",
            "limit: all parts",
            all,
        ));
    }
    table.extend(memory(&ours.phases, rows));
    let loads = ["nothing else", "half the rate of updates"];
    for (place, load) in loads.iter().enumerate() {
        let Some(ours) = ours.edits.map(|edits| edits[place]) else {
            break;
        };
        let theirs = theirs
            .as_ref()
            .and_then(|run| run.edits)
            .map(|edits| edits[place]);
        for (quantile, (name, ms)) in ours.quantiles_ms.into_iter().enumerate() {
            table.push(Row {
                figure: format!(
                    "a single edit, {name}, {} a second and {load}",
                    latency::EDITS_PER_SECOND
                ),
                value: ms,
                unit: "ms",
                beside: theirs.map(|edits| ("PostgreSQL".to_owned(), edits.quantiles_ms[quantile].1)),
            });
        }
    }
    Ok(table)
}

async fn ours(rows: &Rows, edits: bool) -> anyhow::Result<Run> {
    eprintln!("measuring {}, peerd", rows.name);
    let pair = Pair::start(rows).await?;
    let phases = run::through_peerd(&pair, rows).await?;
    if !edits {
        return Ok(Run { phases, edits: None });
    }
    let sides = edits::Sides::of(&pair, rows);
    let rate = phases.updates.rows_per_second() / 2.0;
    let quiet = latency::measured(&sides, LASTING).await?;
    let busy = tokio::select! {
        busy = latency::measured(&sides, lasting(rows, rate)) => busy?,
        ended = endless(edits::busy(&pair, rows, rate)) => return ended,
    };
    Ok(Run {
        phases,
        edits: Some([told(quiet), told(busy)]),
    })
}

async fn theirs(options: &Options, rows: &Rows, edits: bool) -> anyhow::Result<Option<Run>> {
    let Some(programs) = &options.postgres else {
        return Ok(None);
    };
    eprintln!("measuring {}, PostgreSQL", rows.name);
    let replica = Replica::start(programs, rows).await?;
    let phases = postgres::through_postgres(&replica, rows).await?;
    if !edits {
        return Ok(Some(Run { phases, edits: None }));
    }
    let sides = postgres::Sides::of(&replica, rows).await?;
    let rate = phases.updates.rows_per_second() / 2.0;
    let quiet = latency::measured(&sides, LASTING).await?;
    let busy = tokio::select! {
        busy = latency::measured(&sides, lasting(rows, rate)) => busy?,
        ended = endless(postgres::busy(&replica, rows, rate)) => return ended,
    };
    Ok(Some(Run {
        phases,
        edits: Some([told(quiet), told(busy)]),
    }))
}

/// Work beside which something is measured: its end does not matter, its failure does.
async fn endless<T>(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<T> {
    work.await?;
    std::future::pending().await
}

/// How long edits go on while rows come at this rate: no longer than there are rows.
#[expect(
    clippy::cast_precision_loss,
    reason = "row counts are far below what a double holds exactly"
)]
fn lasting(rows: &Rows, rate: f64) -> Duration {
    let rows = rows.count.saturating_sub(OBJECTS as u64) as f64;
    LASTING.min(Duration::from_secs_f64(rows / rate))
}

fn told(edits: Latency) -> Latency {
    let [p50, p99, p999] = edits.quantiles_ms.map(|(_, ms)| ms);
    eprintln!("  edits: p50 {p50:.2} ms, p99 {p99:.2} ms, p99.9 {p999:.2} ms");
    edits
}

fn beside(figure: &str, ours: &Phase, theirs: Option<&Phase>) -> [Row; 2] {
    [
        Row {
            figure: figure.to_owned(),
            value: ours.rows_per_second(),
            unit: "rows/s",
            beside: theirs.map(|phase| ("PostgreSQL".to_owned(), phase.rows_per_second())),
        },
        Row {
            figure: format!("{figure}: CPU ({})", ours.shares()),
            value: ours.cpu_us_per_row(),
            unit: "µs/row",
            beside: theirs.map(|phase| (format!("PostgreSQL ({})", phase.shares()), phase.cpu_us_per_row())),
        },
    ]
}

fn memory(phases: &Phases, rows: &Rows) -> Vec<Row> {
    let sides = ["source", "importer"]
        .iter()
        .zip(phases.memory_mib.into_iter().flatten());
    sides
        .map(|(who, mib)| {
            let figure = format!("memory of the {who} at most, {}", rows.name);
            Row::alone(figure, mib, "MiB")
        })
        .collect()
}

/// Bytes on the network.
pub(crate) async fn wire(options: &Options) -> anyhow::Result<Vec<Row>> {
    eprintln!("measuring bytes on the network");
    let rows = rows::synthetic(WIRE_OBJECTS, options.keys)?;
    let ours = wire::bytes(&rows).await?;
    let theirs = match &options.postgres {
        Some(programs) => Some(postgres::bytes(programs, &rows).await?),
        None => None,
    };
    let row = |name: &str, ours: f64, theirs: Option<f64>| Row {
        figure: format!("on the network for each object, {name}"),
        value: ours,
        unit: "bytes",
        beside: theirs.map(|bytes| ("PostgreSQL".to_owned(), bytes)),
    };
    Ok(vec![
        row("bootstrap", ours.bootstrap, theirs.map(|bytes| bytes.bootstrap)),
        row("live", ours.live, theirs.map(|bytes| bytes.live)),
    ])
}

/// The same phases on stores of growing size, each beside the smallest.
pub(crate) async fn scale(options: &Options, largest: bool) -> anyhow::Result<Vec<Row>> {
    let mut table = Vec::new();
    let mut smallest: Option<Phases> = None;
    for size in SIZES.into_iter().chain(largest.then_some(LARGEST)) {
        let rows = rows::synthetic(size, options.keys)?;
        let phases = ours(&rows, false).await?.phases;
        let first = smallest.get_or_insert_with(|| phases.clone());
        let than = format!("with {} objects", SIZES[0]);
        for (name, pick) in PHASES {
            let (value, beside) = (pick(&phases), pick(first));
            let figure = format!("{name}, {}: CPU for a million", rows.name);
            let (value, beside) = (value.cpu_us_per_row(), beside.cpu_us_per_row());
            table.push(Row::new(figure, value, "s", than.clone(), beside));
        }
        for (row, first) in memory(&phases, &rows)
            .into_iter()
            .zip(first.memory_mib.into_iter().flatten())
        {
            table.push(Row {
                beside: Some((than.clone(), first)),
                ..row
            });
        }
    }
    Ok(table)
}
