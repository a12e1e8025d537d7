//! Tells when it is worth looking into a directory.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

/// The system's notification where there is one, and a look every so often where there is none: network file systems
/// tell nothing about what another machine does, and do not say that they do not.
pub struct Watch {
    changes: Arc<Notify>,
    poll: Duration,
    /// Rings as long as it is kept.
    watcher: Option<RecommendedWatcher>,
}

impl Watch {
    pub(super) fn over(dir: &Path, poll: Duration) -> Watch {
        let changes = Arc::new(Notify::new());
        let bell = Arc::clone(&changes);
        let tell = move |event: notify::Result<notify::Event>| {
            // An error may hide an event. What this program itself reads there is none.
            if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                bell.notify_one();
            }
        };
        let watching = notify::recommended_watcher(tell).and_then(|mut watcher| {
            watcher.watch(dir, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        Watch {
            changes,
            poll,
            watcher: watching.ok(),
        }
    }

    /// Whether the system tells of changes; if not, only time does.
    pub fn is_notified(&self) -> bool {
        self.watcher.is_some()
    }

    /// Waits until something changed, or so long, or until it is time to look anyway. Nothing that happened since the
    /// last wait is missed.
    pub async fn changed(&self, at_most: Duration) {
        let wait = self.poll.min(at_most);
        // Which of both it was is all the same.
        let _ = tokio::time::timeout(wait, self.changes.notified()).await;
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("poll", &self.poll)
            .field("notified", &self.is_notified())
            .finish_non_exhaustive()
    }
}
