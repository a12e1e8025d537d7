//! Redundancy.

/// The most bundles of one group.
pub const MEMBERS_MAX: usize = 4_096;
