//! `peerctl` operates a peerd enrollment.

use std::process::ExitCode;

use peerd_core::{Clock, Time};

/// The machine's clock.
#[derive(Debug)]
struct Wall;

impl Clock for Wall {
    #[expect(clippy::disallowed_methods, reason = "this is where the time comes from")]
    fn now(&self) -> Time {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Time::EPOCH.plus(since)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match peerctl::parse(std::env::args_os()) {
        Ok(cli) => peerctl::run(cli, &Wall).await.into(),
        Err(exit) => exit.into(),
    }
}
