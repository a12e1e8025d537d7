//! The files that are moved: incompressible, and all different.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// The bytes of one small file.
const SMALL_BYTES: u64 = 64 << 10;

/// Files in one directory.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
    pub(crate) count: usize,
    each: u64,
}

impl Files {
    /// One large file.
    pub(crate) fn large(directory: &Path, bytes: u64) -> anyhow::Result<Files> {
        Files::made(format!("one file of {} MiB", bytes >> 20), directory, 1, bytes)
    }

    /// Many small ones.
    pub(crate) fn small(directory: &Path, count: usize) -> anyhow::Result<Files> {
        Files::made(format!("{count} files of 64 KiB"), directory, count, SMALL_BYTES)
    }

    fn made(name: String, directory: &Path, count: usize, each: u64) -> anyhow::Result<Files> {
        fs::create_dir_all(directory)?;
        for number in 0..count {
            let mut noise = blake3::Hasher::new().update(&number.to_le_bytes()).finalize_xof();
            let mut file = BufWriter::new(File::create(directory.join(format!("{number:06}")))?);
            let mut left = each;
            let mut buffer = vec![0; 1 << 16];
            while left > 0 {
                let length = usize::try_from(left.min(1 << 16))?;
                noise.fill(&mut buffer[..length]);
                file.write_all(&buffer[..length])?;
                left -= length as u64;
            }
            file.flush()?;
        }
        crate::settle(directory)?;
        Ok(Files {
            name,
            directory: directory.to_owned(),
            count,
            each,
        })
    }

    pub(crate) fn is_large(&self) -> bool {
        self.count == 1
    }

    #[expect(clippy::cast_precision_loss, reason = "far below what a double holds exactly")]
    pub(crate) fn megabytes(&self) -> f64 {
        self.each as f64 * self.count as f64 / 1e6
    }

    /// What so many seconds for all of them are as a rate.
    #[expect(clippy::cast_precision_loss, reason = "far below what a double holds exactly")]
    pub(crate) fn rate(&self, seconds: f64) -> (f64, &'static str) {
        if self.is_large() {
            (self.megabytes() / seconds, "MB/s")
        } else {
            (self.count as f64 / seconds, "files/s")
        }
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        (0..self.count).map(|number| self.directory.join(format!("{number:06}")))
    }
}
