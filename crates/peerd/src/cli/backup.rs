//! `peerd backup` and `peerd restore`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use peerd_core::Clock as _;

use super::reach::Reach;
use super::{alone, say};
use crate::admin_token;
use crate::backup::{self, Wanted};
use crate::clock::SystemClock;
use crate::restore::{self, Source};

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The file to write; one that is there is not overwritten
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    reach: Reach,
    /// File with the bearer token of an enrollment admin; by default the admin.token of the directory
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Leave the content of artifacts out
    #[arg(long)]
    without_content: bool,
    /// Put the identity and the admin's token in, which are read from the directory: who has the file then is the
    /// enrollment
    #[arg(long, requires = "data_dir")]
    with_identity: bool,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The directory to make; one that is there is not touched
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// The directory with the identity, when it is not in the backup
    #[arg(long, value_name = "DIR")]
    identity: Option<PathBuf>,
}

impl BackupArgs {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let token = match (&self.token_file, self.reach.data_dir()) {
            (Some(file), _) => admin_token::read_file(file)?,
            (None, Some(dir)) => admin_token::read(dir)?,
            (None, None) => None,
        };
        let wanted = Wanted {
            file: std::path::absolute(&self.file)?,
            data_dir: self.reach.data_dir().map(ToOwned::to_owned),
            content: !self.without_content,
            identity: self.with_identity,
            token: token.context("--token-file names no token, and there is no admin.token")?,
        };
        let counts = alone(backup::back_up(self.reach.target()?, wanted))?;
        say(&format!(
            "{}: {} records, {} blobs of {} bytes, {} files\n",
            self.file.display(),
            counts.records,
            counts.blobs,
            counts.blob_bytes,
            counts.files
        ))
    }
}

impl RestoreArgs {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let source = Source {
            file: self.file,
            identity: self.identity,
        };
        let dir = std::path::absolute(&self.data_dir)?;
        let restored = alone(restore::restore(source, dir, SystemClock::default().now()))?;
        say(&format!(
            "enrollment     {}\nbacked up at   {}\nrecords        {}\nblobs          {}\n",
            restored.manifest.enrollment_id,
            restored.manifest.created_at,
            restored.counts.records,
            restored.counts.blobs,
        ))
    }
}
