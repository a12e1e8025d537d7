//! What operators see of the types of a connection.

use peerd_core::artifact;
use peerd_core::mapping::{Flows, Mapping, TypeShare};
use peerd_core::object::Lanes;
use peerd_core::ontology::ApiName;

use super::{Standing, Ways};

/// Why a type does not go out that the other side would take. What it lacks, it does not tell.
pub(crate) const UNFIT: &str = "the other side cannot take it: its schema and the one here drifted apart";

/// One type of a connection, as both sides see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingView {
    /// The type here; empty when only the other side shared it.
    pub local_type: String,
    /// The type there; empty when nothing corresponds.
    pub remote_type: String,
    /// The properties that correspond: here, there.
    pub properties: Vec<(String, String)>,
    /// What this side allows.
    pub ours: Ways,
    /// What the other side allows, seen from there.
    pub theirs: Ways,
    /// Where source data flows.
    pub source: Ways,
    /// Where actions flow.
    pub actions: Ways,
    /// Whether somebody made the mapping, rather than equal names.
    pub explicit: bool,
    /// Whether it flows no more, or not yet, because the schemas of both sides do not fit each other.
    pub drifted: bool,
    /// What keeps it from flowing, in words; empty when nothing does.
    pub problem: String,
}

impl MappingView {
    /// Every type of a connection: mapped ones first, then ours, then theirs.
    pub(super) fn all(standing: &Standing) -> Vec<MappingView> {
        let flows = standing.flows();
        let (ours, theirs) = (&standing.shared.ours.types, &standing.shared.theirs.types);
        let mappings = &standing.shared.mappings;
        let mut views: Vec<MappingView> = mappings
            .iter()
            .map(|mapping| {
                let (here, there) = (&mapping.local_type, &mapping.remote_type);
                view(standing, &flows, Some(here), Some(there), Some(mapping))
            })
            .collect();
        for name in ours.keys().filter(|name| !artifact::is_reserved(name.as_str())) {
            if mappings.iter().any(|mapping| mapping.local_type == *name) {
                continue;
            }
            let there = theirs.contains_key(name).then_some(name);
            let implicit = flows.imports.get(name).map(|import| &import.mapping);
            let implicit = implicit.filter(|mapping| mapping.local_type == *name);
            views.push(view(standing, &flows, Some(name), there, implicit));
        }
        for name in theirs.keys() {
            let shown = mappings.iter().any(|mapping| mapping.remote_type == *name);
            if !shown && !ours.contains_key(name) && !artifact::is_reserved(name.as_str()) {
                views.push(view(standing, &flows, None, Some(name), None));
            }
        }
        views
    }
}

fn view(
    standing: &Standing,
    flows: &Flows,
    here: Option<&ApiName>,
    there: Option<&ApiName>,
    mapping: Option<&Mapping>,
) -> MappingView {
    let lanes_out = here.and_then(|name| flows.exports.get(name)).map(|it| it.lanes);
    let lanes_in = there.and_then(|name| flows.imports.get(name)).map(|it| it.lanes);
    let (going, coming) = (lanes_out.unwrap_or_default(), lanes_in.unwrap_or_default());
    let shares = &standing.shared;
    MappingView {
        local_type: text(here),
        remote_type: text(there),
        properties: mapping
            .map(|mapping| names(standing, mapping))
            .unwrap_or_default(),
        ours: ways(here.and_then(|name| shares.ours.types.get(name))),
        theirs: ways(there.and_then(|name| shares.theirs.types.get(name))),
        source: Ways {
            export: going.source,
            import: coming.source,
        },
        actions: Ways {
            export: going.actions,
            import: coming.actions,
        },
        explicit: mapping.is_some_and(|mapping| shares.mappings.contains(mapping)),
        drifted: there.is_some_and(|name| flows.blocked.contains_key(name))
            || here.is_some_and(|name| flows.unfit.contains(name)),
        problem: problem(flows, here, there, going, coming),
    }
}

fn problem(
    flows: &Flows,
    here: Option<&ApiName>,
    there: Option<&ApiName>,
    going: Lanes,
    coming: Lanes,
) -> String {
    let blocked = there.and_then(|name| flows.blocked.get(name));
    match (blocked, here, there) {
        (Some(why), ..) => why.to_string(),
        (_, Some(name), _) if flows.unfit.contains(name) => UNFIT.into(),
        _ if going.any() || coming.any() => String::new(),
        (_, None, _) => "neither shared nor mapped here".into(),
        (_, _, None) => "the other side has made nothing available that corresponds".into(),
        _ => "what one side lets go, the other does not let come".into(),
    }
}

pub(super) fn names(standing: &Standing, mapping: &Mapping) -> Vec<(String, String)> {
    let local = standing.ontology.feed_type(mapping.local_type.as_str());
    let remote = standing.shared.theirs.types.get(&mapping.remote_type);
    let (Some(local), Some(remote)) = (local, remote) else {
        return Vec::new();
    };
    let pairs = mapping.properties.iter().filter_map(|pair| {
        let here = local.property(pair.local)?;
        let there = remote.schema.property(pair.remote)?;
        Some((here.name.as_str().to_owned(), there.name.as_str().to_owned()))
    });
    pairs.collect()
}

fn text(name: Option<&ApiName>) -> String {
    name.map_or_else(String::new, |name| name.as_str().to_owned())
}

fn ways(share: Option<&TypeShare>) -> Ways {
    Ways {
        export: share.is_some_and(|share| share.export),
        import: share.is_some_and(|share| share.import),
    }
}
