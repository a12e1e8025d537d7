//! What the daemon writes on standard error, and that a panic is among it.

use std::io::{self, IsTerminal as _, Write as _};

use tracing_subscriber::filter::ParseError;
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Format, Log};
use crate::run_file::Running;

/// The target of the `ready` event, which no filter hides.
const READY: &str = "peerd::ready";

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The filter is not one.
    #[error("the log filter is not valid")]
    Filter(#[from] ParseError),
    /// This process logs already.
    #[error("logging is set up already")]
    Twice(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sets logging up for this process, once.
pub fn start(log: &Log) -> Result<(), Error> {
    let filter = EnvFilter::builder()
        .parse(&log.filter)?
        .add_directive(format!("{READY}=info").parse()?);
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr);
    match log.format {
        Format::Human => {
            let colour =
                io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
            lines.with_ansi(colour).try_init()
        }
        Format::Json => lines.json().flatten_event(true).try_init(),
    }
    .map_err(Error::Twice)?;
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let location = panic.location().map(ToString::to_string);
        tracing::error!(message, location, "panicked");
    }));
    Ok(())
}

/// Says that the daemon serves, whatever the filter hides: scripts wait for it.
pub(crate) fn ready(format: Format, running: &Running) {
    match format {
        // Whoever waits for the line reads standard error; if that is closed, there is nobody to tell.
        Format::Human => drop(writeln!(io::stderr(), "ready")),
        Format::Json => {
            let Running { mpx, api, pid } = running;
            tracing::info!(target: READY, %mpx, %api, pid, "ready");
        }
    }
}
