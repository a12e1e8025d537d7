//! Making a data directory of a backup.
//!
//! The file is read twice: once to see that it is whole, and once to use it. What is made is made beside its place and
//! moved there when everything in it was checked; until then there is nothing at the place.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bytes::Bytes;
use peerd_core::{Blob, EnrollmentId, Time};
use peerd_identity::Identity;
use peerd_store::backup::{Counts, Frame, Manifest, Reader};
use peerd_store::embedded::{Options, Restoring};
use peerd_store::records::Restored;
use peerd_store::{Blobs, Embedded, Entry, Record as _, Revision, record, verify_chain};
use tokio::task::spawn_blocking;

use crate::backup::{identity_files, is_identity_file};
use crate::config::{self, Config, RawConfig};
use crate::{files, wire};

/// Why a directory is not made of a backup, where scripts are told so by the exit code.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is something at the place already. Nothing was changed.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// The file is no backup, or not a whole one. Nothing was written.
    #[error("{} cannot be restored", path.display())]
    Backup {
        /// The file.
        path: PathBuf,
        /// Why.
        source: peerd_store::backup::Error,
    },
    /// The identity is another enrollment's. Nothing was written.
    #[error("the backup is of {}, and the identity of {}", backup.short(), identity.short())]
    OtherIdentity {
        /// Whose backup it is.
        backup: EnrollmentId,
        /// Whose identity.
        identity: EnrollmentId,
    },
    /// The backup has no identity. Nothing was written.
    #[error("the backup holds no identity: name the directory that does, with --identity")]
    NoIdentity,
}

/// What is restored.
#[derive(Debug)]
pub(crate) struct Source {
    /// The backup.
    pub(crate) file: PathBuf,
    /// Where the identity is, when it is not in it.
    pub(crate) identity: Option<PathBuf>,
}

/// What was restored.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) manifest: Manifest,
    pub(crate) counts: Counts,
}

/// Makes the directory.
pub(crate) async fn restore(source: Source, dir: PathBuf, now: Time) -> anyhow::Result<Outcome> {
    if dir.symlink_metadata().is_ok() {
        return Err(Error::Exists(dir).into());
    }
    let outcome = spawn_blocking({
        let file = source.file.clone();
        move || examine(&file)
    });
    let outcome = outcome.await??;
    let parent = dir.parent().context("the directory has no parent")?.to_owned();
    fs::create_dir_all(&parent)?;
    // Removed again when anything below fails.
    let staged = tempfile::Builder::new()
        .prefix(".peerd-restore-")
        .tempdir_in(&parent)?;
    let at = staged.path().to_owned();
    fill(&source, &at, &outcome, now).await?;
    files::sync_dir(&at)?;
    fs::rename(staged.keep(), &dir)?;
    files::sync_dir(&parent)?;
    Ok(outcome)
}

/// Reads all of it, and keeps nothing but what it says of itself.
fn examine(path: &Path) -> anyhow::Result<Outcome> {
    let mut reader = open(path)?;
    let mut manifest = None;
    while let Some(frame) = reader.next().map_err(|source| damaged(path, source))? {
        if let Frame::Manifest(read) = frame {
            manifest = Some(read);
        }
    }
    Ok(Outcome {
        manifest: manifest.context("a whole backup says what it is of")?,
        counts: reader.counts(),
    })
}

async fn fill(source: &Source, at: &Path, outcome: &Outcome, now: Time) -> anyhow::Result<()> {
    let (path, target) = (source.file.clone(), at.to_owned());
    let manifest = outcome.manifest.clone();
    spawn_blocking(move || write_records(&path, &target, &manifest, now)).await??;
    identify(source, at, outcome.manifest.enrollment_id)?;
    let config = Config::load(&at.join(config::FILE), [], RawConfig::default(), at)?;
    let blobs = wire::open_blobs(&config.blobs).await?;
    write_blobs(&source.file, blobs.as_ref()).await?;
    let store = spawn_blocking({
        let path = at.join("store");
        move || Embedded::open(&path, &Options::default())
    });
    let store = store.await??;
    let chain = verify_chain(&store).await;
    peerd_store::Store::close(&store).await;
    let chain = chain?;
    anyhow::ensure!(chain.ok, "the audit chain in the backup does not fit together");
    Ok(())
}

