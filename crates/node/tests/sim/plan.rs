//! What a seed intends. Which party or message it will be about is only known when its turn comes.

use peerd_testkit::SeededRng;

/// Something that should be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Link,
    Request,
    Approve,
    Reject,
    Revoke,
    Activate,
    Disable,
    Enable,
    SetDataTypes,
    Propose,
    Decide,
    Close,
    Send,
    Deliver,
    Duplicate,
    Lose,
    Forge,
    Cut,
    Heal,
    Restart,
    Wait,
    Expire,
    Permit,
    Forbid,
}

/// How likely each is.
const WEIGHTS: &[(What, u64)] = &[
    (What::Link, 3),
    (What::Request, 7),
    (What::Approve, 9),
    (What::Reject, 2),
    (What::Revoke, 2),
    (What::Activate, 9),
    (What::Disable, 4),
    (What::Enable, 3),
    (What::SetDataTypes, 3),
    (What::Propose, 3),
    (What::Decide, 3),
    (What::Close, 3),
    (What::Send, 18),
    (What::Deliver, 26),
    (What::Duplicate, 5),
    (What::Lose, 4),
    (What::Forge, 1),
    (What::Cut, 2),
    (What::Heal, 8),
    (What::Restart, 2),
    (What::Wait, 2),
    (What::Expire, 1),
    (What::Permit, 6),
    (What::Forbid, 2),
];

const INTENTIONS: usize = 64;

/// An intention with the dice that make it concrete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Intention {
    pub(crate) what: What,
    dice: [u64; 3],
}

impl Intention {
    /// One of these, if there is any. Each `die` is its own throw.
    pub(crate) fn pick<'a, T>(&self, die: usize, of: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(of.len()).ok().filter(|count| *count > 0)?;
        of.get(usize::try_from(self.dice[die] % count).ok()?)
    }

    /// True once in so many times.
    pub(crate) fn once_in(&self, die: usize, times: u64) -> bool {
        // The upper half: the lower one picked already.
        (self.dice[die] >> 32).is_multiple_of(times)
    }
}

/// A whole run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) parties: usize,
    pub(crate) intentions: Vec<Intention>,
}

/// The run of a seed.
pub(crate) fn plan(seed: u64) -> Plan {
    let rng = SeededRng::new(seed);
    let total: u64 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
    let what = |mut throw: u64| {
        for (what, weight) in WEIGHTS {
            if throw < *weight {
                return *what;
            }
            throw -= weight;
        }
        What::Deliver
    };
    let parties = 2 + usize::from(seed % 3 == 1) + 2 * usize::from(seed % 8 == 5);
    let intentions = (0..INTENTIONS).map(|number| Intention {
        // Without links nothing else happens.
        what: if number + 1 < parties {
            What::Link
        } else {
            what(rng.next() % total)
        },
        dice: [rng.next(), rng.next(), rng.next()],
    });
    Plan {
        parties,
        intentions: intentions.collect(),
    }
}
