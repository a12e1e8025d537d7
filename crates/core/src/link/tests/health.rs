use std::time::Duration;

use super::*;

fn ago(secs: u64) -> Time {
    NOW.minus(Duration::from_secs(secs))
}

/// A link that was heard five seconds ago and had nothing to acknowledge for long.
fn well() -> Vitals {
    Vitals {
        established_since: Some(ago(1000)),
        last_heard_at: Some(ago(5)),
        last_acknowledged_at: Some(ago(600)),
        ..Vitals::default()
    }
}

fn status(change: impl Fn(&mut Vitals)) -> Status {
    let mut vitals = well();
    change(&mut vitals);
    vitals.health(NOW).status
}

#[test]
fn b119_health_turns_on_silence() {
    assert_eq!(Vitals::default().health(NOW).status, Status::Pending);
    assert_eq!(status(|_| ()), Status::Healthy, "idle for long is no fault");
    assert_eq!(
        status(|vitals| vitals.last_heard_at = None),
        Status::Down,
        "never connected"
    );
    let fresh = |vitals: &mut Vitals| (vitals.established_since, vitals.last_heard_at) = (Some(ago(3)), None);
    assert_eq!(status(fresh), Status::Degraded, "it was only just made");
    assert_eq!(
        status(|vitals| vitals.last_heard_at = Some(ago(40))),
        Status::Degraded
    );
    assert_eq!(
        status(|vitals| vitals.last_heard_at = Some(ago(100))),
        Status::Down
    );
}

#[test]
fn b119_health_turns_on_a_backlog_that_nobody_acknowledges() {
    assert_eq!(
        status(|vitals| vitals.backlog_since = Some(ago(5))),
        Status::Healthy,
        "it only just came"
    );
    assert_eq!(
        status(|vitals| vitals.backlog_since = Some(ago(40))),
        Status::Degraded
    );
    let mut stuck = well();
    stuck.backlog_since = Some(ago(100));
    assert_eq!(stuck.health(NOW).status, Status::Down, "though heartbeats come");
    assert_eq!(
        stuck.health(NOW).cause.to_string(),
        "nothing acknowledged for 100 s"
    );
    stuck.last_acknowledged_at = Some(ago(2));
    assert_eq!(
        stuck.health(NOW).status,
        Status::Healthy,
        "a long queue that moves"
    );
}

#[test]
fn b031_b119_a_refusal_and_a_clock_that_is_off_are_told() {
    let skewed = |vitals: &mut Vitals| vitals.skew = Some(Duration::from_hours(1));
    assert_eq!(status(skewed), Status::Degraded);
    let mut blocked = well();
    blocked.blocked = Some(Reason::EgressDenied);
    assert_eq!(blocked.health(NOW).status, Status::Blocked);
    assert!(
        blocked
            .health(NOW)
            .cause
            .to_string()
            .starts_with("EGRESS_DENIED: ")
    );
}
