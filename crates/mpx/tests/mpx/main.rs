//! Enrollments over real TLS: how links come to be, live and end, and what hostile peers cannot do.
#![cfg(test)]

mod blobs;
mod hostile;
mod identity;
mod link;
mod policy;
mod rogue;
mod site;
mod verify;
