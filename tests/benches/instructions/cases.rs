//! What is counted. Each case prepares everything, and what it gives is the work that is left.

use std::any::Any;
use std::hint::black_box;
use std::pin::Pin;

use peerd_core::object::{ObjectState, merge};
use peerd_core::{EnrollmentId, Time};
use peerd_tests::bench::rows::{self, Keys, Rows};
use peerd_tests::bench::states::states;

use crate::world::World;

/// Objects of each case.
pub(crate) const OBJECTS: u64 = 1_000;

/// What is left to do once all is prepared, and is counted; it gives back what need not be freed in it.
pub(crate) type Work = Pin<Box<dyn Future<Output = anyhow::Result<Box<dyn Any>>>>>;
type Case = fn() -> Pin<Box<dyn Future<Output = anyhow::Result<Work>>>>;

/// `merge` takes what changed, `merge-same` what did not. `load`, `export` and `apply` are what a node does with rows at
/// its operators' port, with its feed, and with batches that arrive, up to a store in memory; `apply-changed` has all
/// objects already.
pub(crate) const CASES: &[(&str, Case)] = &[
    ("encode", || Box::pin(async { encode() })),
    ("decode", || Box::pin(async { decode() })),
    ("merge", || Box::pin(async { merged(true) })),
    ("merge-same", || Box::pin(async { merged(false) })),
    ("load", || Box::pin(load())),
    ("export", || Box::pin(export())),
    ("apply", || Box::pin(apply())),
    ("apply-changed", || Box::pin(apply_changed())),
];

const OWNER: EnrollmentId = EnrollmentId::from_bytes([7; 32]);
const FIRST: Time = Time::from_micros(1_767_225_600_000_000);
const LATER: Time = Time::from_micros(1_767_225_601_000_000);

fn objects() -> anyhow::Result<Rows> {
    rows::synthetic(OBJECTS, Keys::Sequential)
}

fn encode() -> anyhow::Result<Work> {
    let rows = objects()?;
    let states = states(&rows, &rows.all, OWNER, FIRST)?;
    Ok(Box::pin(async move {
        for state in &states {
            black_box(state.encode());
        }
        Ok(Box::new(states) as Box<dyn Any>)
    }))
}

fn decode() -> anyhow::Result<Work> {
    let rows = objects()?;
    let states = states(&rows, &rows.all, OWNER, FIRST)?;
    let encoded: Vec<Vec<u8>> = states.iter().map(ObjectState::encode).collect();
    Ok(Box::pin(async move {
        for bytes in &encoded {
            black_box(ObjectState::decode(bytes)?);
        }
        Ok(Box::new(encoded) as Box<dyn Any>)
    }))
}

fn merged(changed: bool) -> anyhow::Result<Work> {
    let rows = objects()?;
    let local = states(&rows, &rows.all, OWNER, FIRST)?;
    let incoming = if changed {
        states(&rows, &rows.changed, OWNER, LATER)?
    } else {
        local.clone()
    };
    Ok(Box::pin(async move {
        for (local, incoming) in local.iter().zip(&incoming) {
            black_box(merge(local, incoming)?);
        }
        Ok(Box::new((local, incoming)) as Box<dyn Any>)
    }))
}

async fn load() -> anyhow::Result<Work> {
    let rows = objects()?;
    let world = World::shared(&rows).await?;
    let lines = World::lines(&rows, &rows.all)?;
    Ok(Box::pin(async move {
        world.load(&rows, lines).await?;
        Ok(Box::new((rows, world)) as Box<dyn Any>)
    }))
}

async fn export() -> anyhow::Result<Work> {
    let rows = objects()?;
    let world = World::shared(&rows).await?;
    world.load(&rows, World::lines(&rows, &rows.all)?).await?;
    let mut stream = world.stream().await?;
    Ok(Box::pin(async move {
        let batches = stream.batches()?;
        Ok(Box::new((world, stream, batches)) as Box<dyn Any>)
    }))
}

async fn apply() -> anyhow::Result<Work> {
    let rows = objects()?;
    let world = World::shared(&rows).await?;
    world.load(&rows, World::lines(&rows, &rows.all)?).await?;
    let mut stream = world.stream().await?;
    let batches = stream.batches()?;
    Ok(Box::pin(async move {
        let acks = stream.apply(batches).await?;
        Ok(Box::new((world, stream, acks)) as Box<dyn Any>)
    }))
}

async fn apply_changed() -> anyhow::Result<Work> {
    let rows = objects()?;
    let world = World::shared(&rows).await?;
    world.load(&rows, World::lines(&rows, &rows.all)?).await?;
    let mut stream = world.stream().await?;
    let batches = stream.batches()?;
    for ack in stream.apply(batches).await? {
        stream.acknowledge(ack).await?;
    }
    world.load(&rows, World::lines(&rows, &rows.changed)?).await?;
    let batches = stream.batches()?;
    Ok(Box::pin(async move {
        let acks = stream.apply(batches).await?;
        Ok(Box::new((world, stream, acks)) as Box<dyn Any>)
    }))
}
