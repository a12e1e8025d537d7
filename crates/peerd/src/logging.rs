//! What the daemon writes on standard error, and that a panic is among it.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;

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
    /// The filter cannot be changed any more.
    #[error("the log filter cannot be changed")]
    Fixed(#[from] tracing_subscriber::reload::Error),
    /// This process logs already.
    #[error("logging is set up already")]
    Twice(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What is logged, while the process runs.
#[derive(Clone)]
pub struct Filter(Arc<dyn Fn(EnvFilter) -> Result<(), tracing_subscriber::reload::Error> + Send + Sync>);

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Filter")
    }
}

impl Filter {
    /// From now on, this is logged.
    pub(crate) fn set(&self, log: &Log) -> Result<(), Error> {
        Ok((self.0)(filter(log)?)?)
    }
}

/// What is written, and always that the daemon is ready.
fn filter(log: &Log) -> Result<EnvFilter, Error> {
    let filter = EnvFilter::builder().parse(&log.filter)?;
    Ok(filter.add_directive(format!("{READY}=info").parse()?))
}

/// Sets logging up for this process, once.
pub fn start(log: &Log) -> Result<Filter, Error> {
    let lines = fmt().with_env_filter(filter(log)?).with_writer(io::stderr);
    let (set, started): (Filter, _) = match log.format {
        Format::Human => {
            let colour =
                io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
            let lines = lines.with_ansi(colour).with_filter_reloading();
            let handle = lines.reload_handle();
            (
                Filter(Arc::new(move |filter| handle.reload(filter))),
                lines.try_init(),
            )
        }
        Format::Json => {
            let lines = lines.json().flatten_event(true).with_filter_reloading();
            let handle = lines.reload_handle();
            (
                Filter(Arc::new(move |filter| handle.reload(filter))),
                lines.try_init(),
            )
        }
    };
    started.map_err(Error::Twice)?;
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let location = panic.location().map(ToString::to_string);
        tracing::error!(message, location, "panicked");
    }));
    Ok(set)
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
