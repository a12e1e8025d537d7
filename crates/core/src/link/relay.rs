//! Relay links: what an operator set about the files that something else carries.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The form of the bundles that go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Compressed and encrypted to the other side: for carriers that must not read it.
    #[default]
    Sealed,
    /// XML with a detached signature: for guards that read it.
    Xml,
}

impl Form {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Form::Sealed => "sealed",
            Form::Xml => "xml",
        }
    }
}

/// How much of a link's bundles there may be. Guards differ, so every link has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayLimits {
    /// The largest bundle that is written or read, in bytes.
    pub bundle_bytes_max: u64,
    /// So many bytes may lie in the outbox, or wait for an acknowledgement, before no more is written.
    pub outbox_bytes_max: u64,
    /// So many bytes of the inbox are looked at; more stays where it is until there is room.
    pub inbox_bytes_max: u64,
    /// How long a bundle may be on its way, in seconds.
    pub lifetime_seconds: u64,
}

impl RelayLimits {
    /// The smallest limit of a bundle: one with a single small object fits.
    pub const BUNDLE_BYTES_LEAST: u64 = 64 << 10;
    /// The largest limit of a bundle.
    pub const BUNDLE_BYTES_MOST: u64 = 256 << 20;

    /// How long a bundle may be on its way.
    pub const fn lifetime(&self) -> Duration {
        Duration::from_secs(self.lifetime_seconds)
    }

    /// The field that is out of bounds, if one is.
    pub fn check(&self) -> Result<(), &'static str> {
        let bundle = RelayLimits::BUNDLE_BYTES_LEAST..=RelayLimits::BUNDLE_BYTES_MOST;
        if !bundle.contains(&self.bundle_bytes_max) {
            return Err("bundle_bytes_max");
        }
        if self.outbox_bytes_max < self.bundle_bytes_max {
            return Err("outbox_bytes_max");
        }
        if self.inbox_bytes_max < self.bundle_bytes_max {
            return Err("inbox_bytes_max");
        }
        Ok(())
    }
}

impl Default for RelayLimits {
    fn default() -> RelayLimits {
        RelayLimits {
            bundle_bytes_max: 16 << 20,
            outbox_bytes_max: 4 << 30,
            inbox_bytes_max: 16 << 30,
            lifetime_seconds: 30 * 24 * 3_600,
        }
    }
}

/// Why the settings of a relay link cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct InvalidRelay {
    /// The setting.
    pub field: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
}

/// The settings of a relay link.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relay {
    /// The directory that bundles are written to, an absolute path.
    pub outbox: String,
    /// The directory that bundles are read from, an absolute path.
    pub inbox: String,
    /// The form of what goes out, and of what is taken: a file of the other form is put aside.
    pub form: Form,
    /// Whether nothing comes back that could acknowledge what went out.
    pub one_way: bool,
    /// How much there may be.
    pub limits: RelayLimits,
    /// What the other side's bundles are sealed to, as its code had it; absent where its code had none.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_bytes")]
    pub sealing: Option<Vec<u8>>,
}

impl Relay {
    /// The longest path of a directory, in bytes.
    pub const PATH_MAX: usize = 4_096;

    /// Whether the settings can be used.
    pub fn check(&self) -> Result<(), InvalidRelay> {
        let invalid = |field, why| Err(InvalidRelay { field, why });
        for (field, path) in [("outbox", &self.outbox), ("inbox", &self.inbox)] {
            if !path.starts_with('/') || path.len() > Relay::PATH_MAX || path.contains('\0') {
                return invalid(field, "give the absolute path of a directory");
            }
            if path.split('/').any(|part| part == "..") {
                return invalid(field, "a path with `..` in it is not taken");
            }
        }
        let [outbox, inbox] = [&self.outbox, &self.inbox].map(|path| with_slash(path));
        if outbox.starts_with(&inbox) || inbox.starts_with(&outbox) {
            return invalid("inbox", "outbox and inbox must not lie in each other");
        }
        if let Err(field) = self.limits.check() {
            return invalid(field, "it is out of bounds");
        }
        if self.form == Form::Sealed && self.sealing.is_none() {
            return invalid(
                "form",
                "the code has no sealing key: ask for a newer one, or use the form xml",
            );
        }
        Ok(())
    }

    /// Whether one of the directories lies in one of the other link's.
    pub fn overlaps(&self, other: &Relay) -> bool {
        let here = [&self.outbox, &self.inbox].map(|path| with_slash(path));
        let there = [&other.outbox, &other.inbox].map(|path| with_slash(path));
        here.iter().any(|one| {
            there
                .iter()
                .any(|two| one.starts_with(two) || two.starts_with(one))
        })
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("outbox", &self.outbox)
            .field("inbox", &self.inbox)
            .field("form", &self.form)
            .field("one_way", &self.one_way)
            .finish_non_exhaustive()
    }
}

/// The path of a directory, ending with one slash.
fn with_slash(path: &str) -> String {
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    let mut whole = parts.fold(String::from("/"), |whole, part| whole + part + "/");
    whole.shrink_to_fit();
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(outbox: &str, inbox: &str) -> Relay {
        Relay {
            outbox: outbox.to_owned(),
            inbox: inbox.to_owned(),
            form: Form::Sealed,
            one_way: false,
            limits: RelayLimits::default(),
            sealing: Some(vec![1]),
        }
    }

    #[test]
    fn directories_are_absolute_and_apart() {
        assert_eq!(relay("/var/out", "/var/in").check(), Ok(()));
        let inside = [
            ("/var/out", "/var/out"),
            ("/var/out/", "//var/out/in"),
            ("/", "/var/in"),
            ("out", "/var/in"),
            ("/var/out", "in"),
            ("/var/../out", "/var/in"),
        ];
        for (outbox, inbox) in inside {
            assert!(relay(outbox, inbox).check().is_err(), "{outbox} {inbox}");
        }
        assert!(relay("/a/out", "/a/in").overlaps(&relay("/a/in/x", "/b/in")));
        assert!(!relay("/a/out", "/a/in").overlaps(&relay("/a/outside", "/b/in")));
    }

    #[test]
    fn the_sealed_form_needs_a_key_to_seal_to() {
        let keyless = Relay {
            sealing: None,
            ..relay("/out", "/in")
        };
        assert_eq!(keyless.check().expect_err("no key").field, "form");
        let xml = Relay {
            form: Form::Xml,
            ..keyless
        };
        assert_eq!(xml.check(), Ok(()));
    }
}
