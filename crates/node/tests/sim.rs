//! A few nodes, a transport that loses, repeats, delays and reorders, operators that do as they please, processes
//! that end: whatever comes of it, the named invariants hold after every single event, and once the world is whole
//! again both sides of everything agree.
//!
//! A seed is a run: `PEERD_SIM_SEED=7` runs that one and prints its events, `PEERD_SIM_SEEDS=5000` runs that many.
//! Keys differ from run to run; nothing the world decides depends on them.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "sim/concrete.rs"]
mod concrete;
#[path = "sim/event.rs"]
mod event;
#[path = "sim/invariant.rs"]
mod invariant;
#[path = "sim/objects.rs"]
mod objects;
#[path = "sim/plan.rs"]
mod plan;
#[path = "sim/rest.rs"]
mod rest;
#[path = "sim/wire.rs"]
mod wire;
#[path = "sim/world.rs"]
mod world;

use tokio::task::JoinSet;
use world::World;

/// How many seeds a plain run takes.
const SEEDS: u64 = 160;
/// How many seeds run at once.
const WORKERS: usize = 8;
/// How much of the log a failure shows.
const TAIL: usize = 40;

/// Runs a seed to its end: the plan, then rest, then everything delivered a second time.
async fn run(seed: u64) -> (World, Result<(), String>) {
    let plan = plan::plan(seed);
    let mut world = World::new(plan.parties).await;
    let outcome = live(&mut world, &plan).await;
    (world, outcome)
}

async fn live(world: &mut World, plan: &plan::Plan) -> Result<(), String> {
    for intention in &plan.intentions {
        if let Some(event) = world.concrete(intention).await {
            world.happen(event).await?;
        }
    }
    world.come_to_rest().await?;
    world.agree().await?;
    world.replay_everything().await
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

/// Fails with all that is needed to see the same again.
fn check(seed: u64, world: &World, outcome: Result<(), String>, show: bool) {
    let log = world.log();
    if show {
        println!("{}", log.join("\n"));
    }
    if let Err(broken) = outcome {
        let tail = log[log.len().saturating_sub(TAIL)..].join("\n");
        panic!(
            "seed {seed}: {broken}\n{tail}\nreplay: PEERD_SIM_SEED={seed} cargo test -p peerd-node --test sim \
             invariants -- --nocapture"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariants_hold_whatever_happens() {
    let asked = number("PEERD_SIM_SEED");
    let seeds = match asked {
        Some(seed) => seed..seed + 1,
        None => 0..number("PEERD_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let mut reached = world::Reached::default();
    let mut runs = JoinSet::new();
    let mut ended = 0;
    for seed in seeds.clone() {
        runs.spawn(async move { (seed, run(seed).await) });
        // As many at once as there are workers: more would only take memory.
        if runs.len() >= WORKERS || seed + 1 == seeds.end {
            while let Some(outcome) = runs.join_next().await {
                let (seed, (world, outcome)) = outcome.expect("a run that ends");
                check(seed, &world, outcome, asked.is_some());
                reached.add(&world);
                ended += 1;
            }
        }
    }
    assert_eq!(ended, seeds.end - seeds.start, "every seed was run");
    println!("{reached:?}");
    if asked.is_none() {
        // A simulation in which nothing happens proves nothing.
        reached.assert_wide();
    }
}

#[tokio::test]
async fn a_seed_is_a_run() {
    for seed in [1, 2, 3] {
        let (first, outcome) = run(seed).await;
        outcome.expect("invariants");
        let (second, _) = run(seed).await;
        assert_eq!(first.log(), second.log(), "seed {seed}");
    }
}
