//! What operators share and map.

use std::borrow::Cow;

use peerd_core::artifact;
use peerd_core::audit::Fact;
use peerd_core::authz::Action;
use peerd_core::mapping::{Mapping, Sharing, TypeShare};
use peerd_core::ontology::{ObjectType, Schema};
use peerd_core::{ConnectionId, Reason};
use peerd_store::Batch;
use peerd_store::records::Shared;

use super::draft::drafted;
use super::{MappingView, Standing, republished, wire, write};
use crate::{Caller, Error, Node, audit};

/// Which ways something may flow, seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// Out.
    pub export: bool,
    /// In.
    pub import: bool,
}

/// A mapping somebody wants.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The type here.
    pub local_type: String,
    /// The type there.
    pub remote_type: String,
    /// The properties that correspond, here and there; none for all of equal name and type.
    pub properties: Vec<(String, String)>,
    /// Where source data flows: not both ways. `None` for in where the other side lets it out, else out.
    pub source: Option<Ways>,
    /// Where actions flow; `None` for both ways.
    pub actions: Option<Ways>,
}

impl Node {
    /// Makes types available on a connection, or changes which ways they may go.
    pub async fn share_types(
        &self,
        caller: &Caller,
        id: ConnectionId,
        types: &[String],
        ways: Ways,
    ) -> Result<Vec<MappingView>, Error> {
        let what = types.join(", ");
        let change = |standing: &Standing, next: &mut Shared| {
            for name in types {
                let share = TypeShare {
                    schema: Schema::of(&*local_type(standing, "types", name)?),
                    export: ways.export,
                    import: ways.import,
                };
                next.ours.types.insert(share.schema.name().clone(), share);
            }
            within_limit("types", next.ours.types.len())
        };
        let standing = self
            .change_sharing(caller, Action::MappingShare, id, &what, change)
            .await?;
        Ok(MappingView::all(&standing))
    }

    /// Withdraws a type. Copies that the other side imported go.
    pub async fn unshare_type(
        &self,
        caller: &Caller,
        id: ConnectionId,
        object_type: &str,
    ) -> Result<Vec<MappingView>, Error> {
        let change = |_: &Standing, next: &mut Shared| {
            not_built_in("object_type", object_type)?;
            next.ours.types.retain(|name, _| name.as_str() != object_type);
            Ok(())
        };
        let standing = self
            .change_sharing(caller, Action::MappingUnshare, id, object_type, change)
            .await?;
        Ok(MappingView::all(&standing))
    }

    /// Maps a type here to one the other side made available.
    pub async fn create_mapping(
        &self,
        caller: &Caller,
        id: ConnectionId,
        wish: &Wish,
    ) -> Result<MappingView, Error> {
        let what = format!("{} = {}", wish.local_type, wish.remote_type);
        let change = |standing: &Standing, next: &mut Shared| {
            let mapping = wished(standing, wish)?;
            if let Some(told) = taken(&next.mappings, &mapping) {
                return Err(Error::new(Reason::NameTaken, told));
            }
            next.mappings.retain(|one| !is_same_pair(one, &mapping));
            next.mappings.push(mapping);
            within_limit("mappings", next.mappings.len())
        };
        let standing = self
            .change_sharing(caller, Action::MappingCreate, id, &what, change)
            .await?;
        let made = MappingView::all(&standing)
            .into_iter()
            .find(|view| view.explicit && view.local_type == wish.local_type);
        made.ok_or_else(|| Error::not_found("mapping"))
    }

    /// Removes a mapping somebody made.
    pub async fn delete_mapping(
        &self,
        caller: &Caller,
        id: ConnectionId,
        local_type: &str,
    ) -> Result<Vec<MappingView>, Error> {
        let change = |_: &Standing, next: &mut Shared| {
            next.mappings.retain(|one| one.local_type.as_str() != local_type);
            Ok(())
        };
        let standing = self
            .change_sharing(caller, Action::MappingDelete, id, local_type, change)
            .await?;
        Ok(MappingView::all(&standing))
    }

