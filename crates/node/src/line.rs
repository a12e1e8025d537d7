//! Lines: how a question of this side reaches a peer that is connected, whoever dialled.
//!
//! A transport opens a line for each session over which the other side understands questions, and carries them. Without
//! a session, or with one to an older version, a question fails at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use peerd_core::{LinkId, Reason};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::exchange::verify::{Answer, Question};
use crate::{Error, Node};

/// How many questions wait for the transport to take them.
const WAITING_MAX: usize = 4;
/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_mins(10);

/// A question on its way, and where its answer goes.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub question: Question,
    /// Where the answer goes; dropped when there will be none.
    pub answer: oneshot::Sender<Result<Answer, Error>>,
}

/// The open lines of this process: at most one for each link.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    open: Mutex<BTreeMap<LinkId, mpsc::Sender<Asked>>>,
}

/// The transport's end of a line, until it is dropped.
#[derive(Debug)]
pub struct Line {
    node: Arc<Node>,
    link: LinkId,
    here: mpsc::Sender<Asked>,
    questions: mpsc::Receiver<Asked>,
}

impl Line {
    /// The next question. Waits for ever when there is none. May be cancelled and called again.
    pub async fn next(&mut self) -> Asked {
        match self.questions.recv().await {
            Some(asked) => asked,
            // It cannot be: this end holds a sender itself.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let mut open = self.node.lines.lock();
        if open
            .get(&self.link)
            .is_some_and(|line| line.same_channel(&self.here))
        {
            open.remove(&self.link);
        }
    }
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<LinkId, mpsc::Sender<Asked>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    /// Opens a line to the other side of a link, in place of an earlier one.
    pub fn open_line(self: &Arc<Node>, link: LinkId) -> Line {
        let (here, questions) = mpsc::channel(WAITING_MAX);
        self.lines.lock().insert(link, here.clone());
        Line {
            node: Arc::clone(self),
            link,
            here,
            questions,
        }
    }

    /// Asks the other side of a link.
    pub(crate) async fn ask(&self, link: LinkId, question: Question) -> Result<Answer, Error> {
        let open = self.lines.lock().get(&link).cloned();
        let Some(questions) = open else {
            return Err(match self.presence.of(link).session {
                Some(_) => Error::new(
                    Reason::VersionUnsupported,
                    "the other side's version cannot compare what both sides have",
                ),
                None => Error::new(Reason::PeerUnreachable, "the other side is not connected"),
            });
        };
        let lost = || {
            Error::new(
                Reason::PeerUnreachable,
                "the connection to the other side was lost",
            )
        };
        let (answer, answered) = oneshot::channel();
        let asked = Asked { question, answer };
        let answered = async {
            questions.send(asked).await.map_err(|_| lost())?;
            drop(questions);
            answered.await.map_err(|_| lost())?
        };
        let late = |_| Error::new(Reason::PeerUnreachable, "the other side did not answer in time");
        timeout(ANSWER_MAX, answered).await.map_err(late)?
    }
}
