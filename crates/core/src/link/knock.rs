//! Knocks: attempts that were refused, kept so that the operator who expected one is a step away from the fix.
//!
//! Whoever can reach the port can knock, so the rules here bound what a stranger can make us write and keep.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::name::Title;
use crate::reason::Reason;
use crate::{EnrollmentId, Fingerprint, KnockId, Time};

/// A refused attempt, with its repetitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knock {
    /// Its id.
    pub id: KnockId,
    /// The enrollment whose identity was shown, if it came that far: whom a policy would name.
    pub enrollment: Option<EnrollmentId>,
    /// That identity's fingerprint.
    pub fingerprint: Option<Fingerprint>,
    /// What it calls itself; nothing vouches for it.
    pub claimed_title: Option<Title>,
    /// Where it came from.
    pub address: IpAddr,
    /// What was missing.
    pub reason: Reason,
    /// How often, as far as it was written.
    pub count: u64,
    /// The first time.
    pub first_seen_at: Time,
    /// The last time that was written.
    pub last_seen_at: Time,
}

/// An attempt that was just refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The enrollment whose identity was shown, if it came that far: whom a policy would name.
    pub enrollment: Option<EnrollmentId>,
    /// That identity's fingerprint.
    pub fingerprint: Option<Fingerprint>,
    /// What it calls itself.
    pub claimed_title: Option<Title>,
    /// Where it came from.
    pub address: IpAddr,
    /// What was missing.
    pub reason: Reason,
}

/// What is to be written for an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The knock to write.
    pub knock: Knock,
    /// The knock that has to make room for it.
    pub dropped: Option<KnockId>,
}

/// The most knocks that are kept.
pub const KNOCKS_MAX: usize = 256;
/// The most knocks that are kept of one source address, so that one stranger cannot push out the others.
pub const KNOCKS_PER_ADDRESS_MAX: usize = 8;
/// How often a repetition is written at most.
pub const KNOCK_INTERVAL: Duration = Duration::from_secs(1);

/// Records an attempt among the knocks that are kept; `id` is used if it is a new one. `None` when it repeats too
/// soon to be worth a write.
pub fn record(kept: &[Knock], attempt: Attempt, id: KnockId, now: Time) -> Option<Recorded> {
    let same = |knock: &&Knock| knock.fingerprint == attempt.fingerprint && knock.address == attempt.address;
    if let Some(known) = kept.iter().find(same) {
        // By distance: a clock that was set back must not silence a knock until it has caught up.
        if now.distance(known.last_seen_at) < KNOCK_INTERVAL && known.reason == attempt.reason {
            return None;
        }
        let knock = Knock {
            claimed_title: attempt.claimed_title.or_else(|| known.claimed_title.clone()),
            reason: attempt.reason,
            count: known.count.saturating_add(1),
            last_seen_at: now,
            ..known.clone()
        };
        return Some(Recorded { knock, dropped: None });
    }
    let of_address = || kept.iter().filter(|knock| knock.address == attempt.address);
    let oldest = |knock: &&Knock| (knock.last_seen_at, knock.id);
    let dropped = if of_address().count() >= KNOCKS_PER_ADDRESS_MAX {
        of_address().min_by_key(oldest)
    } else if kept.len() >= KNOCKS_MAX {
        kept.iter().min_by_key(oldest)
    } else {
        None
    };
    let dropped = dropped.map(|knock| knock.id);
    let knock = Knock {
        id,
        enrollment: attempt.enrollment,
        fingerprint: attempt.fingerprint,
        claimed_title: attempt.claimed_title,
        address: attempt.address,
        reason: attempt.reason,
        count: 1,
        first_seen_at: now,
        last_seen_at: now,
    };
    Some(Recorded { knock, dropped })
}
