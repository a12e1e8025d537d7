//! The directories of a link: outbox, inbox, and the spool where bundles are kept until they came.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use peerd_core::{EpochId, Reason, Time};
use peerd_node::Error;
use tokio::task::spawn_blocking;

use crate::directory::{self, Broken, Usage};
use crate::inbox::{CannotTake, Look};
use crate::outbox::CannotPut;
use crate::{Inbox, InboxLimits, Outbox, Refused};

/// The directories; every call waits where waiting is allowed.
#[derive(Clone, Debug)]
pub(super) struct Folders {
    outbox: Arc<Outbox>,
    inbox: Arc<Mutex<Inbox>>,
    spool: Arc<PathBuf>,
}

impl Folders {
    pub(super) async fn open(
        outbox: (PathBuf, u64),
        inbox: (PathBuf, InboxLimits),
        own: PathBuf,
    ) -> Result<Folders, Error> {
        blocking(move || {
            let spool = own.join("spool");
            directory::ensure(&spool)?;
            Ok(Folders {
                outbox: Arc::new(Outbox::open(&outbox.0, outbox.1)?),
                inbox: Arc::new(Mutex::new(Inbox::open(
                    &inbox.0,
                    &own.join("quarantine"),
                    inbox.1,
                )?)),
                spool: Arc::new(spool),
            })
        })
        .await?
        .map_err(|broken| failed(&broken))
    }

    fn in_inbox<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Inbox) -> T + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> {
        let inbox = Arc::clone(&self.inbox);
        blocking(move || act(&mut inbox.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    pub(super) fn watch(&self, poll: std::time::Duration) -> crate::inbox::Watch {
        self.inbox
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .watch(poll)
    }

    pub(super) async fn look(&self, now: Time) -> Result<Look, Error> {
        let look = self.in_inbox(move |inbox| inbox.look(now)).await?;
        look.map_err(|broken| failed(&broken))
    }

    /// The bytes of a file, as they can be read now.
    pub(super) async fn read(&self, name: &str) -> Result<Result<Bytes, CannotTake>, Error> {
        let name = name.to_owned();
        self.in_inbox(move |inbox| inbox.read(&name)).await
    }

    pub(super) async fn done(&self, name: &str) -> Result<(), Error> {
        let name = name.to_owned();
        let done = self.in_inbox(move |inbox| inbox.remove(&name)).await?;
        done.map_err(|broken| failed(&broken))
    }

    pub(super) async fn put_aside(&self, name: &str, refused: Refused, now: Time) -> Result<(), Error> {
        let name = name.to_owned();
        let put = self
            .in_inbox(move |inbox| inbox.quarantine(&name, &refused, now))
            .await?;
        put.map_err(|broken| failed(&broken))
    }

    /// What lies in the outbox, and in quarantine.
    pub(super) async fn usage(&self) -> Result<(Usage, Usage), Error> {
        let outbox = Arc::clone(&self.outbox);
        let quarantined = self.in_inbox(|inbox| inbox.quarantined()).await?;
        let waiting = blocking(move || outbox.usage()).await?;
        match (waiting, quarantined) {
            (Ok(waiting), Ok(quarantined)) => Ok((waiting, quarantined)),
            (Err(broken), _) | (_, Err(broken)) => Err(failed(&broken)),
        }
    }

    /// Puts a file into the outbox. `false`: it holds as much as it may.
    pub(super) async fn put(&self, name: &str, bytes: Bytes) -> Result<bool, Error> {
        let (outbox, name) = (Arc::clone(&self.outbox), name.to_owned());
        match blocking(move || outbox.put(&name, &bytes)).await? {
            Ok(()) => Ok(true),
            Err(CannotPut::Full { .. }) => Ok(false),
            Err(error) => Err(Error::new(error.reason(), error.to_string()).because(error)),
        }
    }

    /// Takes a file out of the outbox that nobody needs any more, if it still is there.
    pub(super) async fn take_back(&self, name: &str) -> Result<(), Error> {
        let (outbox, name) = (Arc::clone(&self.outbox), name.to_owned());
        let taken = blocking(move || outbox.remove(&name)).await?;
        taken.map_err(|error| Error::new(error.reason(), error.to_string()).because(error))
    }

    /// Keeps a bundle, durably.
    pub(super) async fn keep(&self, epoch: EpochId, sequence: u64, bytes: Bytes) -> Result<(), Error> {
        let spool = Arc::clone(&self.spool);
        let kept = blocking(move || directory::write(&spool, &kept_name(epoch, sequence), &bytes)).await?;
        kept.map_err(|broken| failed(&broken))
    }

    /// A bundle that is kept; `None` when it is lost.
    pub(super) async fn kept(&self, epoch: EpochId, sequence: u64) -> Result<Option<Bytes>, Error> {
        let path = self.spool.join(kept_name(epoch, sequence));
        match blocking(move || std::fs::read(path)).await? {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(Error::new(Reason::StoreUnavailable, "the spool cannot be read").because(error))
            }
        }
    }

    /// A bundle need not be kept any longer.
    pub(super) async fn forget(&self, epoch: EpochId, sequences: Vec<u64>) -> Result<(), Error> {
        let spool = Arc::clone(&self.spool);
        let forgot = blocking(move || {
            let mut names = sequences.iter().map(|sequence| kept_name(epoch, *sequence));
            names.try_for_each(|name| directory::remove(&spool, &name))
        });
        forgot.await?.map_err(|broken| failed(&broken))
    }

    /// What lies in the spool goes, but for these bundles.
    pub(super) async fn forget_all_but(&self, epoch: EpochId, sequences: Vec<u64>) -> Result<(), Error> {
        let spool = Arc::clone(&self.spool);
        let forgot = blocking(move || sweep(&spool, epoch, &sequences));
        forgot.await?.map_err(|broken| failed(&broken))
    }
}

fn sweep(spool: &Path, epoch: EpochId, sequences: &[u64]) -> Result<(), Broken> {
    let keep: std::collections::BTreeSet<String> = sequences
        .iter()
        .map(|sequence| kept_name(epoch, *sequence))
        .collect();
    for file in directory::list(spool, usize::MAX)?.files {
        if !keep.contains(&file.name) {
            directory::remove(spool, &file.name)?;
        }
    }
    Ok(())
}

fn kept_name(epoch: EpochId, sequence: u64) -> String {
    format!("{epoch}-{sequence:020}")
}

async fn blocking<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    spawn_blocking(act)
        .await
        .map_err(|error| Error::of(Reason::Internal).because(error))
}

fn failed(broken: &Broken) -> Error {
    Error::new(Reason::StoreUnavailable, format!("{broken}: {}", broken.source))
}
