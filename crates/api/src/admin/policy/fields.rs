//! The fields of policies and of questions to them.

use std::collections::BTreeSet;

use peerd_core::EnrollmentId;
use peerd_core::address::Cidr;
use peerd_core::policy::{DataType, Destination, Enrollments, Ports, Question, Rule, Side};
use peerd_node::policy::Asked;
use peerd_wire::admin::v1 as pb;
use peerd_wire::admin::v1::propose_policy_request as proposed;
use tonic::Status;

use crate::parse;
use crate::refuse::{field, told};

/// The rule of a proposal.
pub(super) fn rule(rule: Option<proposed::Rule>) -> Result<Rule, Status> {
    match rule {
        None => Err(field("rule", "required: egress or ingress")),
        Some(proposed::Rule::Egress(pb::EgressRule {
            destination,
            ports,
            enrollments: named,
        })) => Ok(Rule::Egress {
            destination: parse::required::<Destination>("egress.destination", &destination)?,
            ports: parse::required::<Ports>("egress.ports", &ports)?,
            enrollments: enrollments("egress.enrollments", &named)?,
        }),
        Some(proposed::Rule::Ingress(pb::IngressRule {
            sources,
            enrollments: named,
        })) => {
            let sources: Result<BTreeSet<Cidr>, Status> = sources
                .iter()
                .map(|source| parse::required("ingress.sources", source))
                .collect();
            Ok(Rule::Ingress {
                sources: sources?,
                enrollments: enrollments("ingress.enrollments", &named)?,
            })
        }
    }
}

fn enrollments(name: &str, texts: &[String]) -> Result<Enrollments, Status> {
    Enrollments::from_texts(texts.iter().map(String::as_str)).map_err(|problem| field(name, problem))
}

/// A direction, where unspecified means both.
pub(super) fn side(direction: i32) -> Result<Option<Side>, Status> {
    match pb::PolicyDirection::try_from(direction) {
        Ok(pb::PolicyDirection::Unspecified) => Ok(None),
        Ok(pb::PolicyDirection::Egress) => Ok(Some(Side::Egress)),
        Ok(pb::PolicyDirection::Ingress) => Ok(Some(Side::Ingress)),
        Err(_) => Err(field("direction", "not a direction")),
    }
}

/// What a dry run asks.
pub(super) fn question(message: pb::CheckPolicyRequest) -> Result<Question, Status> {
    let pb::CheckPolicyRequest {
        direction,
        enrollment_id,
        address,
        data,
    } = message;
    let side = side(direction)?.ok_or_else(|| field("direction", "required"))?;
    let enrollment: EnrollmentId = parse::required("enrollment_id", &enrollment_id)?;
    let data = match pb::DataKind::try_from(data) {
        Ok(pb::DataKind::Unspecified | pb::DataKind::Objects) => DataType::Objects,
        Ok(pb::DataKind::Artifacts) => DataType::Artifacts,
        Err(_) => return Err(field("data", "not a kind of data")),
    };
    let asked = Asked {
        side,
        enrollment,
        address: &address,
        data,
    };
    peerd_node::policy::question(&asked).map_err(told)
}
