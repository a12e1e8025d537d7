//! Tests of peerd as a whole, and of the house: what no single crate can show.
//!
//! Everything is in `tests/`, one binary per kind. `tidy` holds the rules of the source tree itself.
