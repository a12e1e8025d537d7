//! Writing a backup of a running daemon: what it streams, and beside it what only the data directory has.

use std::fs;
use std::io::{BufWriter, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use peerd_core::authz::Token;
use peerd_identity::SEALING_KEY_FILE;
use peerd_store::backup::{Counts, Frame, Writer};
use peerd_wire::admin::v1 as pb;
use peerd_wire::admin::v1::backup_service_client::BackupServiceClient;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};

use crate::health::{self, Target};
use crate::{admin_token, config, files};

/// Whether a file of a data directory is a part of the enrollment itself: an identity, the first or one that replaced it,
/// the key that opens sealed bundles, or the token of the first admin. Only a directory's owner reads them, so they come
/// from there and by no call.
pub(crate) fn is_identity_file(name: &str) -> bool {
    let identity = |rest: &str| {
        let rest = rest.strip_suffix(".key").or_else(|| rest.strip_suffix(".crt"));
        let number = rest.map(|rest| rest.strip_prefix('-'));
        match (rest, number) {
            (Some(""), _) => true,
            (_, Some(Some(number))) => number
                .parse::<u8>()
                .is_ok_and(|parsed| parsed.to_string() == number),
            _ => false,
        }
    };
    name == SEALING_KEY_FILE
        || name == admin_token::FILE
        || name.strip_prefix("identity").is_some_and(identity)
}

/// The files of the enrollment itself that are in a directory.
pub(crate) fn identity_files(dir: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        if let Some(name) = entry?.file_name().to_str()
            && is_identity_file(name)
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// How long the daemon may be silent.
const SILENCE_MAX: Duration = Duration::from_mins(1);

/// What a backup should be.
pub(crate) struct Wanted {
    /// The file to make.
    pub(crate) file: PathBuf,
    /// The data directory, when it is on this machine: its configuration goes along.
    pub(crate) data_dir: Option<PathBuf>,
    /// Whether content goes along.
    pub(crate) content: bool,
    /// Whether the identity does.
    pub(crate) identity: bool,
    /// Who asks.
    pub(crate) token: Token,
}

/// Makes the file, whole or not at all.
pub(crate) async fn back_up(target: Target, wanted: Wanted) -> anyhow::Result<Counts> {
    let there = wanted.file.symlink_metadata().is_ok();
    anyhow::ensure!(!there, "{} exists already", wanted.file.display());
    let mut bearer: MetadataValue<Ascii> = format!("Bearer {}", wanted.token.expose().as_str()).parse()?;
    bearer.set_sensitive(true);
    let channel = health::endpoint(target)?
        .connect()
        .await
        .context("the daemon cannot be reached")?;
    let mut request = Request::new(pb::CreateBackupRequest {
        without_content: !wanted.content,
    });
    request.metadata_mut().insert("authorization", bearer);
    let answer = BackupServiceClient::new(channel).create_backup(request).await;
    let mut pieces = answer.context("the daemon makes no backup")?.into_inner();

    let mut writer = Writer::new(BufWriter::new(files::begin(&wanted.file)?))?;
    let mut said = Counts::default();
    let mut progress = Progress::default();
    loop {
        let next = tokio::time::timeout(SILENCE_MAX, pieces.message()).await;
        let next = next.context("the daemon fell silent")??;
        let pb::CreateBackupResponse { data, progress: at } =
            next.context("the daemon stopped before the backup was whole")?;
        writer.raw(&data)?;
        let at = at.unwrap_or_default();
        said = Counts {
            records: at.records,
            blobs: at.blobs,
            blob_bytes: at.blob_bytes,
            ..said
        };
        progress.show(&said);
        if at.complete {
            break;
        }
    }
    if let Some(dir) = &wanted.data_dir {
        add_files(&mut writer, dir, wanted.identity)?;
    }
    let (out, counts) = writer.finish(said)?;
    let file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    files::finish(file, &wanted.file)
        .with_context(|| format!("{} cannot be written", wanted.file.display()))?;
    progress.end();
    Ok(counts)
}

/// The configuration, which names secrets and holds none; and the identity, if it is asked for.
fn add_files<W: std::io::Write>(writer: &mut Writer<W>, dir: &Path, identity: bool) -> anyhow::Result<()> {
    let mut names = vec![config::FILE.to_owned()];
    if identity {
        let found = identity_files(dir);
        names.extend(found.with_context(|| format!("{} cannot be read", dir.display()))?);
    }
    for name in names {
        let path = dir.join(&name);
        let bytes = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let bytes = bytes.into();
        writer.frame(&Frame::File { name, bytes })?;
    }
    Ok(())
}

/// A line on a terminal that says how far it has come.
#[derive(Debug, Default)]
struct Progress {
    shown: u64,
}

impl Progress {
    /// So many records or bytes are worth another look.
    const STEP: u64 = 1 << 12;

    fn show(&mut self, counts: &Counts) {
        let now = counts.records + (counts.blob_bytes >> 10);
        if now < self.shown + Progress::STEP || !std::io::stderr().is_terminal() {
            return;
        }
        self.shown = now;
        let Counts {
            records,
            blobs,
            blob_bytes,
            ..
        } = counts;
        // Nobody is told less for a terminal that is gone.
        let _ = write!(
            std::io::stderr(),
            "\r{records} records, {blobs} blobs of {blob_bytes} bytes "
        );
    }

    fn end(&self) {
        if self.shown > 0 {
            let _ = writeln!(std::io::stderr());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b118_the_files_of_an_enrollment_are_known_and_no_others() {
        for name in [
            "identity.key",
            "identity.crt",
            "identity-2.key",
            "identity-17.crt",
            "sealing.key",
            "admin.token",
        ] {
            assert!(is_identity_file(name), "{name}");
        }
        for name in [
            "identity",
            "identity-.key",
            "identity-02.key",
            "identity-2",
            "identity/../x.key",
            "peerd.toml",
            "run.json",
            "",
        ] {
            assert!(!is_identity_file(name), "{name}");
        }
    }
}
