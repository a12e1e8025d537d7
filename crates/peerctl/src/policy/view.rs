//! Policies as they are shown.

use peerd_wire::admin::v1 as pb;
use serde::Serialize;

use crate::field::{time, word};

/// A policy; an egress policy has a destination and ports, an ingress policy has sources.
#[derive(Debug, Serialize)]
pub(super) struct Policy {
    policy_id: String,
    direction: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<Vec<String>>,
    ports: Option<String>,
    enrollments: Vec<String>,
    state: String,
    justification: String,
    proposed_by: String,
    proposed_at: Option<String>,
    decided_by: String,
    decided_at: Option<String>,
    expires_at: Option<String>,
}

/// What the policies would decide.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) allowed: bool,
    reason: String,
    policy_id: String,
    explanation: String,
}

impl From<pb::Policy> for Policy {
    fn from(policy: pb::Policy) -> Policy {
        let pb::Policy {
            policy_id,
            rule,
            state,
            justification,
            proposed_by,
            proposed_at,
            decided_by,
            decided_at,
            expires_at,
        } = policy;
        let (direction, destination, ports, sources, enrollments) = match rule {
            Some(pb::policy::Rule::Egress(rule)) => {
                let pb::EgressRule {
                    destination,
                    ports,
                    enrollments,
                } = rule;
                ("egress", Some(destination), Some(ports), None, enrollments)
            }
            Some(pb::policy::Rule::Ingress(rule)) => {
                let pb::IngressRule { sources, enrollments } = rule;
                ("ingress", None, None, Some(sources), enrollments)
            }
            None => ("unspecified", None, None, None, Vec::new()),
        };
        Policy {
            policy_id,
            direction,
            destination,
            sources,
            ports,
            enrollments,
            state: word(state, pb::PolicyState::as_str_name, "POLICY_STATE_"),
            justification,
            proposed_by,
            proposed_at: time(proposed_at),
            decided_by,
            decided_at: time(decided_at),
            expires_at: time(expires_at),
        }
    }
}

impl From<pb::CheckPolicyResponse> for Check {
    fn from(answer: pb::CheckPolicyResponse) -> Check {
        let pb::CheckPolicyResponse {
            allowed,
            reason,
            policy_id,
            explanation,
        } = answer;
        Check {
            allowed,
            reason,
            policy_id,
            explanation,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_egress_policy_has_a_destination_and_an_ingress_policy_has_sources() {
        let policy = |rule| {
            let view = Policy::from(pb::Policy {
                policy_id: "pol_1".into(),
                rule: Some(rule),
                state: pb::PolicyState::Active.into(),
                justification: "pilot".into(),
                proposed_by: "mia".into(),
                proposed_at: Some(prost_types::Timestamp { seconds: 0, nanos: 0 }),
                decided_by: "ole".into(),
                decided_at: Some(prost_types::Timestamp { seconds: 1, nanos: 0 }),
                expires_at: None,
            });
            serde_json::to_value(view).expect("json")
        };
        let mut golden = json!({
            "policy_id": "pol_1", "direction": "egress", "destination": "hub.example", "ports": "7443",
            "enrollments": ["any"], "state": "active", "justification": "pilot", "proposed_by": "mia",
            "proposed_at": "1970-01-01T00:00:00Z", "decided_by": "ole", "decided_at": "1970-01-01T00:00:01Z",
            "expires_at": null,
        });
        let egress = pb::policy::Rule::Egress(pb::EgressRule {
            destination: "hub.example".into(),
            ports: "7443".into(),
            enrollments: vec!["any".into()],
        });
        assert_eq!(policy(egress), golden);

        let ingress = pb::policy::Rule::Ingress(pb::IngressRule {
            sources: vec!["10.0.0.0/8".into()],
            enrollments: vec!["any".into()],
        });
        let fields = golden.as_object_mut().expect("an object");
        fields.remove("destination");
        fields.insert("direction".into(), json!("ingress"));
        fields.insert("sources".into(), json!(["10.0.0.0/8"]));
        fields.insert("ports".into(), json!(null));
        assert_eq!(policy(ingress), golden);
    }
}
