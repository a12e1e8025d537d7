//! A mapping while somebody is still at it: as it would be, with everything that is wrong, and nothing written.

use std::borrow::Cow;
use std::collections::BTreeMap;

use peerd_core::authz::Action;
use peerd_core::mapping::{Mapping, MappingError};
use peerd_core::object::Lanes;
use peerd_core::ontology::{ApiName, ObjectType, Property, PropertyType, Schema};
use peerd_core::{ConnectionId, Reason};

use super::change::{local_type, not_built_in, taken};
use super::{MappingView, Standing, Ways, Wish};
use crate::{Caller, Error, Node};

/// A mapping as it would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingDraft {
    /// The type here.
    pub local_type: String,
    /// The type there.
    pub remote_type: String,
    /// The properties of the type here, in its order.
    pub rows: Vec<DraftRow>,
    /// The properties of the type there.
    pub remote: Vec<DraftProperty>,
    /// Where source data would flow.
    pub source: Ways,
    /// Where actions would flow.
    pub actions: Ways,
    /// What is wrong that is not about one row.
    pub problems: Vec<String>,
    /// Whether somebody mapped the two to each other before.
    pub exists: bool,
}

impl MappingDraft {
    /// Whether nothing is wrong with it.
    pub fn fits(&self) -> bool {
        self.problems.is_empty() && self.rows.iter().all(|row| row.problem.is_empty())
    }
}

/// A property of the type here, and what it is mapped to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftRow {
    /// The property.
    pub property: DraftProperty,
    /// The property there; empty while it is not mapped.
    pub there: String,
    /// What is wrong with it; empty when nothing is.
    pub problem: String,
}

/// A property in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftProperty {
    /// Its name.
    pub name: String,
    /// Its type.
    pub of: String,
    /// Whether it always has a value.
    pub required: bool,
    /// Whether it is the primary key.
    pub key: bool,
}

impl Node {
    /// Checks a mapping as [`Node::create_mapping`] would, and writes nothing. Without `wish` it is the mapping that there
    /// is between the two, or the one that equal names would make.
    pub async fn draft_mapping(
        &self,
        caller: &Caller,
        id: ConnectionId,
        (local, remote): (&str, &str),
        wish: Option<&Wish>,
    ) -> Result<MappingDraft, Error> {
        let found = self.connection_for(caller, Action::MappingCreate, id).await?;
        let standing = self.standing(found.record).await?;
        let standing = standing.ok_or_else(|| Error::of(Reason::WrongStage))?;
        let known = MappingView::all(&standing)
            .into_iter()
            .find(|view| view.local_type == local && view.remote_type == remote && view.explicit);
        let as_it_is = Wish {
            local_type: local.to_owned(),
            remote_type: remote.to_owned(),
            properties: Vec::new(),
            source: None,
            actions: None,
        };
        let as_it_is = match &known {
            Some(_) => standing_wish(&standing, as_it_is),
            None => as_it_is,
        };
        let drafted = drafted(&standing, wish.unwrap_or(&as_it_is))?;
        let taken = taken(&standing.shared.mappings, &drafted.mapping);
        let mut draft = drafted.in_words();
        draft.problems.extend(taken);
        draft.exists = known.is_some();
        Ok(draft)
    }
}

/// The mapping that stands, as somebody would wish for it.
fn standing_wish(standing: &Standing, wish: Wish) -> Wish {
    let mappings = &standing.shared.mappings;
    let found = mappings.iter().find(|one| {
        one.local_type.as_str() == wish.local_type && one.remote_type.as_str() == wish.remote_type
    });
    let Some(mapping) = found else { return wish };
    let ways = |lane: fn(&Lanes) -> bool| Ways {
        export: lane(&mapping.export),
        import: lane(&mapping.import),
    };
    Wish {
        properties: super::view::names(standing, mapping),
        source: Some(ways(|lanes| lanes.source)),
        actions: Some(ways(|lanes| lanes.actions)),
        ..wish
    }
}

/// What a wish comes to, and what is wrong with it.
pub(super) struct Drafted<'a> {
    local: Cow<'a, ObjectType>,
    remote: &'a Schema,
    pub(super) mapping: Mapping,
    pub(super) problems: Vec<MappingError>,
}

