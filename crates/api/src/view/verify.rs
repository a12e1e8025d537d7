//! What a comparison of both sides found.

use peerd_node::exchange::verify::{Differing, TypeReport, Verification, Where};
use peerd_wire::peering::v1 as pb;

/// What was found.
pub(crate) fn verification(found: Verification) -> pb::VerifyConnectionResponse {
    pb::VerifyConnectionResponse {
        equal: found.is_equal(),
        types: found.types.into_iter().map(type_verification).collect(),
    }
}

fn type_verification((name, report): (String, TypeReport)) -> pb::TypeVerification {
    let TypeReport {
        here,
        there,
        differences,
        hidden,
        more,
    } = report;
    pb::TypeVerification {
        r#type: name,
        local: here,
        remote: there,
        differences: differences.into_iter().map(difference).collect(),
        hidden,
        more,
    }
}

fn difference(Differing { key, place }: Differing) -> pb::Difference {
    let side = match place {
        Where::Here => pb::DifferenceSide::Local,
        Where::There => pb::DifferenceSide::Remote,
        Where::Both => pb::DifferenceSide::Both,
    };
    pb::Difference {
        key,
        side: side.into(),
    }
}