/// Everything but content.
fn write_records(path: &Path, at: &Path, manifest: &Manifest, now: Time) -> anyhow::Result<()> {
    let mut reader = open(path)?;
    let mut restoring = Embedded::restore(at.join("store"), &Options::default())?;
    let mut heads = Revision(0);
    while let Some(frame) = reader.next().map_err(|source| damaged(path, source))? {
        match frame {
            Frame::Heads(revision) => heads = revision,
            Frame::Rows(table, rows) => restoring.put(table, rows)?,
            Frame::File { name, bytes } => write_file(at, &name, &bytes)?,
            Frame::Manifest(_) | Frame::Blob(_) | Frame::Part(_) | Frame::End { .. } => {}
        }
    }
    if !at.join(config::FILE).exists() {
        write_file(at, config::FILE, b"")?;
    }
    mark(&mut restoring, heads, manifest, now)?;
    restoring.finish(Revision(heads.0 + 1))?;
    Ok(())
}

/// Leaves the record by which the first start knows what it starts on.
fn mark(restoring: &mut Restoring, heads: Revision, manifest: &Manifest, now: Time) -> anyhow::Result<()> {
    let restored = Restored {
        backed_up_at: manifest.created_at,
        restored_at: now,
    };
    let entry = Entry {
        revision: Revision(heads.0 + 1),
        value: record::encode(&restored)?,
    };
    restoring.put(Restored::TABLE, vec![(Bytes::from(restored.key()), entry)])?;
    Ok(())
}

/// Only what a data directory is known to have is written, and nothing elsewhere. The store and content are where they
/// are by default, whatever the configuration said of the machine that is gone.
fn write_file(at: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    if name == config::FILE {
        let text = std::str::from_utf8(bytes).context("the configuration is no text")?;
        let mut raw: RawConfig = toml::from_str(text).context("the configuration cannot be read")?;
        (raw.data_dir, raw.store.path, raw.store.blobs.path) = (None, None, None);
        return Ok(files::create(&at.join(name), raw.to_toml()?.as_bytes())?);
    }
    anyhow::ensure!(
        is_identity_file(name),
        "the backup holds a file that does not belong there"
    );
    Ok(files::create(&at.join(name), bytes)?)
}

/// The identity is there, and it is the one of the backup.
fn identify(source: &Source, at: &Path, enrollment: EnrollmentId) -> anyhow::Result<()> {
    if let Some(dir) = &source.identity {
        let names = identity_files(dir).with_context(|| dir.display().to_string())?;
        for name in names {
            let bytes = fs::read(dir.join(&name)).with_context(|| dir.join(&name).display().to_string())?;
            files::replace(&at.join(&name), &bytes)?;
        }
    }
    if !at.join(peerd_identity::CERTIFICATE_FILE).exists() {
        return Err(Error::NoIdentity.into());
    }
    let identity = Identity::load(at)?.enrollment_id();
    if identity != enrollment {
        return Err(Error::OtherIdentity {
            backup: enrollment,
            identity,
        }
        .into());
    }
    Ok(())
}

/// Content, each under the hash that its bytes have.
async fn write_blobs(path: &Path, blobs: &dyn Blobs) -> anyhow::Result<()> {
    let mut reader = open(path)?;
    let mut begun: Option<(Blob, Box<dyn peerd_store::blobs::Upload>)> = None;
    let mut number = 0_u128;
    loop {
        let frame = reader.next().map_err(|source| damaged(path, source))?;
        if !matches!(frame, Some(Frame::Part(_)))
            && let Some((blob, upload)) = begun.take()
        {
            let kept = upload.finish().await?;
            anyhow::ensure!(kept == blob, "the content {} in the backup is damaged", blob.hash);
        }
        match frame {
            None => return Ok(()),
            Some(Frame::Blob(blob)) => {
                number += 1;
                let id = peerd_core::UploadId::from_bytes(number.to_be_bytes());
                begun = Some((blob, blobs.upload(id).await?));
            }
            Some(Frame::Part(bytes)) => {
                if let Some((_, upload)) = &mut begun {
                    upload.write(bytes).await?;
                }
            }
            Some(_) => {}
        }
    }
}

fn open(path: &Path) -> anyhow::Result<Reader<BufReader<File>>> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let reader = Reader::new(BufReader::with_capacity(1 << 20, file));
    Ok(reader.map_err(|source| damaged(path, source))?)
}

fn damaged(path: &Path, source: peerd_store::backup::Error) -> Error {
    Error::Backup {
        path: path.to_owned(),
        source,
    }
}
