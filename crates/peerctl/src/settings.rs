//! Which daemon is meant and how it is spoken to: flags before environment before context before default.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use tonic::codegen::http::Uri;
use tonic::metadata::{Ascii, MetadataValue};

use crate::error::Error;
use crate::{duration, output};

/// Where `peerd init` lets the operator API listen.
const ENDPOINT: &str = "http://127.0.0.1:7440";

/// How long a call may take where nothing else is said; counting and verifying read everything.
const CALL_MAX: Duration = Duration::from_mins(1);

/// The most that is read of a token, a certificate or a context file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Flags that every command has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// Where the daemon's operator API is [default: `http://127.0.0.1:7440`]
    #[arg(long, global = true, env = "PEERCTL_ENDPOINT", value_name = "URL")]
    endpoint: Option<String>,
    /// File with the bearer token
    #[arg(long, global = true, env = "PEERCTL_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File with the certificates (PEM) that an https endpoint is trusted by; the system's are not used
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// How results are printed
    #[arg(long, short, global = true, value_enum, default_value_t)]
    pub(crate) output: output::Format,
    /// A context of the configuration file: `$PEERCTL_CONFIG`, or `~/.config/peerctl/config.toml`
    #[arg(long, global = true, value_name = "NAME")]
    context: Option<String>,
    /// How long a call, or a wait, may take: 90s, 15m, 72h, 30d, 1h30m [default: 60s, a wait has none]
    #[arg(long, global = true, value_parser = duration::parse, value_name = "DURATION")]
    pub(crate) timeout: Option<Duration>,
    /// Send the token unencrypted to another machine
    #[arg(long, global = true)]
    danger_plaintext: bool,
}

/// The file of contexts.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contexts {
    #[serde(default)]
    contexts: std::collections::BTreeMap<String, Context>,
}

/// One daemon as the file of contexts describes it. Paths are relative to the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Context {
    endpoint: Option<String>,
    token_file: Option<PathBuf>,
    ca: Option<PathBuf>,
}

/// How to speak to the daemon, read and checked.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The daemon's operator API.
    pub(crate) endpoint: Uri,
    /// The `authorization` of every call.
    pub(crate) bearer: Option<MetadataValue<Ascii>>,
    /// The certificates an https endpoint is trusted by, PEM.
    pub(crate) ca: Option<Vec<u8>>,
    /// How long a call may take.
    pub(crate) call_max: Duration,
}

impl Settings {
    /// Reads what the flags name.
    pub(crate) fn read(common: &Common) -> Result<Settings, Error> {
        let context = match &common.context {
            Some(name) => Context::read(name, &config_file()?)?,
            None => Context::default(),
        };
        let endpoint = common.endpoint.clone().or(context.endpoint);
        let endpoint: Uri = endpoint
            .as_deref()
            .unwrap_or(ENDPOINT)
            .parse()
            .map_err(|error| Error::Usage(format!("the endpoint is no URL: {error}")))?;
        let token_file = common.token_file.clone().or(context.token_file);
        let ca_file = common.ca.clone().or(context.ca);
        let ca = match (endpoint.scheme_str(), ca_file) {
            (Some("https"), Some(file)) => Some(read(&file)?),
            (Some("https"), None) => {
                let missing = "an https endpoint needs --ca FILE: the system's certificates are not used";
                return Err(Error::Usage(missing.to_owned()));
            }
            (Some("http"), _) => None,
            _ => {
                return Err(Error::Usage(format!(
                    "the endpoint `{endpoint}` is neither http nor https"
                )));
            }
        };
        if token_file.is_some() && ca.is_none() && !common.danger_plaintext && !is_loopback(&endpoint) {
            return Err(Error::Usage(format!(
                "the token would go unencrypted to {endpoint}; use https, or say --danger-plaintext"
            )));
        }
        Ok(Settings {
            endpoint,
            bearer: token_file.as_deref().map(bearer).transpose()?,
            ca,
            call_max: common.timeout.unwrap_or(CALL_MAX),
        })
    }
}

impl Context {
    fn read(name: &str, file: &Path) -> Result<Context, Error> {
        let text = String::from_utf8(read(file)?).map_err(|error| Error::file(file, error))?;
        let known: Contexts = toml::from_str(&text).map_err(|error| Error::file(file, error))?;
        let context = known.contexts.get(name).cloned().ok_or_else(|| {
            let names: Vec<&str> = known.contexts.keys().map(String::as_str).collect();
            Error::Usage(format!(
                "{} has no context `{name}`; it has: {}",
                file.display(),
                names.join(", ")
            ))
        })?;
        let beside = |path: PathBuf| match file.parent() {
            Some(directory) => directory.join(path),
            None => path,
        };
        Ok(Context {
            endpoint: context.endpoint,
            token_file: context.token_file.map(beside),
            ca: context.ca.map(beside),
        })
    }
}

fn config_file() -> Result<PathBuf, Error> {
    if let Some(file) = std::env::var_os("PEERCTL_CONFIG") {
        return Ok(file.into());
    }
    let home = std::env::var_os("HOME")
        .ok_or_else(|| Error::Usage("--context needs PEERCTL_CONFIG or HOME to find its file".to_owned()))?;
    Ok(Path::new(&home).join(".config/peerctl/config.toml"))
}

/// The token of a file as the value of `authorization`, which never prints itself.
fn bearer(file: &Path) -> Result<MetadataValue<Ascii>, Error> {
    let bytes = read(file)?;
    warn_if_open(file);
    let text = std::str::from_utf8(&bytes).map_err(|_| Error::file(file, "is no token: not UTF-8"))?;
    let token = text.trim();
    if token.is_empty() {
        return Err(Error::file(file, "holds no token"));
    }
    // The parse error would say nothing of the token, but it is not shown all the same.
    let mut value: MetadataValue<Ascii> = format!("Bearer {token}")
        .parse()
        .map_err(|_| Error::file(file, "is no token: it has characters that no token has"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(unix)]
fn warn_if_open(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let open = std::fs::metadata(file).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0);
    if open {
        eprintln!(
            "warning: others may read the token in {}; chmod 600 it",
            file.display()
        );
    }
}

#[cfg(not(unix))]
fn warn_if_open(_: &Path) {}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    let open = File::open(file).map_err(|error| Error::file(file, error))?;
    let mut bytes = Vec::new();
    let read = open.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| Error::file(file, error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::file(file, "is larger than 1 MiB"));
    }
    Ok(bytes)
}

fn is_loopback(endpoint: &Uri) -> bool {
    let host = endpoint.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests;
