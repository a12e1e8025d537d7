//! The daemon: configuration, start and stop, and the command line of `peerd`.
//!
//! Everything a daemon does lives in the crates it is wired from. This one decides what is started, in which order, and
//! that a stop loses nothing: [`config`] says what, [`daemon`] is the running value, [`tasks`] ends it.
#![warn(missing_docs)]

pub mod admin_token;
mod backup;
mod carry;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod demo;
pub mod exit;
mod files;
mod health;
pub mod init;
pub mod lifecycle;
pub mod listeners;
pub mod logging;
mod metrics;
pub mod reload;
pub mod restore;
pub mod run_file;
pub mod tasks;
mod tls;
mod wire;
