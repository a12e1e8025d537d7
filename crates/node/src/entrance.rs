//! Where callers of this enrollment come in, whatever they call with: a token becomes a caller, and a source address may
//! fail at that only so often.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use peerd_core::{Reason, Time};

use crate::{Caller, Error, Node};

/// How many source addresses are remembered. While all of them are fresh, further ones share the last place.
const SOURCES_MAX: usize = 1_024;

/// Over which time failures are counted.
const WINDOW: Duration = Duration::from_mins(1);

/// The door that the API and the console share, so that a stranger's attempts at one count at the other.
#[derive(Debug)]
pub struct Entrance {
    node: Arc<Node>,
    strangers: Throttle,
}

impl Entrance {
    /// The door of this node. One source address may fail `failures_max` times in a minute before it is told to slow
    /// down.
    pub fn new(node: Arc<Node>, failures_max: u32) -> Entrance {
        Entrance {
            node,
            strangers: Throttle::new(failures_max),
        }
    }

    /// The principal that this token belongs to. A stranger is audited, and slowed down.
    pub async fn authenticate(&self, token: &str, from: IpAddr) -> Result<Caller, Error> {
        let refused = match self.node.authenticate(token).await {
            Err(error) if error.reason() == Reason::TokenInvalid => error,
            answer => return answer,
        };
        if !self.strangers.tolerates(from, self.node.now()) {
            return Err(Error::of(Reason::RateLimited));
        }
        tracing::info!(%from, "call without a valid token");
        self.node.audit_stranger(from).await?;
        Err(refused)
    }
}

/// Failures per source address. Valid tokens are never held up by it: it bounds what strangers cost, not who may call
/// from behind a shared address.
#[derive(Debug)]
struct Throttle {
    failures_max: u32,
    sources: Mutex<BTreeMap<IpAddr, Failures>>,
}

#[derive(Debug)]
struct Failures {
    since: Time,
    count: u32,
}

impl Throttle {
    fn new(failures_max: u32) -> Throttle {
        Throttle {
            failures_max,
            sources: Mutex::default(),
        }
    }

    /// Counts a failure; whether the source is still within its limit.
    fn tolerates(&self, from: IpAddr, now: Time) -> bool {
        // Nothing here can be left half done, so a panic elsewhere does not spoil it.
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let mut source = network(from);
        if sources.len() >= SOURCES_MAX && !sources.contains_key(&source) {
            sources.retain(|_, failures| now.distance(failures.since) < WINDOW);
            if sources.len() >= SOURCES_MAX {
                source = sources.keys().next_back().copied().unwrap_or(source);
            }
        }
        let failures = sources.entry(source).or_insert(Failures { since: now, count: 0 });
        if now.distance(failures.since) >= WINDOW {
            *failures = Failures { since: now, count: 0 };
        }
        failures.count = failures.count.saturating_add(1);
        failures.count <= self.failures_max
    }
}

/// What counts as one source: an IPv4 address, or the /64 that one IPv6 host commonly has to itself.
fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_held_up_until_its_minute_is_over_and_others_are_not() {
        let throttle = Throttle::new(2);
        let (one, other): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let start = Time::EPOCH;
        assert!(throttle.tolerates(one, start));
        assert!(throttle.tolerates(one, start));
        assert!(!throttle.tolerates(one, start));
        assert!(throttle.tolerates(other, start));
        assert!(!throttle.tolerates(one, start.plus(Duration::from_secs(59))));
        assert!(throttle.tolerates(one, start.plus(WINDOW)));
    }

    #[test]
    fn the_hosts_of_one_ipv6_network_are_one_source() {
        let throttle = Throttle::new(1);
        let [a, b, c] = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"].map(|ip| ip.parse().unwrap());
        assert!(throttle.tolerates(a, Time::EPOCH));
        assert!(!throttle.tolerates(b, Time::EPOCH));
        assert!(throttle.tolerates(c, Time::EPOCH));
    }

    #[test]
    fn memory_is_bounded_and_old_sources_make_room() {
        let throttle = Throttle::new(1);
        for n in 0..10_000_u32 {
            throttle.tolerates(IpAddr::V4(n.into()), Time::EPOCH);
        }
        assert_eq!(throttle.sources.lock().unwrap().len(), SOURCES_MAX);
        assert!(!throttle.tolerates([203, 0, 113, 1].into(), Time::EPOCH));
        assert!(throttle.tolerates([203, 0, 113, 1].into(), Time::EPOCH.plus(WINDOW)));
    }
}
