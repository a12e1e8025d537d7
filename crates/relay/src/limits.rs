//! How large bundles may be.

use crate::{Form, Records};

/// The limits of one link. Guards differ, so each link may have its own, and both sides should have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest file that is written.
    pub bundle_bytes_max: usize,
    /// The most that may come out of a file: what it holds before compression.
    pub plain_bytes_max: usize,
    /// The most records of a bundle; at most [`Records::MAX`].
    pub records_max: usize,
}

impl Limits {
    /// The largest file that is read: a guard that indents XML anew, or writes it in UTF-16, makes it larger than it was.
    pub fn file_bytes_max(&self, form: Form) -> usize {
        match form {
            Form::Sealed => self.bundle_bytes_max,
            Form::Xml => self.bundle_bytes_max.saturating_mul(3),
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            bundle_bytes_max: 16 << 20,
            plain_bytes_max: 64 << 20,
            records_max: Records::MAX,
        }
    }
}
