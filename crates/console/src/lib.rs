//! The console: pages for operators, served on the operator port beside the gRPC services.
//!
//! A page is a function from a visit to an answer. It calls the same use-cases of the node as the API
//! and holds no rule of its own. Every route stands in one table with the action it needs, and passes one guard before
//! its page runs: session, principal, form token, role. Pages are made on the server and work without scripts.
#![warn(missing_docs)]

mod assets;
mod console;
mod cookie;
mod fields;
mod guard;
mod layout;
mod live;
mod mesh;
mod pages;
mod parts;
mod qr;
mod route;
mod session;
mod upload;
mod visit;

pub use console::{About, Console, Setup, router, switched_off};
pub use route::{Method, Needs, Route, routes};
