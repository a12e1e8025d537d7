//! Types of a connection, and parked objects.

use peerd_node::exchange::Parked;
use peerd_node::sharing::{MappingView, Ways};
use peerd_wire::peering::v1 as pb;

use super::timestamp;

/// One type of a connection.
pub(crate) fn mapping(view: MappingView) -> pb::Mapping {
    let MappingView {
        local_type,
        remote_type,
        properties,
        ours,
        theirs,
        source,
        actions,
        explicit,
        // The problem says so in words.
        drifted: _,
        problem,
    } = view;
    let pair = |(local, remote)| pb::PropertyPair { local, remote };
    pb::Mapping {
        local_type,
        remote_type,
        properties: properties.into_iter().map(pair).collect(),
        allow_export: ours.export,
        allow_import: ours.import,
        remote_allow_export: theirs.export,
        remote_allow_import: theirs.import,
        source: ways(source).join(","),
        actions: ways(actions).into_iter().map(ToOwned::to_owned).collect(),
        explicit,
        problem,
    }
}

/// The words of the ways something flows.
fn ways(ways: Ways) -> Vec<&'static str> {
    match (ways.export, ways.import) {
        (true, true) => vec!["export", "import"],
        (true, false) => vec!["export"],
        (false, true) => vec!["import"],
        (false, false) => vec!["off"],
    }
}

/// A parked object.
pub(crate) fn parked(parked: Parked) -> pb::Parked {
    let Parked {
        id,
        connection,
        outgoing: _,
        remote_type: _,
        object_type,
        key,
        reason,
        message,
        attempts,
        at,
    } = parked;
    pb::Parked {
        parked_id: id.to_string(),
        connection_id: connection.to_string(),
        r#type: object_type,
        key,
        reason: reason.word().to_owned(),
        message,
        attempts,
        at: Some(timestamp(at)),
    }
}
