//! The operator API: gRPC services over the use-cases of the node.
//!
//! Every call passes one gate first ([`auth`]): it needs a token, and a role that may ever make it, before any of its
//! fields is read. A service then takes the request apart, calls one use-case and renders what that answers. Health
//! and reflection are open to all; they tell nothing of the enrollment.
#![warn(missing_docs)]

mod admin;
pub mod auth;
mod data;
mod page;
mod parse;
mod peering;
mod probes;
mod refuse;
mod server;
mod view;

pub use probes::Scrape;
pub use server::{About, Api, ApiServer, Error, Limits, Readiness};
