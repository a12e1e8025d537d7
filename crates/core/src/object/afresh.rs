//! Objects under a key whose tombstone was collected.

use super::{Dot, Hlc, Life, ObjectState};
use crate::EnrollmentId;

impl ObjectState {
    /// A tombstone of a later step of life than this is never collected: what a peer claims must not use up the steps
    /// that are left for others.
    pub const COLLECTED_STEP_MAX: u32 = 1 << 20;

    /// [`ObjectState::blank`] where tombstones of up to this step of life were collected: what is created begins its life
    /// after them, so that whoever still keeps the tombstone of the key does not take it for what was deleted.
    pub fn blank_after(step: u32, hlc: Hlc, me: EnrollmentId) -> ObjectState {
        let mut state = ObjectState::blank(hlc, me);
        // A life that ended; step 0 is none at all.
        let ended = step + step % 2;
        if ended > 0 {
            state.life = Life {
                step: ended,
                by: Some(Dot { hlc, enrollment: me }),
                hides_source_to: Hlc::ZERO,
            };
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Changes, merge};

    #[test]
    fn what_is_created_afresh_outlives_the_tombstone_that_others_still_keep() {
        let (me, other) = (
            EnrollmentId::from_bytes([1; 32]),
            EnrollmentId::from_bytes([2; 32]),
        );
        let at = |n| Hlc::new(n, 0).expect("a clock");
        let mut kept = ObjectState::blank(at(1), other);
        kept.create(&Changes::default(), at(1), other).expect("created");
        kept.delete(at(2), other).expect("deleted");
        let step = kept.life().step;

        let mut forgetful = ObjectState::blank(at(9), me);
        forgetful.create(&Changes::default(), at(9), me).expect("created");
        let merged = merge(&kept, &forgetful).expect("merged").state;
        assert!(merged.is_deleted(), "why the step is remembered");

        let mut afresh = ObjectState::blank_after(step, at(9), me);
        assert!(!afresh.is_live());
        afresh.create(&Changes::default(), at(9), me).expect("created");
        let merged = merge(&kept, &afresh).expect("merged").state;
        assert!(merged.is_live());
        assert_eq!(merge(&afresh, &kept).expect("merged").state, merged);
        assert_eq!(ObjectState::decode(&afresh.encode()), Ok(afresh));
    }

    #[test]
    fn where_nothing_was_collected_it_is_a_blank_one() {
        let (hlc, me) = (
            Hlc::new(3, 0).expect("a clock"),
            EnrollmentId::from_bytes([1; 32]),
        );
        assert_eq!(ObjectState::blank_after(0, hlc, me), ObjectState::blank(hlc, me));
    }
}
