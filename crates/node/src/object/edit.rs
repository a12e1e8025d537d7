//! What operators do to single objects, in the actions lane.

use std::collections::BTreeMap;

use peerd_core::audit::Fact;
use peerd_core::authz::{Action, Space};
use peerd_core::object::{Changes, Hlc, ObjectKey, ObjectState};
use peerd_core::ontology::ObjectType;
use peerd_core::security::Security;
use peerd_core::value::Properties;
use peerd_store::{Batch, Found};

use super::stored::{Stored, put_in_feed};
use super::view::ObjectView;
use super::{ObjectAt, no_such_object};
use crate::{Caller, Error, Node};

/// New values of properties, in the words of the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Texts by property name, read as the property's type.
    pub set: BTreeMap<String, String>,
    /// The properties that are to have no value.
    pub clear: Vec<String>,
}

impl Edits {
    fn read(&self, of: &ObjectType) -> Result<Changes, Error> {
        let property = |name: &String| {
            of.named(name).ok_or_else(|| {
                Error::field(
                    "properties",
                    format_args!("{} has no property {name:.63}", of.name),
                )
            })
        };
        let mut changes = Changes::default();
        for (name, text) in &self.set {
            let property = property(name)?;
            let value = property
                .of
                .parse_text(text)
                .map_err(|why| Error::field("properties", format_args!("{}: {why}", property.name)))?;
            changes.0.insert(property.id, Some(value));
        }
        for name in &self.clear {
            if changes
                .0
                .insert(property(name)?.id, None)
                .is_some_and(|value| value.is_some())
            {
                return Err(Error::field("clear", format_args!("{name:.63} is also set")));
            }
        }
        Ok(changes)
    }
}

/// A single object about to be changed.
pub(crate) struct Subject<'a> {
    pub(crate) space: &'a Space,
    pub(crate) of: &'a ObjectType,
    pub(crate) key: &'a ObjectKey,
}

impl Node {
    /// Edits properties of an object.
    pub async fn edit_object(
        &self,
        caller: &Caller,
        at: &ObjectAt,
        edits: &Edits,
    ) -> Result<ObjectView, Error> {
        let me = self.enrollment_id();
        self.change_object(caller, Action::ObjectEdit, at, |subject, state, hlc| {
            let changes = edits.read(subject.of)?;
            if changes.0.is_empty() {
                return Err(Error::field("properties", "nothing to change"));
            }
            subject.of.check_changes(subject.key, &changes)?;
            Ok(state.edit(&changes, hlc, me)?)
        })
        .await
    }

    /// Deletes an object.
    pub async fn delete_object(&self, caller: &Caller, at: &ObjectAt) -> Result<(), Error> {
        let me = self.enrollment_id();
        self.change_object(caller, Action::ObjectDelete, at, |_, state, hlc| {
            Ok(state.delete(hlc, me)?)
        })
        .await?;
        Ok(())
    }

    /// Sets an object's classification and markings, in place of those it has.
    pub async fn set_object_security(
        &self,
        caller: &Caller,
        at: &ObjectAt,
        security: &Security,
    ) -> Result<ObjectView, Error> {
        let space = self.space(&at.space).await?.record;
        self.authorize(caller, Action::ObjectSetSecurity, Some(&space))
            .await?;
        self.check_security(security).await?;
        let me = self.enrollment_id();
        self.change_object(caller, Action::ObjectSetSecurity, at, |_, state, hlc| {
            state.set_security(security.clone(), hlc, me)?;
            Ok(())
        })
        .await
    }

    /// Creates an object, or creates it afresh after it was deleted.
    pub async fn create_object(
        &self,
        caller: &Caller,
        space: &str,
        object_type: &str,
        properties: &BTreeMap<String, String>,
    ) -> Result<ObjectView, Error> {
        let (space, of) = self
            .writable(caller, Action::ObjectCreate, space, object_type)
            .await?;
        let edits = Edits {
            set: properties.clone(),
            clear: Vec::new(),
        };
        let values = edits.read(&of)?.0.into_iter();
        let mut row: Properties = values.filter_map(|(id, value)| Some((id, value?))).collect();
        of.complete(&mut row);
        let key = of.check_row(&row)?;
        let changes = Changes(row.iter().map(|(id, value)| (id, Some(value.clone()))).collect());
        let subject = Subject {
            space: &space,
            of: &of,
            key: &key,
        };
        self.retrying(|| async {
            let before = self.stored(space.id, &key).await?;
            let (hlc, me) = (self.tick().await?, self.enrollment_id());
            let mut after = if let Some(found) = &before {
                found.record.clone()
            } else {
                let step = self.life_step_of_collected(space.id, &key).await?;
                Stored::own(ObjectState::blank_after(step, hlc, me))
            };
            after.state.create(&changes, hlc, me)?;
            self.write_object(caller, Action::ObjectCreate, &subject, after, before.as_ref())
                .await
        })
        .await
    }

    /// Changes an object that the caller sees.
    async fn change_object(
        &self,
        caller: &Caller,
        action: Action,
        at: &ObjectAt,
        change: impl Fn(&Subject<'_>, &mut ObjectState, Hlc) -> Result<(), Error> + Sync,
    ) -> Result<ObjectView, Error> {
        let (space, of) = match action {
            Action::ObjectSetSecurity => self.readable(caller, action, &at.space, &at.object_type).await?,
            _ => self.writable(caller, action, &at.space, &at.object_type).await?,
        };
        let key = at.key_of(&of)?;
        let subject = Subject {
            space: &space,
            of: &of,
            key: &key,
        };
        self.change_seen(caller, action, &subject, change).await
    }

    /// The part of a change that is done again after a lost race.
    pub(crate) async fn change_seen(
        &self,
        caller: &Caller,
        action: Action,
        subject: &Subject<'_>,
        change: impl Fn(&Subject<'_>, &mut ObjectState, Hlc) -> Result<(), Error> + Sync,
    ) -> Result<ObjectView, Error> {
        self.retrying(|| async {
            let sight = self.sight(caller).await?;
            let found = self.stored(subject.space.id, subject.key).await?;
            let before = found
                .filter(|found| sight.sees(&found.record.state))
                .ok_or_else(no_such_object)?;
            let mut after = before.record.clone();
            change(subject, &mut after.state, self.tick().await?)?;
            self.write_object(caller, action, subject, after, Some(&before))
                .await
        })
        .await
    }

    /// Writes what became of an object, unless nothing did, and tells how its caller sees it now.
    pub(crate) async fn write_object(
        &self,
        caller: &Caller,
        action: Action,
        subject: &Subject<'_>,
        mut after: Stored,
        before: Option<&Found<Stored>>,
    ) -> Result<ObjectView, Error> {
        let Subject { space, of, key } = subject;
        if before.is_none_or(|before| before.record.state != after.state) {
            after.clean = false;
            let mut batch = Batch::new();
            put_in_feed(&mut batch, space.id, key, &after, before)?;
            let fact = Fact::of_call(self.now(), caller.principal(), action)
                .on(space.id)
                .on(key);
            crate::audit::record(&mut batch, &fact)?;
            self.commit(batch).await?;
        }
        self.view_object(space.id, of, key, &after, &self.levels().await?)?
            .ok_or_else(no_such_object)
    }
}
