//! `artifact get`: bytes into a file, which has its name only when they are all there, checked and on the disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;
use peerd_core::Reason;
use peerd_wire::data::v1 as pb;
use peerd_wire::data::v1::read_artifact_response::Part;
use tonic::Streaming;

use super::{Id, bar};
use crate::cli::{App, DONE};
use crate::error::Error;
use crate::output;

/// How much of a file is read at once, in bytes.
const CHUNK: usize = 1 << 20;

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// Name or id of the space
    space: String,
    /// The artifact's id
    #[arg(value_name = "ID")]
    artifact: String,
    /// Where to write it; `-` for standard output
    #[arg(value_name = "OUT")]
    out: PathBuf,
}

/// What came so far.
struct Came<W> {
    to: W,
    hash: blake3::Hasher,
    bytes: u64,
}

impl Get {
    pub(super) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        if self.out.as_os_str() == "-" {
            return self.to_stdout(app).await;
        }
        if self.out.is_dir() {
            return Err(Error::file(
                &self.out,
                "a directory; say what the file is to be called",
            ));
        }
        let id = Id {
            space: self.space.clone(),
            artifact: self.artifact.clone(),
        };
        let artifact = app.artifact(id).await?;
        let partial = partial(&self.out, &artifact);
        let wrong = |error: io::Error| Error::file(&partial, error);
        let bar = bar(artifact.size_bytes);
        let mut came = begun(&partial, artifact.size_bytes, &bar).map_err(wrong)?;
        let got = self.fetch(app, &artifact, &mut came, &bar).await;
        bar.finish_and_clear();
        // What came stays when it breaks off, and is checked again with the rest.
        got?;
        if let Err(error) = check(&came, &artifact) {
            std::fs::remove_file(&partial).map_err(wrong)?;
            return Err(error);
        }
        came.to.sync_all().map_err(wrong)?;
        std::fs::rename(&partial, &self.out).map_err(wrong)?;
        sync_directory(&self.out).map_err(wrong)?;
        let view = super::view::Artifact::from(artifact);
        output::show(app.format, &view)?;
        Ok(DONE)
    }

    /// Whoever reads the output sees by the exit code whether it is what it should be.
    async fn to_stdout(&self, app: &App<'_>) -> Result<u8, Error> {
        let id = Id {
            space: self.space.clone(),
            artifact: self.artifact.clone(),
        };
        let artifact = app.artifact(id).await?;
        let bar = bar(artifact.size_bytes);
        let mut came = Came {
            to: io::stdout().lock(),
            hash: blake3::Hasher::new(),
            bytes: 0,
        };
        let got = self.fetch(app, &artifact, &mut came, &bar).await;
        bar.finish_and_clear();
        got?;
        came.to.flush().map_err(|error| Error::file(&self.out, error))?;
        check(&came, &artifact)?;
        Ok(DONE)
    }

    /// Fetches what did not come yet.
    async fn fetch(
        &self,
        app: &App<'_>,
        artifact: &pb::Artifact,
        came: &mut Came<impl Write>,
        bar: &ProgressBar,
    ) -> Result<(), Error> {
        let request = pb::ReadArtifactRequest {
            space: self.space.clone(),
            artifact_id: self.artifact.clone(),
            offset: came.bytes,
        };
        let mut artifacts = app.client.artifacts();
        let mut answers = app.client.call(artifacts.read_artifact(request)).await?;
        match next(&mut answers).await? {
            Some(Part::Artifact(now)) if now.blake3 == artifact.blake3 => {}
            _ => {
                let told = "the artifact was given other content meanwhile; get it again";
                return Err(Error::refused(Reason::ConcurrentChange, told));
            }
        }
        while let Some(part) = next(&mut answers).await? {
            if let Part::Chunk(chunk) = part {
                came.take(&chunk).map_err(|error| Error::file(&self.out, error))?;
                bar.set_position(came.bytes);
            }
        }
        Ok(())
    }
}

async fn next(answers: &mut Streaming<pb::ReadArtifactResponse>) -> Result<Option<Part>, Error> {
    Ok(answers.message().await?.and_then(|answer| answer.part))
}

impl<W: Write> Came<W> {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

fn check<W>(came: &Came<W>, artifact: &pb::Artifact) -> Result<(), Error> {
    let blake3 = came.hash.finalize().to_hex();
    if came.bytes == artifact.size_bytes && blake3.as_str() == artifact.blake3 {
        return Ok(());
    }
    let told = format!("{} bytes came, and their BLAKE3 is {blake3}", came.bytes);
    Err(Error::refused(Reason::ContentMismatch, told))
}

/// The file beside the one asked for that has what came so far: its name is made of the content alone, so that another
/// run goes on with it, and only with that content.
fn partial(out: &Path, artifact: &pb::Artifact) -> PathBuf {
    let digits: String = artifact
        .blake3
        .chars()
        .filter(char::is_ascii_hexdigit)
        .take(32)
        .collect();
    out.with_file_name(format!(".peerctl-{digits}.part"))
}

/// What came in an earlier run, read again, because a disk may forget.
fn begun(partial: &Path, size: u64, bar: &ProgressBar) -> io::Result<Came<File>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut to = options.open(partial)?;
    if to.metadata()?.len() > size {
        to.set_len(0)?;
    }
    let (mut hash, mut bytes, mut chunk) = (blake3::Hasher::new(), 0, vec![0; CHUNK]);
    loop {
        let length = to.read(&mut chunk)?;
        if length == 0 {
            break;
        }
        hash.update(chunk.get(..length).unwrap_or_default());
        bytes += length as u64;
        bar.set_position(bytes);
    }
    to.seek(SeekFrom::Start(bytes))?;
    Ok(Came { to, hash, bytes })
}

/// The new name is on the disk.
fn sync_directory(out: &Path) -> io::Result<()> {
    let directory = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_is_gone_on_with_and_what_cannot_be_is_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let out = directory.path().join("out");
        let artifact = pb::Artifact {
            blake3: blake3::hash(b"hello").to_hex().to_string(),
            size_bytes: 5,
            ..pb::Artifact::default()
        };
        let place = partial(&out, &artifact);
        assert_eq!(place.parent(), out.parent());
        std::fs::write(&place, b"hel").expect("written");
        let bar = ProgressBar::hidden();
        let mut came = begun(&place, 5, &bar).expect("begun");
        assert_eq!(came.bytes, 3);
        check(&came, &artifact).expect_err("not all");
        came.take(b"lo").expect("taken");
        check(&came, &artifact).expect("all");
        assert_eq!(std::fs::read(&place).expect("read"), b"hello");
        came.take(b"!").expect("taken");
        assert_eq!(
            begun(&place, 5, &bar).expect("begun").bytes,
            0,
            "too much is none of it"
        );
    }

    #[test]
    fn b095_no_name_from_elsewhere_is_part_of_a_path() {
        let artifact = pb::Artifact {
            name: "../../etc/passwd".into(),
            blake3: "../../x".into(),
            ..pb::Artifact::default()
        };
        let place = partial(Path::new("dir/out"), &artifact);
        assert_eq!(place, Path::new("dir/.peerctl-.part"));
    }
}
