//! Conflicts: values that lost against a concurrent write, listed until somebody decides.

use bytes::Bytes;
use peerd_core::authz::{Action, Space, authorize};
use peerd_core::object::{Conflict, Dot, Edited, Keep, ObjectKey, ObjectState, Write};
use peerd_core::ontology::{ApiName, Ontology};
use peerd_core::{ConflictId, SpaceId};
use peerd_store::Records as _;
use peerd_store::records::ConflictEntry;

use super::edit::Subject;
use super::sight::Sight;
use super::view::{ObjectView, damaged};
use crate::{Caller, Error, Node};

/// A value that lost, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictView {
    /// Its id.
    pub id: ConflictId,
    /// The object.
    pub key: ObjectKey,
    /// The property; `None` when the whole object is deleted.
    pub property: Option<ApiName>,
    /// The value in force, unless there is none.
    pub winner: Option<Edited>,
    /// The value that lost.
    pub loser: Edited,
}

/// How many entries of the index one read asks for.
const CHUNK: usize = 256;

impl Node {
    /// At most `limit` conflicts of a space, of objects that the caller may see, after this one when given; and the one
    /// that the next page starts after.
    pub async fn list_conflicts(
        &self,
        caller: &Caller,
        space: &str,
        after: Option<ConflictId>,
        limit: usize,
    ) -> Result<(Vec<ConflictView>, Option<ConflictId>), Error> {
        let space = self.space(space).await?.record;
        self.authorize(caller, Action::ObjectConflicts, Some(&space))
            .await?;
        let (ontology, sight) = (self.ontology(space.id).await?, self.sight(caller).await?);
        let mut last = after.map(|id| Bytes::from(ConflictEntry::key_of(space.id, id)));
        let mut views: Vec<ConflictView> = Vec::new();
        loop {
            let page = self
                .store
                .page::<ConflictEntry>(space.id.as_bytes(), last, CHUNK)
                .await?;
            for entry in page.records {
                let Some(view) = self.conflict_view(&entry.record, &ontology, &sight).await? else {
                    continue;
                };
                if views.len() == limit {
                    let next = views.last().map(|view| view.id);
                    return Ok((views, next));
                }
                views.push(view);
            }
            last = page.next;
            if last.is_none() {
                return Ok((views, None));
            }
        }
    }

    /// Settles a conflict. Where two spaces hold copies of one object they share its conflicts: the first space in which
    /// the caller may settle it is meant.
    pub async fn resolve_conflict(
        &self,
        caller: &Caller,
        conflict: ConflictId,
        keep: Keep,
    ) -> Result<ObjectView, Error> {
        let action = Action::ObjectResolve;
        self.admit_call(caller, action).await?;
        let me = self.enrollment_id();
        for space in self.store.all::<Space>(&[]).await? {
            let space = space.record;
            if authorize(Some(caller.principal()), action, Some(&space)).is_err() {
                continue;
            }
            let Some(key) = self.seen_conflict(caller, space.id, conflict).await? else {
                continue;
            };
            let of = self.object_type(space.id, key.object_type().as_str()).await?;
            let subject = Subject {
                space: &space,
                of: &of,
                key: &key,
            };
            return self
                .change_seen(caller, action, &subject, |subject, state, hlc| {
                    Ok(state.resolve(subject.key, conflict, keep, hlc, me)?)
                })
                .await;
        }
        Err(Error::not_found("conflict"))
    }

    /// The object that has this conflict in this space, if the caller may see it.
    async fn seen_conflict(
        &self,
        caller: &Caller,
        space: SpaceId,
        conflict: ConflictId,
    ) -> Result<Option<ObjectKey>, Error> {
        let place = ConflictEntry::key_of(space, conflict);
        let Some(entry) = self.store.find::<ConflictEntry>(&place).await? else {
            return Ok(None);
        };
        let key = entry.record.object;
        let state = self.stored(space, &key).await?.map(|found| found.record.state);
        let sight = self.sight(caller).await?;
        Ok(state.filter(|state| sight.sees(state)).map(|_| key))
    }

    /// The conflict of an entry; `None` when the caller may not see the object, or the type has no such property.
    async fn conflict_view(
        &self,
        entry: &ConflictEntry,
        ontology: &Ontology,
        sight: &Sight,
    ) -> Result<Option<ConflictView>, Error> {
        let key = &entry.object;
        let found = self.stored(entry.space, key).await?;
        let Some(state) = found
            .map(|found| found.record.state)
            .filter(|state| sight.sees(state))
        else {
            return Ok(None);
        };
        let conflict = state
            .conflicts(key)
            .into_iter()
            .find(|one| one.id == entry.conflict);
        conflict
            .and_then(|conflict| rendered(key, conflict, &state, ontology))
            .transpose()
    }
}

fn rendered(
    key: &ObjectKey,
    conflict: Conflict,
    state: &ObjectState,
    ontology: &Ontology,
) -> Option<Result<ConflictView, Error>> {
    let Conflict {
        id,
        property,
        lost,
        loser,
        winner,
    } = conflict;
    let of = ontology.feed_type(key.object_type().as_str())?;
    let property = of.property(property)?.name.clone();
    let view = || {
        Ok(ConflictView {
            id,
            key: key.clone(),
            property: (!state.is_deleted()).then_some(property),
            winner: winner.map(edited).transpose()?,
            loser: edited((lost, loser))?,
        })
    };
    Some(view())
}

fn edited((by, write): (Dot, Write)) -> Result<Edited, Error> {
    let value = write
        .value
        .map(|value| value.decode())
        .transpose()
        .map_err(damaged)?;
    Ok(Edited { value, by })
}
