//! Where refused files go, so that somebody can look at them.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use peerd_core::Time;

use super::InboxLimits;
use crate::Refused;
use crate::directory::{self, Broken, NAME_BYTES_MAX};

/// What the name of a reason ends with, after the name of its file.
const REASON: &str = ".reason";

/// Moves a file into quarantine and writes the reason beside it. A file that is gone leaves its reason alone.
pub(super) fn put(
    file: &Path,
    quarantine: &Path,
    (name, refused, now): (&str, &Refused, Time),
    copyable: Option<&[u8]>,
) -> Result<(), Broken> {
    let name = place(name, now);
    let target = quarantine.join(&name);
    match std::fs::rename(file, &target) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        // Another file system: a move is a copy there. What is no file, or larger than any bundle, is not copied.
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            if let Some(bytes) = copyable {
                directory::write(quarantine, &name, bytes)?;
            }
            std::fs::remove_file(file).map_err(Broken::writing(file))?;
        }
        Err(error) => return Err(Broken::writing(&target)(error)),
    }
    let mut text = String::new();
    let written = write!(
        text,
        "reason: {}\ndetail: {}\nat: {now}\n{}\n",
        refused.reason,
        refused.detail,
        refused.reason.explanation().trim()
    );
    written.map_err(|_| Broken::writing(&target)(io::ErrorKind::Other.into()))?;
    directory::write(quarantine, &(name + REASON), text.as_bytes())
}

/// The name of a file in quarantine: they sort by the time they came.
fn place(name: &str, now: Time) -> String {
    let mut place = format!("{:020}-{name}", now.as_micros().max(0));
    let most = NAME_BYTES_MAX - REASON.len();
    let end = (0..=most.min(place.len())).rfind(|end| place.is_char_boundary(*end));
    place.truncate(end.unwrap_or_default());
    place
}

/// Takes the oldest away until the limits hold.
pub(super) fn shrink(quarantine: &Path, limits: &InboxLimits) -> Result<(), Broken> {
    let listing = directory::list(quarantine, usize::MAX)?;
    let mut usage = listing.usage();
    for file in &listing.files {
        let within = usage.files <= limits.quarantine_files_max && usage.bytes <= limits.quarantine_bytes_max;
        if within {
            break;
        }
        directory::remove(quarantine, &file.name)?;
        usage.files -= 1;
        usage.bytes = usage.bytes.saturating_sub(file.bytes);
    }
    Ok(())
}
