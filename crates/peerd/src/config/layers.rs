//! The sources of the configuration, laid over each other.
//!
//! Each source is read as a [`RawConfig`] of its own first, so that an error names the source it is in.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize as _;
use toml::{Table, Value};

use super::{Error, RawConfig};

/// No configuration of ours comes near this; what is larger is not one.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What the variables of a process start with to be ours.
const PREFIX: &str = "PEERD_";

/// Ours too, but they are read with the command line: they say where the file is.
const NOT_KEYS: [&str; 2] = ["PEERD_CONFIG", "PEERD_DATA_DIR"];

pub(super) fn merge(
    file: &Path,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    flags: RawConfig,
    cwd: &Path,
) -> Result<RawConfig, Error> {
    let file = cwd.join(file);
    let dir = file.parent().unwrap_or(&file);
    let mut merged = Table::new();

    let mut read = read(&file)?;
    read.data_dir.get_or_insert_with(|| dir.to_owned());
    lay_over(&mut merged, read, dir, &file.display().to_string())?;
    for (name, value) in variables {
        let Some((name, set)) = variable(&name, &value)? else {
            continue;
        };
        lay_over(&mut merged, set, cwd, &format!("environment variable {name}"))?;
    }
    lay_over(&mut merged, flags, cwd, "the command line")?;

    RawConfig::deserialize(merged).map_err(|source| Error::File {
        path: file,
        source: source.into(),
    })
}

fn read(path: &Path) -> Result<RawConfig, Error> {
    let unreadable = |source| Error::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(unreadable)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(unreadable(std::io::ErrorKind::FileTooLarge.into()));
    }
    toml::from_str(&text).map_err(|source| Error::File {
        path: path.to_owned(),
        source: source.into(),
    })
}

/// What `PEERD_SECTION__KEY=value` sets; `None` for a variable that is not ours.
fn variable(name: &OsString, value: &OsString) -> Result<Option<(String, RawConfig)>, Error> {
    let name = name.to_string_lossy();
    let Some(key) = name.strip_prefix(PREFIX) else {
        return Ok(None);
    };
    if NOT_KEYS.contains(&&*name) {
        return Ok(None);
    }
    let invalid = |problem: String| Error::Variable {
        name: name.clone().into_owned(),
        problem,
    };
    let text = value
        .to_str()
        .ok_or_else(|| invalid("it is not Unicode".to_owned()))?;
    if text.is_empty() {
        return Err(invalid("it is empty; unset it instead".to_owned()));
    }

    let key = key.to_lowercase();
    let read = |value: Value| {
        let set = match key.split_once("__") {
            Some((section, key)) => Table::from_iter([(
                section.to_owned(),
                Value::Table(Table::from_iter([(key.to_owned(), value)])),
            )]),
            None => Table::from_iter([(key.clone(), value)]),
        };
        RawConfig::deserialize(set)
    };
    // The key knows its type, not the variable: a text if that fits, then any TOML value, then a list of texts.
    let list = || {
        text.split(',')
            .map(|item| item.trim().into())
            .collect::<Vec<Value>>()
    };
    let as_text = read(text.into());
    let as_value = || read(text.parse().ok()?).ok();
    let as_list = || read(list().into()).ok();
    match as_text {
        Ok(set) => Ok(Some((name.into_owned(), set))),
        Err(error) => match as_value().or_else(as_list) {
            Some(set) => Ok(Some((name.into_owned(), set))),
            None => Err(invalid(error.message().to_owned())),
        },
    }
}

fn lay_over(lower: &mut Table, mut upper: RawConfig, base: &Path, origin: &str) -> Result<(), Error> {
    upper.anchor(base).map_err(|source| Error::Path {
        origin: origin.to_owned(),
        source,
    })?;
    for (name, section) in Table::try_from(&upper).map_err(Error::Unwritable)? {
        match (lower.get_mut(&name), section) {
            (Some(Value::Table(below)), Value::Table(above)) => below.extend(above),
            (_, section) => {
                lower.insert(name, section);
            }
        }
    }
    Ok(())
}
