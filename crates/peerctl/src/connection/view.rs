//! Connections and what they carry, as they are shown.

use peerd_wire::peering::v1 as pb;
use serde::Serialize;

use crate::field::{optional, time, word};
use crate::link::Problem;
use crate::security::data_words;

/// A connection.
#[derive(Debug, Serialize)]
pub(super) struct Connection {
    connection_id: String,
    stage: String,
    stage_reason: String,
    role: String,
    link_id: String,
    local_space: String,
    remote_space: String,
    remote_enrollment_id: String,
    remote_title: String,
    exports: Vec<&'static str>,
    imports: Vec<&'static str>,
    re_export: bool,
    classification: Option<String>,
    markings: Vec<String>,
    health: Health,
    created_at: Option<String>,
    changed_at: Option<String>,
    expires_at: Option<String>,
    /// Which artifacts go out, in words.
    shared_artifacts: Option<String>,
    feeds: Vec<Feed>,
}

#[derive(Debug, Serialize)]
struct Health {
    status: String,
    reason: String,
    last_acknowledged_at: Option<String>,
}

#[derive(Debug, Serialize)]
struct Feed {
    r#type: String,
    direction: String,
    lane: String,
    cursor: u64,
    head: u64,
    lag: u64,
    parked: u64,
    in_sync: bool,
    dropped: u64,
    reason: String,
}

/// What an invite code says.
#[derive(Debug, Serialize)]
pub(super) struct Invite {
    connection_id: String,
    enrollment_id: String,
    title: String,
    fingerprint: String,
    space: String,
    exports: Vec<&'static str>,
    imports: Vec<&'static str>,
    classification: Option<String>,
    markings: Vec<String>,
    issued_at: Option<String>,
    expires_at: Option<String>,
    recipient_enrollment_id: String,
    version: u32,
    problems: Vec<Problem>,
}

/// The two parts of a security, `None` where it is unclassified.
pub(super) fn security(security: Option<pb::Security>) -> (Option<String>, Vec<String>) {
    let pb::Security {
        classification,
        markings,
    } = security.unwrap_or_default();
    (optional(classification), markings)
}

impl From<pb::Connection> for Connection {
    fn from(connection: pb::Connection) -> Connection {
        let pb::Connection {
            connection_id,
            stage,
            role,
            link_id,
            local_space,
            remote_space,
            remote_enrollment_id,
            remote_title,
            exports,
            imports,
            security: allowed,
            health,
            feeds,
            stage_reason,
            created_at,
            changed_at,
            expires_at,
            re_export,
            shared_artifacts,
        } = connection;
        let (classification, markings) = security(allowed);
        Connection {
            connection_id,
            stage: word(stage, pb::Stage::as_str_name, "STAGE_"),
            stage_reason,
            role: word(role, pb::ConnectionRole::as_str_name, "CONNECTION_ROLE_"),
            link_id,
            local_space,
            remote_space,
            remote_enrollment_id,
            remote_title,
            exports: data_words(exports.unwrap_or_default()),
            imports: data_words(imports.unwrap_or_default()),
            re_export,
            classification,
            markings,
            health: health.unwrap_or_default().into(),
            created_at: time(created_at),
            changed_at: time(changed_at),
            expires_at: time(expires_at),
            shared_artifacts: optional(shared_artifacts),
            feeds: feeds.into_iter().map(Feed::from).collect(),
        }
    }
}

impl From<pb::ConnectionHealth> for Health {
    fn from(health: pb::ConnectionHealth) -> Health {
        let pb::ConnectionHealth {
            status,
            reason,
            last_acknowledged_at,
        } = health;
        Health {
            status: word(status, pb::HealthStatus::as_str_name, "HEALTH_STATUS_"),
            reason,
            last_acknowledged_at: time(last_acknowledged_at),
        }
    }
}

impl From<pb::Feed> for Feed {
    fn from(feed: pb::Feed) -> Feed {
        let pb::Feed {
            r#type,
            direction,
            lane,
            cursor,
            head,
            lag,
            parked,
            in_sync,
            dropped,
            reason,
        } = feed;
        Feed {
            r#type,
            direction,
            lane,
            cursor,
            head,
            lag,
            parked,
            in_sync,
            dropped,
            reason,
        }
    }
}

impl From<pb::InspectInviteResponse> for Invite {
    fn from(answer: pb::InspectInviteResponse) -> Invite {
        let pb::InspectInviteResponse {
            connection_id,
            enrollment_id,
            title,
            fingerprint,
            space,
            exports,
            imports,
            security: asked,
            issued_at,
            expires_at,
            recipient_enrollment_id,
            version,
            problems,
        } = answer;
        let (classification, markings) = security(asked);
        Invite {
            connection_id,
            enrollment_id,
            title,
            fingerprint,
            space,
            exports: data_words(exports.unwrap_or_default()),
            imports: data_words(imports.unwrap_or_default()),
            classification,
            markings,
            issued_at: time(issued_at),
            expires_at: time(expires_at),
            recipient_enrollment_id,
            version,
            problems: problems.into_iter().map(Problem::from).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_connection_is_shown_in_the_words_of_the_contract() {
        let view = Connection::from(pb::Connection {
            connection_id: "con_1".into(),
            stage: pb::Stage::Active.into(),
            role: pb::ConnectionRole::Importer.into(),
            local_space: "flights".into(),
            imports: Some(pb::DataTypes {
                objects: true,
                artifacts: true,
            }),
            security: Some(pb::Security {
                classification: "secret".into(),
                markings: vec!["medical".into()],
            }),
            health: Some(pb::ConnectionHealth {
                status: pb::HealthStatus::Healthy.into(),
                ..pb::ConnectionHealth::default()
            }),
            feeds: vec![pb::Feed {
                r#type: "airport".into(),
                direction: "import".into(),
                lane: "source,actions".into(),
                cursor: 7,
                head: 7,
                in_sync: true,
                ..pb::Feed::default()
            }],
            ..pb::Connection::default()
        });
        assert_eq!(
            serde_json::to_value(view).expect("json"),
            json!({
                "connection_id": "con_1", "stage": "active", "stage_reason": "", "role": "importer", "link_id": "",
                "local_space": "flights", "remote_space": "", "remote_enrollment_id": "", "remote_title": "",
                "exports": [], "imports": ["objects", "artifacts"], "re_export": false,
                "classification": "secret", "markings": ["medical"],
                "health": {"status": "healthy", "reason": "", "last_acknowledged_at": null},
                "created_at": null, "changed_at": null, "expires_at": null, "shared_artifacts": null,
                "feeds": [{"type": "airport", "direction": "import", "lane": "source,actions", "cursor": 7, "head": 7,
                           "lag": 0, "parked": 0, "in_sync": true, "dropped": 0, "reason": ""}],
            })
        );
    }

    #[test]
    fn an_unclassified_invite_has_no_classification() {
        let view = Invite::from(pb::InspectInviteResponse::default());
        let json = serde_json::to_value(view).expect("json");
        assert_eq!(json["classification"], json!(null));
        assert_eq!(json["problems"], json!([]));
    }
}
