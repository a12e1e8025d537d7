//! A few nodes, a transport that loses, repeats, delays and reorders, operators that do as they please, processes
//! that end: whatever comes of it, the named invariants hold after every single event, and once the world is whole
//! again both sides of everything agree.
//!
//! A seed is a run: `PEERD_SIM_SEED=7` runs that one and prints its events, `PEERD_SIM_SEEDS=5000` runs that many.
//! Keys differ from run to run; nothing the world decides depends on them.

#[path = "sim/concrete.rs"]
mod concrete;
#[path = "sim/event.rs"]
mod event;
#[path = "sim/invariant.rs"]
mod invariant;
#[path = "sim/plan.rs"]
mod plan;
#[path = "sim/rest.rs"]
mod rest;
#[path = "sim/wire.rs"]
mod wire;
#[path = "sim/world.rs"]
mod world;

use world::World;

/// How many seeds a plain run takes.
const SEEDS: u64 = 200;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariants_hold_whatever_happens() {
    let asked = number("PEERD_SIM_SEED");
    let seeds = match asked {
        Some(seed) => seed..seed + 1,
        None => 0..number("PEERD_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let mut reached = world::Reached::default();
    for seed in seeds {
        let (world, outcome) = run(seed).await;
        if asked.is_some() {
            println!("{}", world.log().join("\n"));
        }
        if let Err(broken) = outcome {
            let log = world.log();
            let tail = log[log.len().saturating_sub(TAIL)..].join("\n");
            panic!(
                "seed {seed}: {broken}\n{tail}\nreplay: PEERD_SIM_SEED={seed} cargo test -p peerd-node --test sim \
                 invariants -- --nocapture"
            );
        }
        reached.add(&world);
    }
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
