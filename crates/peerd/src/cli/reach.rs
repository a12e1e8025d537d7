//! Which running daemon a command is about.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::load;
use crate::config::{self, Protection, RawConfig};
use crate::health::{self, Target, Trust};

/// A running daemon.
#[derive(Debug, Args)]
pub(super) struct Reach {
    /// The directory of the enrollment
    #[arg(
        long,
        value_name = "DIR",
        env = "PEERD_DATA_DIR",
        required_unless_present = "endpoint"
    )]
    data_dir: Option<PathBuf>,
    /// The operator API, when the daemon is elsewhere
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// What the operator API's certificate is checked against, PEM; by default the configured certificate itself
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The name that certificate is for, when it is not the address
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
}

impl Reach {
    /// Where it is, and how to know it.
    pub(super) fn target(&self) -> anyhow::Result<Target> {
        let (url, configured) = match (&self.endpoint, &self.data_dir) {
            (Some(url), _) => (url.clone(), None),
            (None, Some(dir)) => {
                let api = load(&dir.join(config::FILE), RawConfig::default())?.api;
                let url = health::url_of(dir, &api)?;
                match api.protection {
                    Protection::Plaintext => (url, None),
                    Protection::Tls { certificate_file, .. } => (url, Some(certificate_file)),
                }
            }
            (None, None) => anyhow::bail!("neither a data directory nor an endpoint is given"),
        };
        let trust = match self.ca.clone().or(configured) {
            Some(file) => Some(Trust {
                roots_pem: std::fs::read(&file)
                    .with_context(|| format!("{} cannot be read", file.display()))?,
                server_name: self.server_name.clone(),
            }),
            None if url.starts_with("https:") => anyhow::bail!("{url} needs --ca"),
            None => None,
        };
        Ok(Target { url, trust })
    }

    /// The directory of the enrollment, when it is on this machine.
    pub(super) fn data_dir(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }
}
