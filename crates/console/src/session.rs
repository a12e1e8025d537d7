//! Sessions: who is signed in. In memory only, so that a restart signs everybody out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use peerd_core::{PrincipalId, Rng, Time};
use peerd_node::Caller;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// A session that was not used for so long ends.
const IDLE_MAX: Duration = Duration::from_mins(30);
/// A session ends after so long, however much it is used.
const AGE_MAX: Duration = Duration::from_hours(12);
/// How many sessions there are; a further one takes the place of the one used least recently.
const SESSIONS_MAX: usize = 1_024;
/// How many of them one principal has.
const OF_ONE_PRINCIPAL_MAX: usize = 16;
/// How many secrets wait in one session to be shown.
const SHOWN_MAX: usize = 8;
/// How many live streams one session has.
const STREAMS_MAX: usize = 8;

/// What a session is found by: the hash of what its cookie says, so that a look-up tells nothing by its time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key([u8; 32]);

impl Key {
    /// The key of the session that a cookie names.
    pub(crate) fn of(cookie: &str) -> Key {
        Key(Sha256::digest(cookie.as_bytes()).into())
    }
}

/// Something that is shown once: a code or a token, and what to say about it.
#[derive(Clone)]
pub(crate) struct Shown {
    /// What it is, as a heading.
    pub(crate) title: String,
    /// The secret.
    pub(crate) text: String,
    /// What to do with it.
    pub(crate) hint: String,
    /// When it ends.
    pub(crate) until: Option<Time>,
    /// Where to go on.
    pub(crate) next: String,
    /// Whether it is also shown as a QR code.
    pub(crate) as_picture: bool,
}

/// What the guard takes from a session.
pub(crate) struct Known {
    /// Who it is.
    pub(crate) caller: Caller,
    /// The token its forms carry.
    pub(crate) form_token: String,
    /// Ends with the session.
    pub(crate) ended: CancellationToken,
    /// One permit for each live stream of the session.
    pub(crate) streams: Arc<Semaphore>,
    /// What the last form says to the next page.
    pub(crate) notice: Option<String>,
}

struct Session {
    caller: Caller,
    form_token: String,
    began: Time,
    used: Time,
    ended: CancellationToken,
    streams: Arc<Semaphore>,
    notice: Option<String>,
    shown: BTreeMap<String, Shown>,
}

impl Session {
    fn is_over(&self, now: Time) -> bool {
        // A clock that was set back makes a session no longer than it may be.
        now.distance(self.used) >= IDLE_MAX || now.distance(self.began) >= AGE_MAX
    }
}

/// A session ends for whatever goes on in it when it is gone.
impl Drop for Session {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

/// All sessions.
pub(crate) struct Sessions {
    rng: Arc<dyn Rng>,
    known: Mutex<BTreeMap<Key, Session>>,
}

impl Sessions {
    pub(crate) fn new(rng: Arc<dyn Rng>) -> Sessions {
        Sessions {
            rng,
            known: Mutex::default(),
        }
    }

    /// A text that nobody guesses.
    pub(crate) fn secret(&self) -> String {
        let mut bytes = [0; 32];
        self.rng.fill(&mut bytes);
        HEXLOWER.encode(&bytes)
    }

    /// Begins a session and gives what its cookie says.
    pub(crate) fn begin(&self, caller: Caller, now: Time) -> String {
        let (cookie, principal) = (self.secret(), caller.principal().id);
        let session = Session {
            caller,
            form_token: self.secret(),
            began: now,
            used: now,
            ended: CancellationToken::new(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            notice: None,
            shown: BTreeMap::new(),
        };
        let mut known = self.lock();
        known.retain(|_, session| !session.is_over(now));
        let of = |session: &Session| session.caller.principal().id == principal;
        if known.values().filter(|session| of(session)).count() >= OF_ONE_PRINCIPAL_MAX {
            drop_oldest(&mut known, Some(principal));
        }
        if known.len() >= SESSIONS_MAX {
            drop_oldest(&mut known, None);
        }
        known.insert(Key::of(&cookie), session);
        cookie
    }

    /// The session, if there is one that is not over. Looking it up uses it.
    pub(crate) fn find(&self, key: Key, now: Time) -> Option<Known> {
        let mut known = self.lock();
        if known.get(&key)?.is_over(now) {
            known.remove(&key);
            return None;
        }
        let session = known.get_mut(&key)?;
        session.used = now;
        Some(Known {
            caller: session.caller.clone(),
            form_token: session.form_token.clone(),
            ended: session.ended.clone(),
            streams: Arc::clone(&session.streams),
            notice: session.notice.clone(),
        })
    }

    /// Whether a session goes on, without using it.
    pub(crate) fn lasts(&self, key: Key, now: Time) -> bool {
        self.lock().get(&key).is_some_and(|session| !session.is_over(now))
    }

    /// Ends a session.
    pub(crate) fn end(&self, key: Key) {
        self.lock().remove(&key);
    }

    /// Says something on the session's next page.
    pub(crate) fn notify(&self, key: Key, notice: String) {
        if let Some(session) = self.lock().get_mut(&key) {
            session.notice = Some(notice);
        }
    }

    /// The notice was shown.
    pub(crate) fn noticed(&self, key: Key) {
        if let Some(session) = self.lock().get_mut(&key) {
            session.notice = None;
        }
    }

    /// Keeps a secret until a page of the session shows it; gives the name to ask for it by.
    pub(crate) fn keep(&self, key: Key, shown: Shown) -> String {
        let name = self.secret();
        if let Some(session) = self.lock().get_mut(&key) {
            while session.shown.len() >= SHOWN_MAX {
                session.shown.pop_first();
            }
            session.shown.insert(name.clone(), shown);
        }
        name
    }

    /// Takes a secret that is to be shown now, and never again.
    pub(crate) fn take(&self, key: Key, name: &str) -> Option<Shown> {
        self.lock().get_mut(&key)?.shown.remove(name)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Session>> {
        // Nothing here can be left half done, so a panic elsewhere does not spoil it.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

/// Whether both texts are the same, in a time that does not tell where they differ.
pub(crate) fn same(a: &str, b: &str) -> bool {
    !a.is_empty() && a.as_bytes().ct_eq(b.as_bytes()).into()
}

fn drop_oldest(known: &mut BTreeMap<Key, Session>, of: Option<PrincipalId>) {
    let oldest = known
        .iter()
        .filter(|(_, session)| of.is_none_or(|id| session.caller.principal().id == id))
        .min_by_key(|(_, session)| session.used)
        .map(|(key, _)| *key);
    if let Some(key) = oldest {
        known.remove(&key);
    }
}

#[cfg(test)]
mod tests;
