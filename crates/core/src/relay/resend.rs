//! What of what went out is written again, and what need not be kept any longer.

use std::time::Duration;

use crate::{EpochId, Time};

/// A bundle that is kept, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its number.
    pub sequence: u64,
    /// How often it was written.
    pub copies: u32,
    /// When it was written last; absent before the first time.
    pub put_at: Option<Time>,
}

/// What the other side says has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The epoch it speaks of.
    pub epoch: EpochId,
    /// All up to here were taken.
    pub below: u64,
    /// Ranges beyond that were taken.
    pub taken: Vec<(u64, u64)>,
    /// Ranges that did not come.
    pub wanted: Vec<(u64, u64)>,
}

fn within(ranges: &[(u64, u64)], sequence: u64) -> bool {
    ranges
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&sequence))
}

/// Whether a bundle need not be kept any longer.
pub fn settled(kept: &Kept, answer: &Answered) -> bool {
    kept.sequence <= answer.below || within(&answer.taken, kept.sequence)
}

/// Which of the kept bundles are written again now: those that were never written, and those the other side misses,
/// unless they were written so short a time ago that they may be on their way.
pub fn due(kept: &[Kept], answer: Option<&Answered>, now: Time, on_the_way: Duration) -> Vec<u64> {
    let is_due = |kept: &&Kept| match (kept.put_at, answer) {
        (None, _) => true,
        (Some(put_at), Some(answer)) => {
            within(&answer.wanted, kept.sequence) && !settled(kept, answer) && now.since(put_at) >= on_the_way
        }
        (Some(_), None) => false,
    };
    kept.iter().filter(is_due).map(|kept| kept.sequence).collect()
}

/// Which bundles are repeated now where nothing comes back, and which were repeated often enough.
pub fn repeats_due(kept: &[Kept], now: Time, every: Duration, copies_max: u32) -> (Vec<u64>, Vec<u64>) {
    let (mut again, mut over) = (Vec::new(), Vec::new());
    for one in kept {
        let rested = one.put_at.is_none_or(|put_at| now.since(put_at) >= every);
        match (one.copies >= copies_max, rested) {
            (true, true) => over.push(one.sequence),
            (false, true) => again.push(one.sequence),
            _ => {}
        }
    }
    (again, over)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAY: Duration = Duration::from_secs(10);

    fn at(seconds: i64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    fn kept(sequence: u64, put_at: Option<i64>) -> Kept {
        Kept {
            sequence,
            copies: 1,
            put_at: put_at.map(at),
        }
    }

    #[test]
    fn only_what_is_missing_is_written_again() {
        let answer = Answered {
            epoch: EpochId::from_bytes([1; 16]),
            below: 2,
            taken: vec![(5, 6)],
            wanted: vec![(1, 4), (7, 8)],
        };
        let all = [
            kept(2, Some(0)),
            kept(3, Some(0)),
            kept(4, Some(95)),
            kept(5, Some(0)),
            kept(8, Some(90)),
            kept(9, Some(0)),
            kept(10, None),
        ];
        assert_eq!(due(&all, Some(&answer), at(100), WAY), [3, 8, 10]);
        assert_eq!(due(&all, None, at(100), WAY), [10]);
        let over: Vec<u64> = all
            .iter()
            .filter(|one| settled(one, &answer))
            .map(|one| one.sequence)
            .collect();
        assert_eq!(over, [2, 5]);
    }

    #[test]
    fn repetition_ends() {
        let copies = |copies, put_at| Kept {
            copies,
            ..kept(u64::from(copies), Some(put_at))
        };
        let all = [copies(1, 0), copies(2, 95), copies(3, 0), copies(4, 95)];
        assert_eq!(repeats_due(&all, at(100), WAY, 3), (vec![1], vec![3]));
        assert_eq!(
            repeats_due(&[kept(9, None)], at(100), WAY, 3),
            (vec![9], vec![]),
            "never written"
        );
    }
}
