//! What cannot be exceeded: compressing and sealing the same states and nothing else, and the way back.

use std::time::Instant;

use anyhow::Context as _;
use peerd_identity::sealing::seal;
use peerd_node::exchange::Change;
use peerd_relay::Records;
use peerd_tests::bench::table::Row;

use crate::World;

/// Both, in seconds for all states.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) writing: f64,
    pub(crate) reading: f64,
    megabytes: f64,
}

impl Limit {
    pub(crate) fn figures(&self) -> Vec<Row> {
        vec![
            Row::alone(
                "limit: zstd and AES-256-GCM",
                self.megabytes / self.writing,
                "MB/s",
            ),
            Row::alone("limit: the way back", self.megabytes / self.reading, "MB/s"),
        ]
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below what a double holds exactly")]
pub(crate) fn measured(world: &World) -> anyhow::Result<Limit> {
    let plain = world.bundles.iter().map(|records| {
        let mut bytes = Vec::new();
        if let Records::Objects(objects) = records {
            for item in &objects.items {
                if let Change::State(state) = &item.change {
                    bytes.extend_from_slice(state);
                }
            }
        }
        bytes
    });
    let plain = plain.collect::<Vec<_>>();
    let to = world.sealing.public().context("a key")?;
    let began = Instant::now();
    let sealed = plain.iter().map(|bytes| {
        let packed = zstd::bulk::compress(bytes, 3)?;
        Ok(seal(to, b"", &packed)?)
    });
    let sealed = sealed.collect::<anyhow::Result<Vec<_>>>()?;
    let writing = began.elapsed().as_secs_f64();
    let began = Instant::now();
    for (sealed, plain) in sealed.iter().zip(&plain) {
        let packed = world
            .sealing
            .open(1, &sealed.encapsulated_key, b"", &sealed.body)?;
        anyhow::ensure!(zstd::bulk::decompress(&packed, plain.len())? == *plain);
    }
    Ok(Limit {
        writing,
        reading: began.elapsed().as_secs_f64(),
        megabytes: world.state_bytes as f64 / 1e6,
    })
}
