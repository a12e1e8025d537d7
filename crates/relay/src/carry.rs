//! Carries bundles from an outbox to an inbox, as badly as it is asked to.
//!
//! For demonstrations and tests: what a guard, a courier or a one-way link does to files, from a seed. What happens to
//! a file follows from the seed, its name and how often it came by, so a run can be repeated whatever its timing was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use peerd_core::Time;
use sha2::{Digest as _, Sha256};

use crate::directory::{self, Broken};

/// The most entries of an outbox that are looked at in one turn.
const ENTRIES_MAX: usize = 65_536;

/// What may happen on the way. Probabilities are between 0 and 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// How long each file takes.
    pub delay: Duration,
    /// How likely a file is lost.
    pub loss: f64,
    /// How likely it arrives twice.
    pub duplicate: f64,
    /// How many later files may overtake a file.
    pub reorder: usize,
    /// How likely only its first part arrives.
    pub tear: f64,
    /// What all chance comes from.
    pub seed: u64,
}

/// What a turn did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Files found in the outbox.
    pub found: usize,
    /// Files put into the inbox, whole.
    pub delivered: usize,
    /// Of these, second copies.
    pub duplicated: usize,
    /// Files of which only a part was put into the inbox.
    pub torn: usize,
    /// Files that are gone.
    pub lost: usize,
    /// Files still on the way.
    pub waiting: usize,
}

/// A way from one directory to another. Files stay in the outbox until they arrive, so stopping loses nothing.
#[derive(Debug)]
pub struct Carrier {
    from: PathBuf,
    to: PathBuf,
    faults: Faults,
    /// How many files were found so far.
    found: u64,
    /// How often each name came by.
    turns: BTreeMap<String, u64>,
    /// What is on the way, in the order of arrival.
    way: BTreeMap<(u64, String), Leg>,
}

/// A file on the way.
#[derive(Clone, Copy, Debug)]
struct Leg {
    due: Time,
    fate: Fate,
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Lost,
    Whole,
    Twice,
    /// Only so much of it arrives.
    Torn(f64),
}

impl Carrier {
    /// A way between these directories, which are made if they are not there.
    pub fn new(from: &Path, to: &Path, faults: Faults) -> Result<Carrier, Broken> {
        directory::ensure(from)?;
        directory::ensure(to)?;
        Ok(Carrier {
            from: from.to_owned(),
            to: to.to_owned(),
            faults,
            found: 0,
            turns: BTreeMap::new(),
            way: BTreeMap::new(),
        })
    }

    /// One turn: takes up what is new, and delivers what is due. Files are held back for others to overtake them while
    /// others come; with `all` they are not.
    pub fn turn(&mut self, now: Time, all: bool) -> Result<Carried, Broken> {
        let mut carried = Carried {
            found: self.take_up(now)?,
            ..Carried::default()
        };
        let hold = if all || carried.found == 0 {
            0
        } else {
            self.faults.reorder
        };
        while self.way.len() > hold {
            // The first that is due; what is not due yet keeps its place.
            let due = self.way.iter().find(|(_, leg)| leg.due <= now);
            let Some((place, leg)) = due.map(|(place, leg)| (place.clone(), *leg)) else {
                break;
            };
            self.deliver(&place.1, leg.fate, &mut carried)?;
            self.way.remove(&place);
        }
        carried.waiting = self.way.len();
        Ok(carried)
    }

    fn take_up(&mut self, now: Time) -> Result<usize, Broken> {
        let mut found = 0;
        let listing = directory::list(&self.from, ENTRIES_MAX)?;
        for file in listing.files {
            if self.way.keys().any(|(_, name)| *name == file.name) {
                continue;
            }
            let turn = self.turns.entry(file.name.clone()).or_default();
            *turn += 1;
            let mut dice = Dice::new(self.faults.seed, &file.name, *turn);
            let leg = Leg {
                due: now.plus(self.faults.delay),
                fate: self.faults.fate(&mut dice),
            };
            let overtaken = dice.below(self.faults.reorder as u64 + 1);
            // Twice as far apart as needed, so that a file that is overtaken by one comes after it.
            let place = 2 * self.found + 2 * overtaken + u64::from(overtaken > 0);
            self.way.insert((place, file.name), leg);
            self.found += 1;
            found += 1;
        }
        Ok(found)
    }

    fn deliver(&self, name: &str, fate: Fate, carried: &mut Carried) -> Result<(), Broken> {
        let path = self.from.join(name);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            // Its sender took it back.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Broken::reading(&path)(error)),
        };
        match fate {
            Fate::Lost => carried.lost += 1,
            Fate::Whole => {
                directory::write(&self.to, name, &bytes)?;
                carried.delivered += 1;
            }
            Fate::Twice => {
                directory::write(&self.to, name, &bytes)?;
                directory::write(&self.to, &format!("again-{name}"), &bytes)?;
                carried.delivered += 2;
                carried.duplicated += 1;
            }
            Fate::Torn(share) => {
                let kept = bytes.len().saturating_sub(1).min(part(bytes.len(), share));
                directory::write(&self.to, name, &bytes[..kept])?;
                carried.torn += 1;
            }
        }
        directory::remove(&self.from, name)
    }
}

impl Faults {
    fn fate(&self, dice: &mut Dice) -> Fate {
        let share = dice.share();
        if dice.share() < self.loss {
            Fate::Lost
        } else if dice.share() < self.tear {
            Fate::Torn(share)
        } else if dice.share() < self.duplicate {
            Fate::Twice
        } else {
            Fate::Whole
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a length, rounded somehow"
)]
fn part(length: usize, share: f64) -> usize {
    (length as f64 * share) as usize
}

/// Chance that can be repeated.
struct Dice {
    seed: [u8; 32],
    thrown: u64,
}

impl Dice {
    fn new(seed: u64, name: &str, turn: u64) -> Dice {
        let hash = Sha256::new_with_prefix(seed.to_be_bytes());
        let hash = hash.chain_update(turn.to_be_bytes()).chain_update(name);
        Dice {
            seed: hash.finalize().into(),
            thrown: 0,
        }
    }

    fn throw(&mut self) -> u64 {
        self.thrown += 1;
        let hash = Sha256::new_with_prefix(self.seed).chain_update(self.thrown.to_be_bytes());
        let bytes: [u8; 32] = hash.finalize().into();
        bytes.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
    }

    /// From 0 up to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a share has")]
    fn share(&mut self) -> f64 {
        (self.throw() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, end: u64) -> u64 {
        self.throw().checked_rem(end).unwrap_or_default()
    }
}
