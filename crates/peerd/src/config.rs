//! What the operator of the machine decides: one TOML file, `PEERD_` variables over it, a few flags over both.
//!
//! [`RawConfig`] is what was written, [`Config`] what it means: defaults filled in, paths absolute, limits checked. A
//! key that is not known is an error wherever it stands. Secrets are paths of files, never values.

mod api;
mod blobs;
mod console;
mod duration;
mod enrollment;
mod error;
mod layers;
mod limits;
mod log;
mod metrics;
mod mpx;
mod policy;
mod store;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use api::{Api, Protection, RawApi};
pub use blobs::{Blobs, RawBlobs, Service};
pub use console::{Console, RawConsole};
pub use enrollment::{Enrollment, RawEnrollment};
pub use error::{Error, Invalid};
pub use limits::{Limits, RawLimits};
pub use log::{Format, Log, RawLog};
pub use metrics::{Metrics, RawMetrics};
pub use mpx::{Mpx, RawMpx};
pub use policy::{Policy, RawPolicy};
pub use store::{Engine, RawStore, Store};

/// The name of the configuration file in a data directory.
pub const FILE: &str = "peerd.toml";

/// The configuration, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the identity, the admin token and the run file are; absolute.
    pub data_dir: PathBuf,
    /// `[enrollment]`
    pub enrollment: Enrollment,
    /// `[mpx]`
    pub mpx: Mpx,
    /// `[api]`
    pub api: Api,
    /// `[console]`
    pub console: Console,
    /// `[policy]`
    pub policy: Policy,
    /// `[store]`
    pub store: Store,
    /// `[store.blobs]`
    pub blobs: Blobs,
    /// `[log]`
    pub log: Log,
    /// `[metrics]`
    pub metrics: Metrics,
    /// `[limits]`
    pub limits: Limits,
}

/// The configuration as written, by one source or by all of them. Every key may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawConfig {
    /// Default: the directory of the configuration file.
    pub data_dir: Option<PathBuf>,
    /// `[enrollment]`
    #[serde(skip_serializing_if = "is_default")]
    pub enrollment: RawEnrollment,
    /// `[mpx]`
    #[serde(skip_serializing_if = "is_default")]
    pub mpx: RawMpx,
    /// `[api]`
    #[serde(skip_serializing_if = "is_default")]
    pub api: RawApi,
    /// `[console]`
    #[serde(skip_serializing_if = "is_default")]
    pub console: RawConsole,
    /// `[policy]`
    #[serde(skip_serializing_if = "is_default")]
    pub policy: RawPolicy,
    /// `[store]`
    #[serde(skip_serializing_if = "is_default")]
    pub store: RawStore,
    /// `[log]`
    #[serde(skip_serializing_if = "is_default")]
    pub log: RawLog,
    /// `[metrics]`
    #[serde(skip_serializing_if = "is_default")]
    pub metrics: RawMetrics,
    /// `[limits]`
    #[serde(skip_serializing_if = "is_default")]
    pub limits: RawLimits,
}

impl Config {
    /// The configuration in the file, with what the variables and the flags say instead. Relative paths are relative
    /// to the directory of the file, or to `cwd` when a variable or a flag gives them.
    pub fn load(
        file: &Path,
        variables: impl IntoIterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
        flags: RawConfig,
        cwd: &Path,
    ) -> Result<Config, Error> {
        Ok(layers::merge(file, variables, flags, cwd)?.try_into()?)
    }

    /// The whole configuration as TOML, which loads as this configuration again.
    pub fn to_toml(&self) -> Result<String, Error> {
        RawConfig::from(self.clone()).to_toml()
    }
}

impl RawConfig {
    /// What is written here, as TOML.
    pub fn to_toml(&self) -> Result<String, Error> {
        toml::to_string(self).map_err(Error::Unwritable)
    }

    /// Makes the paths absolute.
    fn anchor(&mut self, base: &Path) -> Result<(), Invalid> {
        anchor("data_dir", self.data_dir.as_mut(), base)?;
        self.api.anchor(base)?;
        self.metrics.anchor(base)?;
        self.store.anchor(base)
    }
}

impl TryFrom<RawConfig> for Config {
    type Error = Invalid;

    fn try_from(raw: RawConfig) -> Result<Config, Invalid> {
        let RawConfig {
            data_dir,
            enrollment,
            mpx,
            api,
            console,
            policy,
            store,
            log,
            metrics,
            limits,
        } = raw;
        let data_dir = data_dir.ok_or(Invalid::Missing { key: "data_dir" })?;
        let (store, blobs) = store.check(&data_dir)?;
        Ok(Config {
            enrollment: enrollment.try_into()?,
            mpx: mpx.try_into()?,
            api: api.try_into()?,
            console: console.into(),
            policy: policy.into(),
            store,
            blobs,
            log: log.try_into()?,
            metrics: metrics.into(),
            limits: limits.try_into()?,
            data_dir,
        })
    }
}

impl From<Config> for RawConfig {
    fn from(config: Config) -> RawConfig {
        RawConfig {
            data_dir: Some(config.data_dir),
            enrollment: config.enrollment.into(),
            mpx: config.mpx.into(),
            api: config.api.into(),
            console: config.console.into(),
            policy: config.policy.into(),
            store: (config.store, config.blobs).into(),
            log: config.log.into(),
            metrics: config.metrics.into(),
            limits: config.limits.into(),
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn anchor(key: &'static str, path: Option<&mut PathBuf>, base: &Path) -> Result<(), Invalid> {
    let Some(path) = path else { return Ok(()) };
    if path.as_os_str().is_empty() {
        return Err(Invalid::EmptyPath { key });
    }
    *path = base.join(&*path);
    Ok(())
}

#[cfg(test)]
mod tests;
