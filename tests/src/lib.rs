//! Tests of peerd as a whole, and of the house: what no single crate can show.
//!
//! Tests are in `tests/`, one binary per kind; `tidy` holds the rules of the source tree itself. Benches are in
//! `benches/`; what they have in common is here.

pub mod bench;
