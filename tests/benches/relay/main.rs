//! One table of figures: how fast bundles of a data relay are written and read in both forms, how large they are, and
//! beside it what cannot be exceeded. How to run it and what each figure means is in `docs/bench.md`.
//!
//! Nothing here passes or fails by a time: a run ends with an error only when something does not work.

use std::borrow::Cow;
use std::time::Instant;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use peerd_core::ontology::Schema;
use peerd_core::security::Security;
use peerd_core::{ConnectionId, Time};
use peerd_identity::{EcdsaVerifier, Identity, SealingKeys};
use peerd_node::exchange::{Change, Flow, Item};
use peerd_relay::record::Objects;
use peerd_relay::{
    Digest, Facts, Limits, LinkEpoch, OpenForm, Opening, Records, Schemas, WriteForm, Writing, read, write,
};
use peerd_tests::bench::rows::{Keys, Rows, synthetic};
use peerd_tests::bench::states;
use peerd_tests::bench::table::{self, Row, Table};

mod limit;

const NOW: Time = Time::from_micros(1_767_225_600_000_000);
/// So many objects are in a bundle: about 4 MiB of states, as much as a batch over MPX has.
const BUNDLE_OBJECTS: usize = 8_000;

/// What the command line asks for.
#[derive(Debug)]
struct Options {
    objects: u64,
}

impl Options {
    fn read(words: impl Iterator<Item = String>) -> anyhow::Result<Options> {
        let mut options = Options { objects: 80_000 };
        for word in words {
            match word.split_once('=').unwrap_or((&word, "")) {
                // `cargo bench` adds it.
                ("--bench", _) => {}
                ("--objects", count) => options.objects = count.parse().context("--objects")?,
                _ => bail!("nothing is called {word}: --objects=N"),
            }
        }
        Ok(options)
    }
}

/// The schema of the objects, whoever asks.
#[derive(Debug)]
struct Known(Schema);

impl Schemas for Known {
    fn schema(&self, _: ConnectionId, _: &str, _: u64) -> Option<Cow<'_, Schema>> {
        Some(Cow::Borrowed(&self.0))
    }
}

/// A sender, a recipient, and what goes between them.
struct World {
    _dirs: [tempfile::TempDir; 2],
    sender: Identity,
    recipient: Identity,
    sealing: SealingKeys,
    known: Known,
    bundles: Vec<Records>,
    objects: usize,
    state_bytes: usize,
}

fn main() -> anyhow::Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    println!("{}\n", table::machine());
    let world = World::new(&synthetic(options.objects, Keys::Random)?)?;
    let mut table = Table::default();
    let limit = limit::measured(&world)?;
    table.rows.extend(limit.figures());
    let to = world.sealing.public().context("a key")?;
    let sealed = world.written(WriteForm::Sealed(to))?;
    let (xml_written, xml) = world.written(WriteForm::Xml(&world.known))?;
    let (sealed_written, sealed) = sealed;
    let sealed_read = world.read(&sealed, OpenForm::Sealed(&world.sealing))?;
    let xml_read = world.read(&xml, OpenForm::Xml(&world.known))?;
    for (form, files, written, read) in [
        ("sealed", &sealed, sealed_written, sealed_read),
        ("xml", &xml, xml_written, xml_read),
    ] {
        for (what, seconds, beside) in [("written", written, limit.writing), ("read", read, limit.reading)] {
            let objects = world.objects_per_second(seconds);
            let least = world.objects_per_second(beside);
            let figure = format!("{form}: objects {what}");
            table
                .rows
                .push(Row::new(figure, objects, "objects/s", "the limit line", least));
            let megabytes = world.megabytes_per_second(seconds);
            table
                .rows
                .push(Row::alone(format!("{form}: states {what}"), megabytes, "MB/s"));
        }
        let each = world.bytes_each(files.iter().map(Bytes::len).sum());
        let plain = world.bytes_each(world.state_bytes);
        table.rows.push(Row::new(
            format!("{form}: an object in a file"),
            each,
            "bytes",
            "its state",
            plain,
        ));
    }
    println!("{table}");
    Ok(())
}

