//! `connection wait`: until a connection is where it shall be, or cannot get there any more.

use peerd_core::Reason;
use peerd_wire::peering::v1 as pb;

use super::WaitArgs;
use super::stage::Stage;
use super::view::Connection;
use super::watch::Watch;
use crate::cli::{App, DONE};
use crate::error::Error;
use crate::output;

/// What is waited for.
#[derive(Clone, Copy, Debug)]
enum Goal {
    Stage(Stage),
    InSync,
}

/// How a connection stands to what is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Reached,
    NotYet,
    Never,
}

pub(super) async fn run(app: &App<'_>, args: WaitArgs) -> Result<u8, Error> {
    let goal = args.stage.map_or(Goal::InSync, Goal::Stage);
    let mut last = None;
    let waiting = wait(Watch::new(&app.client, args.id), goal, &mut last);
    let connection = match app.timeout {
        None => waiting.await,
        Some(limit) => match tokio::time::timeout(limit, waiting).await {
            Ok(ended) => ended,
            Err(_) => Err(Error::refused(
                Reason::WaitTimeout,
                format!("it did not happen within {limit:?}"),
            )),
        },
    };
    let told = |error: Error| match last {
        Some(stage) => error.with("stage", &stage),
        None => error,
    };
    output::show(app.format, &Connection::from(connection.map_err(told)?))?;
    Ok(DONE)
}

/// Watches until the goal is reached or out of reach; notes the last stage seen.
async fn wait(mut watch: Watch<'_>, goal: Goal, last: &mut Option<String>) -> Result<pb::Connection, Error> {
    loop {
        let connection = watch.next().await?;
        let stage = crate::field::word(connection.stage, pb::Stage::as_str_name, "STAGE_");
        match goal.verdict(&connection) {
            Verdict::Reached => return Ok(connection),
            Verdict::NotYet => *last = Some(stage),
            Verdict::Never => {
                let message = format!("the connection is {stage} and will stay so");
                *last = Some(stage);
                return Err(Error::refused(Reason::WrongStage, message));
            }
        }
    }
}

impl Goal {
    fn verdict(self, connection: &pb::Connection) -> Verdict {
        let now = Stage::of(connection.stage);
        let reached = match self {
            Goal::Stage(goal) => now.is_some_and(|now| goal.reached_by(now)),
            // No feed yet means that nothing was agreed on, not that all is done.
            Goal::InSync => !connection.feeds.is_empty() && connection.feeds.iter().all(|feed| feed.in_sync),
        };
        let over = now.is_some_and(Stage::is_final);
        match (reached, over, self) {
            (true, _, Goal::Stage(_)) | (true, false, Goal::InSync) => Verdict::Reached,
            (_, true, _) => Verdict::Never,
            _ => Verdict::NotYet,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(stage: pb::Stage, feeds: &[bool]) -> pb::Connection {
        let feed = |in_sync: &bool| pb::Feed {
            in_sync: *in_sync,
            ..pb::Feed::default()
        };
        pb::Connection {
            stage: stage.into(),
            feeds: feeds.iter().map(feed).collect(),
            ..pb::Connection::default()
        }
    }

    #[test]
    fn a_final_stage_ends_the_wait_for_another_one() {
        let verdict = |stage| Goal::Stage(Stage::Active).verdict(&connection(stage, &[]));
        assert_eq!(verdict(pb::Stage::Requested), Verdict::NotYet);
        assert_eq!(verdict(pb::Stage::Disabled), Verdict::NotYet);
        assert_eq!(verdict(pb::Stage::Active), Verdict::Reached);
        for over in [
            pb::Stage::Closed,
            pb::Stage::Rejected,
            pb::Stage::Expired,
            pb::Stage::Revoked,
        ] {
            assert_eq!(verdict(over), Verdict::Never, "{over:?}");
        }
        let closed = connection(pb::Stage::Closed, &[]);
        assert_eq!(Goal::Stage(Stage::Closed).verdict(&closed), Verdict::Reached);
    }

    #[test]
    fn in_sync_needs_a_feed_and_every_feed() {
        let verdict = |feeds: &[bool]| Goal::InSync.verdict(&connection(pb::Stage::Active, feeds));
        assert_eq!(verdict(&[]), Verdict::NotYet);
        assert_eq!(verdict(&[true, false]), Verdict::NotYet);
        assert_eq!(verdict(&[true, true]), Verdict::Reached);
        let closed = connection(pb::Stage::Closed, &[true]);
        assert_eq!(Goal::InSync.verdict(&closed), Verdict::Never);
    }
}
