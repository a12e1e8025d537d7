//! The pages.

pub(crate) mod audit;
pub(crate) mod connection;
pub(crate) mod control;
pub(crate) mod files;
pub(crate) mod home;
pub(crate) mod invite;
pub(crate) mod network;
pub(crate) mod objects;
pub(crate) mod ontology;
pub(crate) mod people;
pub(crate) mod policies;
pub(crate) mod request;
pub(crate) mod security;
pub(crate) mod sign_in;