pub(super) fn drafted<'a>(standing: &'a Standing, wish: &Wish) -> Result<Drafted<'a>, Error> {
    let local = local_type(standing, "local_type", &wish.local_type)?;
    not_built_in("remote_type", &wish.remote_type)?;
    let theirs = standing.shared.theirs.types.iter();
    let mut theirs = theirs.filter(|(name, _)| name.as_str() == wish.remote_type);
    let (remote_type, remote) = theirs.next().ok_or_else(|| {
        let told = format!(
            "the other side has not made {:?} available here",
            wish.remote_type
        );
        Error::new(Reason::NotFound, told)
    })?;
    let mut renamed: BTreeMap<ApiName, ApiName> = standing
        .shared
        .mappings
        .iter()
        .map(|one| (one.remote_type.clone(), one.local_type.clone()))
        .collect();
    renamed.insert(remote_type.clone(), local.name.clone());
    let source = wish.source.unwrap_or(Ways {
        export: !remote.export,
        import: remote.export,
    });
    let actions = wish.actions.unwrap_or(Ways {
        export: true,
        import: true,
    });
    let lanes = |source, actions| Lanes { source, actions };
    let (mapping, problems) = Mapping::draft(
        &local,
        &remote.schema,
        pairs(&local, &remote.schema, &wish.properties)?,
        lanes(source.export, actions.export),
        lanes(source.import, actions.import),
        &renamed,
    );
    Ok(Drafted {
        local,
        remote: &remote.schema,
        mapping,
        problems,
    })
}

impl Drafted<'_> {
    fn in_words(&self) -> MappingDraft {
        let Drafted {
            local,
            remote,
            mapping,
            problems,
        } = self;
        let rows = local.properties.iter().map(|property| {
            let pair = mapping.properties.iter().find(|pair| pair.local == property.id);
            let there = pair.and_then(|pair| remote.property(pair.remote));
            let wrong = problems
                .iter()
                .find(|problem| problem.property() == Some(&property.name));
            DraftRow {
                property: in_words(property, property.id == local.primary_key),
                there: there.map_or_else(String::new, |there| there.name.to_string()),
                problem: wrong.map_or_else(String::new, ToString::to_string),
            }
        });
        let whole = problems.iter().filter(|problem| problem.property().is_none());
        let ways = |lane: fn(&Lanes) -> bool| Ways {
            export: lane(&mapping.export),
            import: lane(&mapping.import),
        };
        MappingDraft {
            local_type: local.name.to_string(),
            remote_type: remote.name().to_string(),
            rows: rows.collect(),
            remote: remote
                .properties()
                .iter()
                .map(|property| in_words(property, property.id == remote.primary_key()))
                .collect(),
            source: ways(|lanes| lanes.source),
            actions: ways(|lanes| lanes.actions),
            problems: whole.map(ToString::to_string).collect(),
            exists: false,
        }
    }
}

fn in_words(property: &Property, key: bool) -> DraftProperty {
    DraftProperty {
        name: property.name.to_string(),
        of: property.of.to_string(),
        required: !property.nullable,
        key,
    }
}

fn pairs(
    local: &ObjectType,
    remote: &Schema,
    named: &[(String, String)],
) -> Result<Vec<(ApiName, ApiName)>, Error> {
    if named.is_empty() {
        let same = local.properties.iter().filter(|here| {
            let there = remote.named(here.name.as_str());
            there.is_some_and(|there| may_be_equal(&here.of, &there.of))
        });
        return Ok(same.map(|here| (here.name.clone(), here.name.clone())).collect());
    }
    let name = |text: &str| text.parse().map_err(|error| Error::field("properties", error));
    named
        .iter()
        .map(|(here, there)| Ok((name(here)?, name(there)?)))
        .collect()
}

/// References may be to types of other names: whether these are mapped to each other is checked with the mapping.
fn may_be_equal(here: &PropertyType, there: &PropertyType) -> bool {
    match (here, there) {
        (PropertyType::Reference { .. }, PropertyType::Reference { .. }) => true,
        (PropertyType::Array(here), PropertyType::Array(there)) => may_be_equal(here, there),
        _ => here == there,
    }
}
