//! Links, link codes and knocks as they are shown.

use peerd_wire::peering::v1 as pb;
use serde::Serialize;

use super::relay::Relay;
use crate::error::Error;
use crate::field::{required, time, word};

/// A link.
#[derive(Debug, Serialize)]
pub(super) struct Link {
    link_id: String,
    name: String,
    kind: String,
    direction: String,
    remote_enrollment_id: String,
    remote_title: String,
    status: String,
    reason: String,
    last_seen_at: Option<String>,
    addresses: Vec<String>,
    remote_fingerprint: String,
    created_at: Option<String>,
    next_dial_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relay: Option<Relay>,
}

/// A link whose code was entered.
#[derive(Debug, Serialize)]
pub(super) struct Accepted {
    #[serde(flatten)]
    link: Link,
    needs_own_code: bool,
}

/// A new link code, which is a secret: nothing here prints itself.
#[derive(Serialize)]
pub(super) struct Invited {
    link_id: String,
    code: String,
    expires_at: Option<String>,
}

/// What a link code says.
#[derive(Debug, Serialize)]
pub(super) struct LinkCode {
    link_id: String,
    enrollment_id: String,
    title: String,
    fingerprint: String,
    addresses: Vec<String>,
    direction: String,
    issued_at: Option<String>,
    expires_at: Option<String>,
    version: u32,
    problems: Vec<Problem>,
}

/// Something that stands against using a code now.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    code: String,
    message: String,
}

/// A refused attempt to reach this enrollment.
#[derive(Debug, Serialize)]
pub(super) struct Knock {
    knock_id: String,
    fingerprint: String,
    enrollment_id: String,
    claimed_title: String,
    address: String,
    count: u64,
    reason: String,
    missing: String,
    first_at: Option<String>,
    last_at: Option<String>,
}

fn direction(value: i32) -> String {
    word(value, pb::Direction::as_str_name, "DIRECTION_")
}

impl From<pb::Link> for Link {
    fn from(link: pb::Link) -> Link {
        let pb::Link {
            link_id,
            name,
            kind,
            direction: who,
            remote_enrollment_id,
            remote_title,
            status,
            reason,
            last_seen_at,
            addresses,
            remote_fingerprint,
            created_at,
            next_dial_at,
            relay,
        } = link;
        Link {
            link_id,
            name,
            kind: word(kind, pb::LinkKind::as_str_name, "LINK_KIND_"),
            direction: direction(who),
            remote_enrollment_id,
            remote_title,
            status: word(status, pb::LinkStatus::as_str_name, "LINK_STATUS_"),
            reason,
            last_seen_at: time(last_seen_at),
            addresses,
            remote_fingerprint,
            created_at: time(created_at),
            next_dial_at: time(next_dial_at),
            relay: relay.map(Relay::from),
        }
    }
}

impl TryFrom<pb::AcceptLinkResponse> for Accepted {
    type Error = Error;

    fn try_from(answer: pb::AcceptLinkResponse) -> Result<Accepted, Error> {
        let pb::AcceptLinkResponse { link, needs_own_code } = answer;
        Ok(Accepted {
            link: required(link, "link")?.into(),
            needs_own_code,
        })
    }
}

impl From<pb::InviteLinkResponse> for Invited {
    fn from(answer: pb::InviteLinkResponse) -> Invited {
        let pb::InviteLinkResponse {
            link_id,
            code,
            expires_at,
        } = answer;
        Invited {
            link_id,
            code,
            expires_at: time(expires_at),
        }
    }
}

impl From<pb::InspectLinkCodeResponse> for LinkCode {
    fn from(answer: pb::InspectLinkCodeResponse) -> LinkCode {
        let pb::InspectLinkCodeResponse {
            link_id,
            enrollment_id,
            title,
            fingerprint,
            addresses,
            direction: who,
            issued_at,
            expires_at,
            version,
            problems,
        } = answer;
        LinkCode {
            link_id,
            enrollment_id,
            title,
            fingerprint,
            addresses,
            direction: direction(who),
            issued_at: time(issued_at),
            expires_at: time(expires_at),
            version,
            problems: problems.into_iter().map(Problem::from).collect(),
        }
    }
}

impl From<pb::Problem> for Problem {
    fn from(problem: pb::Problem) -> Problem {
        let pb::Problem { code, message } = problem;
        Problem { code, message }
    }
}

impl From<pb::Knock> for Knock {
    fn from(knock: pb::Knock) -> Knock {
        let pb::Knock {
            knock_id,
            fingerprint,
            enrollment_id,
            claimed_title,
            address,
            count,
            reason,
            missing,
            first_at,
            last_at,
        } = knock;
        Knock {
            knock_id,
            fingerprint,
            enrollment_id,
            claimed_title,
            address,
            count,
            reason,
            missing,
            first_at: time(first_at),
            last_at: time(last_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_link_is_shown_in_the_words_of_the_contract() {
        let view = Link::from(pb::Link {
            link_id: "lnk_1".into(),
            name: "hub".into(),
            kind: pb::LinkKind::Mpx.into(),
            direction: pb::Direction::EgressOnly.into(),
            status: pb::LinkStatus::Blocked.into(),
            reason: "no policy".into(),
            last_seen_at: Some(prost_types::Timestamp { seconds: 0, nanos: 0 }),
            ..pb::Link::default()
        });
        assert_eq!(
            serde_json::to_value(view).expect("json"),
            json!({
                "link_id": "lnk_1", "name": "hub", "kind": "mpx", "direction": "egress-only",
                "remote_enrollment_id": "", "remote_title": "", "status": "blocked", "reason": "no policy",
                "last_seen_at": "1970-01-01T00:00:00Z", "addresses": [], "remote_fingerprint": "",
                "created_at": null, "next_dial_at": null,
            })
        );
    }

    #[test]
    fn a_link_code_lists_its_problems_even_when_there_are_none() {
        let view = LinkCode::from(pb::InspectLinkCodeResponse::default());
        assert_eq!(serde_json::to_value(view).expect("json")["problems"], json!([]));
    }
}
