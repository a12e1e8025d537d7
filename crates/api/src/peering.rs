//! `peerd.peering.v1`: one file per service.

mod connection;
mod job;
mod link;
mod mapping;
mod parked;
