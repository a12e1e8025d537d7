//! One phase of a run: how long it took, and who worked how much for it.

use std::time::{Duration, Instant};

use peerd_tests::bench::rows::Rows;

/// How long a phase may take before the bench gives up: so long, and so much for each row.
const PATIENCE: Duration = Duration::from_mins(1);
const PATIENCE_PER_ROW: Duration = Duration::from_millis(1);

/// CPU time so far, in seconds: of clients that have ended, of the source, of the importer.
pub(crate) type Used = [f64; 3];

/// What a phase came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    pub(crate) rows: u64,
    pub(crate) seconds: f64,
    pub(crate) used: Used,
}

/// A phase that is going on.
#[derive(Debug)]
pub(crate) struct Running {
    began: Instant,
    before: Used,
}

impl Running {
    pub(crate) fn start(used: Used) -> Running {
        Running {
            began: Instant::now(),
            before: used,
        }
    }

    /// Starts the clock again; work before this counts, time does not.
    pub(crate) fn restart_clock(&mut self) {
        self.began = Instant::now();
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Ends it, after so many seconds.
    pub(crate) fn end(self, seconds: f64, rows: u64, used: Used) -> Phase {
        Phase {
            rows,
            seconds,
            used: std::array::from_fn(|who| used[who] - self.before[who]),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "row counts are far below what a double holds exactly"
)]
impl Phase {
    pub(crate) fn rows_per_second(&self) -> f64 {
        self.rows as f64 / self.seconds
    }

    /// CPU time for each row, of all together, in microseconds.
    pub(crate) fn cpu_us_per_row(&self) -> f64 {
        self.used.iter().sum::<f64>() * 1e6 / self.rows as f64
    }

    /// The same for each of them, as a text.
    pub(crate) fn shares(&self) -> String {
        let [client, source, importer] = self.used.map(|seconds| seconds * 1e6 / self.rows as f64);
        format!("client {client:.1}, source {source:.1}, importer {importer:.1}")
    }
}

/// How long a phase may take.
pub(crate) fn patience(rows: &Rows) -> Duration {
    PATIENCE + PATIENCE_PER_ROW * u32::try_from(rows.count).unwrap_or(u32::MAX)
}

/// Says at once what a phase came to.
pub(crate) fn told(name: &str, phase: Phase) -> Phase {
    eprintln!(
        "  {name}: {:.0} rows/s, {:.1} µs/row of CPU ({})",
        phase.rows_per_second(),
        phase.cpu_us_per_row(),
        phase.shares()
    );
    phase
}