    /// What both sides shared on a connection, and how it corresponds.
    pub async fn list_mappings(&self, caller: &Caller, id: ConnectionId) -> Result<Vec<MappingView>, Error> {
        let found = self.connection_for(caller, Action::MappingList, id).await?;
        let standing = self.standing(found.record).await?;
        Ok(standing.as_ref().map(MappingView::all).unwrap_or_default())
    }

    /// One change of what this side says. One that changes nothing is not written.
    pub(crate) async fn change_sharing(
        &self,
        caller: &Caller,
        action: Action,
        id: ConnectionId,
        what: &str,
        change: impl Fn(&Standing, &mut Shared) -> Result<(), Error> + Send + Sync,
    ) -> Result<Standing, Error> {
        self.retrying(async || {
            let connection = self.connection_for(caller, action, id).await?.record;
            let wrong_stage = || {
                let told = format!("the connection is {}", connection.stage.name());
                Error::new(Reason::WrongStage, told).with("stage", connection.stage.name())
            };
            if connection.stage.is_final() {
                return Err(wrong_stage());
            }
            let found = self.shared(id).await?;
            let standing = self.standing(connection.clone()).await?;
            let standing = standing.ok_or_else(wrong_stage)?;
            let mut next = found.record.clone();
            change(&standing, &mut next)?;
            if let Some(ours) = republished(&next, &standing.ontology, &standing.connection) {
                next.ours = ours;
            } else if next.ours != found.record.ours {
                next.ours.revision = next.ours.revision.saturating_add(1);
            }
            wire::encode(&next.ours)?;
            if next != found.record {
                let mut batch = Batch::new();
                write(&mut batch, &next, &found)?;
                let fact = Fact::of_call(self.now(), caller.principal(), action).on(id);
                audit::record(&mut batch, &fact.detail("types", what))?;
                self.commit(batch).await?;
            }
            Ok(Standing {
                shared: next,
                ..standing
            })
        })
        .await
    }
}

fn within_limit(what: &str, count: usize) -> Result<(), Error> {
    if count <= Sharing::TYPES_MAX {
        return Ok(());
    }
    let told = format!("a connection has at most {} {what}", Sharing::TYPES_MAX);
    Err(Error::new(Reason::TooLarge, told))
}

pub(super) fn local_type<'a>(
    standing: &'a Standing,
    field: &str,
    name: &str,
) -> Result<Cow<'a, ObjectType>, Error> {
    not_built_in(field, name)?;
    let known = standing.ontology.feed_type(name);
    known.ok_or_else(|| Error::field(field, format!("the space has no object type {name:?}")))
}

/// Artifacts are shared by calls of their own, and mapped to themselves.
pub(super) fn not_built_in(field: &str, name: &str) -> Result<(), Error> {
    if artifact::is_reserved(name) {
        let told = format!("{name} is built in, and mapped to itself; `artifact share` says which go out");
        return Err(Error::field(field, told));
    }
    Ok(())
}

fn is_same_pair(one: &Mapping, other: &Mapping) -> bool {
    one.local_type == other.local_type && one.remote_type == other.remote_type
}

fn shares_a_type(one: &Mapping, other: &Mapping) -> bool {
    one.local_type == other.local_type || one.remote_type == other.remote_type
}

/// That one of the two types is mapped to another one.
pub(super) fn taken(mappings: &[Mapping], wanted: &Mapping) -> Option<String> {
    let others = mappings.iter().filter(|one| !is_same_pair(one, wanted));
    let mut others = others.filter(|one| shares_a_type(one, wanted));
    let other = others.next()?;
    Some(format!(
        "{} is mapped to {} already",
        other.local_type, other.remote_type
    ))
}

/// The mapping that a wish comes to.
fn wished(standing: &Standing, wish: &Wish) -> Result<Mapping, Error> {
    let drafted = drafted(standing, wish)?;
    match drafted.problems.into_iter().next() {
        Some(problem) => Err(Error::field("properties", problem)),
        None => Ok(drafted.mapping),
    }
}
