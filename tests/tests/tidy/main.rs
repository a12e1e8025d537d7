//! The rules of the source tree that no compiler and no lint checks. A failure says which file, which line and what
//! to do; `CONTRIBUTING.md` says why.
//!
//! Files that are made from code are compared, and rewritten when `UPDATE_GOLDENS=1` is set.
#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, and so do the functions it is made of"
)]

mod arrows;
mod behaviours;
mod docs;
mod sources;
mod tree;
