//! `connection verify`: whether both sides have the same, and what differs.

use peerd_core::reason::Code;
use peerd_wire::peering::v1 as pb;
use peerd_wire::status;
use serde::Serialize;

use crate::cli::{App, DONE};
use crate::error::Error;
use crate::field::word;
use crate::output::{self, Format};

/// What was found, for programs.
#[derive(Debug, Serialize)]
struct Verification {
    equal: bool,
    types: Vec<TypeVerification>,
}

#[derive(Debug, Serialize)]
struct TypeVerification {
    r#type: String,
    local: u64,
    remote: u64,
    differences: Vec<Difference>,
    hidden: u64,
    more: bool,
}

#[derive(Debug, Serialize)]
struct Difference {
    key: String,
    side: String,
}

/// The same for people: a line for each type, then one for each difference.
#[derive(Debug, Serialize)]
struct Lines<'a> {
    equal: bool,
    types: Vec<TypeLine<'a>>,
    differences: Vec<DifferenceLine<'a>>,
}

#[derive(Debug, Serialize)]
struct TypeLine<'a> {
    r#type: &'a str,
    local: u64,
    remote: u64,
    differing: String,
}

#[derive(Debug, Serialize)]
struct DifferenceLine<'a> {
    r#type: &'a str,
    key: &'a str,
    side: &'a str,
}

/// It may take minutes: only a limit that was asked for ends it.
pub(super) async fn run(app: &App<'_>, connection_id: String) -> Result<u8, Error> {
    let request = pb::VerifyConnectionRequest { connection_id };
    let mut service = app.client.connections();
    let answer = match app.timeout {
        Some(_) => app.client.call(service.verify_connection(request)).await?,
        None => service.verify_connection(request).await?.into_inner(),
    };
    let found = Verification::from(answer);
    match app.format {
        Format::Json => output::show(app.format, &found)?,
        Format::Table => output::show(app.format, &Lines::from(&found))?,
    }
    Ok(if found.equal {
        DONE
    } else {
        status::exit(Code::Conflict)
    })
}

impl From<pb::VerifyConnectionResponse> for Verification {
    fn from(answer: pb::VerifyConnectionResponse) -> Verification {
        let pb::VerifyConnectionResponse { equal, types } = answer;
        Verification {
            equal,
            types: types.into_iter().map(TypeVerification::from).collect(),
        }
    }
}

impl From<pb::TypeVerification> for TypeVerification {
    fn from(found: pb::TypeVerification) -> TypeVerification {
        let pb::TypeVerification {
            r#type,
            local,
            remote,
            differences,
            hidden,
            more,
        } = found;
        let difference = |pb::Difference { key, side }| Difference {
            key,
            side: word(side, pb::DifferenceSide::as_str_name, "DIFFERENCE_SIDE_"),
        };
        TypeVerification {
            r#type,
            local,
            remote,
            differences: differences.into_iter().map(difference).collect(),
            hidden,
            more,
        }
    }
}

impl<'a> From<&'a Verification> for Lines<'a> {
    fn from(found: &'a Verification) -> Lines<'a> {
        let differences = found.types.iter().flat_map(|one| {
            let line = |difference: &'a Difference| DifferenceLine {
                r#type: &one.r#type,
                key: &difference.key,
                side: &difference.side,
            };
            one.differences.iter().map(line)
        });
        Lines {
            equal: found.equal,
            types: found.types.iter().map(TypeLine::from).collect(),
            differences: differences.collect(),
        }
    }
}

impl<'a> From<&'a TypeVerification> for TypeLine<'a> {
    fn from(found: &'a TypeVerification) -> TypeLine<'a> {
        let listed = found.differences.len();
        let hidden = match found.hidden {
            0 => String::new(),
            hidden => format!(" and {hidden} you may not see"),
        };
        let more = if found.more { " and more" } else { "" };
        TypeLine {
            r#type: &found.r#type,
            local: found.local,
            remote: found.remote,
            differing: format!("{listed}{hidden}{more}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found() -> Verification {
        let difference = |key: &str, side: pb::DifferenceSide| pb::Difference {
            key: key.to_owned(),
            side: side.into(),
        };
        Verification::from(pb::VerifyConnectionResponse {
            equal: false,
            types: vec![pb::TypeVerification {
                r#type: "airport".to_owned(),
                local: 3,
                remote: 2,
                differences: vec![
                    difference("EWR", pb::DifferenceSide::Local),
                    difference("JFK", pb::DifferenceSide::Both),
                ],
                hidden: 1,
                more: true,
            }],
        })
    }

    #[test]
    fn the_document_has_the_fields_of_the_contract() {
        let document = serde_json::to_value(found()).expect("json");
        let differences = json!([{"key": "EWR", "side": "local"}, {"key": "JFK", "side": "both"}]);
        let types = json!([{
            "type": "airport", "local": 3, "remote": 2, "differences": differences, "hidden": 1, "more": true,
        }]);
        assert_eq!(document, json!({"equal": false, "types": types}));
    }

    #[test]
    fn people_get_a_line_for_each_type_and_each_difference() {
        let found = found();
        let lines = Lines::from(&found);
        assert_eq!(lines.types[0].differing, "2 and 1 you may not see and more");
        assert_eq!(lines.differences.len(), 2);
    }
}
