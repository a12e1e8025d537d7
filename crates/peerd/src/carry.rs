//! `peerd relay carry`: a data relay's carrier for demonstrations and tests.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use peerd_core::Clock as _;
use peerd_relay::carry::{Carried, Carrier, Faults};

use crate::cli::say;
use crate::clock::SystemClock;

/// How often an outbox is looked into.
const TURN: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(crate) struct CarryArgs {
    /// The outbox that is emptied
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The inbox that is filled
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// How long each file takes, such as 200ms or 2s
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    delay: Duration,
    /// How likely a file is lost, from 0 to 1
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = probability)]
    loss: f64,
    /// How likely a file arrives twice, from 0 to 1
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = probability)]
    duplicate: f64,
    /// How many later files may overtake a file
    #[arg(long, value_name = "N", default_value_t = 0)]
    reorder: usize,
    /// How likely only the first part of a file arrives, from 0 to 1
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = probability)]
    tear: f64,
    /// What all chance comes from; the same seed does the same again
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    /// Carry what is there now, and end
    #[arg(long, conflicts_with = "watch")]
    once: bool,
    /// Carry whatever comes, until stopped; the default
    #[arg(long)]
    watch: bool,
}

impl CarryArgs {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let faults = Faults {
            delay: self.delay,
            loss: self.loss,
            duplicate: self.duplicate,
            reorder: self.reorder,
            tear: self.tear,
            seed: self.seed,
        };
        let (clock, mut total) = (SystemClock::default(), Carried::default());
        let mut carrier = Carrier::new(&self.from, &self.to, faults)?;
        loop {
            let turn = carrier.turn(clock.now(), self.once)?;
            add(&mut total, turn);
            if turn.delivered + turn.lost + turn.torn > 0 {
                say(&line(total))?;
            }
            if self.once && turn.waiting == 0 {
                return say(&line(total));
            }
            std::thread::sleep(TURN);
        }
    }
}

fn add(total: &mut Carried, turn: Carried) {
    let Carried {
        found,
        delivered,
        duplicated,
        torn,
        lost,
        waiting,
    } = turn;
    total.found += found;
    total.delivered += delivered;
    total.duplicated += duplicated;
    total.torn += torn;
    total.lost += lost;
    total.waiting = waiting;
}

fn line(total: Carried) -> String {
    let Carried {
        found,
        delivered,
        duplicated,
        torn,
        lost,
        waiting,
    } = total;
    format!(
        "found {found}  delivered {delivered}  duplicated {duplicated}  torn {torn}  lost {lost}  waiting {waiting}\n"
    )
}

fn duration(text: &str) -> anyhow::Result<Duration> {
    let signed: jiff::SignedDuration = text.parse().context("not a duration such as 2s")?;
    signed.try_into().context("a duration is not negative")
}

fn probability(text: &str) -> anyhow::Result<f64> {
    let share: f64 = text.parse().context("not a number")?;
    anyhow::ensure!((0.0..=1.0).contains(&share), "not between 0 and 1");
    Ok(share)
}
