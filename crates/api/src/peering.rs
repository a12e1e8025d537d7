//! `peerd.peering.v1`: one file per service.

mod mapping;
mod parked;