impl World {
    fn new(rows: &Rows) -> anyhow::Result<World> {
        let dirs = [tempfile::tempdir()?, tempfile::tempdir()?];
        let sender = Identity::create(dirs[0].path(), NOW)?;
        let recipient = Identity::create(dirs[1].path(), NOW)?;
        let sealing = SealingKeys::ensure(dirs[1].path(), &recipient)?;
        let of = states::object_type(rows)?;
        let states = states::states(rows, &rows.all, sender.enrollment_id(), NOW)?;
        let items = states.iter().zip(0_u64..).map(|(state, number)| Item {
            key: format!("{number:020}"),
            change: Change::State([&[0][..], &state.encode()].concat().into()),
        });
        let items = items.collect::<Vec<_>>();
        let state_bytes = items.iter().map(|item| match &item.change {
            Change::State(state) => state.len(),
            Change::Retraction => 0,
        });
        let state_bytes = state_bytes.sum();
        let bundles = items.chunks(BUNDLE_OBJECTS).map(|items| {
            Records::Objects(Objects {
                flow: Flow {
                    connection: ConnectionId::from_bytes([1; 16]),
                    object_type: of.name.to_string(),
                },
                cover: None,
                caught_up: false,
                items: items.to_vec(),
            })
        });
        Ok(World {
            _dirs: dirs,
            sealing,
            known: Known(Schema::of(&of)),
            bundles: bundles.collect(),
            objects: items.len(),
            state_bytes,
            sender,
            recipient,
        })
    }

    /// Writes all bundles: how long it took, and the files.
    fn written(&self, form: WriteForm<'_>) -> anyhow::Result<(f64, Vec<Bytes>)> {
        let limits = Limits::default();
        let writing = Writing {
            signer: &self.sender,
            form,
            limits: &limits,
        };
        let began = Instant::now();
        let files = self.bundles.iter().zip(1..).map(|(records, sequence)| {
            let facts = Facts {
                sender: self.sender.enrollment_id(),
                recipient: self.recipient.enrollment_id(),
                epoch: LinkEpoch::from_bytes([1; 16]),
                sequence,
                previous: Digest::default(),
                created_at: NOW,
                not_after: NOW.plus(std::time::Duration::from_hours(1)),
                security: Security::unrestricted(),
                schema_revision: 1,
                salt: [1; 16],
            };
            Ok(Bytes::from(write(&facts, records, &writing)?.bytes))
        });
        let files = files.collect::<anyhow::Result<Vec<_>>>()?;
        Ok((began.elapsed().as_secs_f64(), files))
    }

    /// Reads all bundles: how long it took.
    fn read(&self, files: &[Bytes], form: OpenForm<'_>) -> anyhow::Result<f64> {
        let limits = Limits::default();
        let opening = Opening {
            me: self.recipient.enrollment_id(),
            from: self.sender.enrollment_id(),
            keys: &[self.sender.public_key().clone()],
            verifier: &EcdsaVerifier,
            now: NOW,
            form,
            limits: &limits,
        };
        let began = Instant::now();
        let mut objects = 0;
        for file in files {
            objects += read(file.clone(), &opening)?.records.len();
        }
        anyhow::ensure!(objects == self.objects, "not all objects came");
        Ok(began.elapsed().as_secs_f64())
    }

    #[expect(clippy::cast_precision_loss, reason = "far below what a double holds exactly")]
    fn objects_per_second(&self, seconds: f64) -> f64 {
        self.objects as f64 / seconds
    }

    #[expect(clippy::cast_precision_loss, reason = "far below what a double holds exactly")]
    fn megabytes_per_second(&self, seconds: f64) -> f64 {
        self.state_bytes as f64 / 1e6 / seconds
    }

    #[expect(clippy::cast_precision_loss, reason = "far below what a double holds exactly")]
    fn bytes_each(&self, bytes: usize) -> f64 {
        bytes as f64 / self.objects as f64
    }
}
