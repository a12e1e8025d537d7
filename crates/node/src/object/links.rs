//! Links between objects: making and ending those of a many-to-many link type, and listing those of an object.
//!
//! A link is known to whoever sees it: the object that has the foreign key, or the object that is the link. What is at
//! its other end is named by its key, and said to be present only where it is here and the caller sees it. So an object
//! that is withheld and one that is not there look alike. A new link carries at least the security of those of its ends
//! that its maker sees; an end that is raised later does not take its links along.

use std::fmt;
use std::str::FromStr;

use peerd_core::authz::{Action, Space};
use peerd_core::object::{Changes, ObjectKey, ObjectState};
use peerd_core::ontology::{ApiName, Ends, LinkKind, LinkType, ObjectType, Ontology};
use peerd_core::security::Security;
use peerd_core::value::{Properties, Value};

use super::edit::Subject;
use super::sight::Sight;
use super::stored::Stored;
use super::{ObjectAt, ObjectView};
use crate::{Caller, Error, Node};

mod walk;

/// Which link a call is about, in the words of the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkAt {
    /// Name or id of the space.
    pub space: String,
    /// The link type.
    pub link_type: String,
    /// The primary key of the object at its left end.
    pub from: String,
    /// The primary key of the object at its right end.
    pub to: String,
}

/// Which end of a link an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The first.
    From,
    /// The second.
    To,
    /// Either: the link type does not tell them apart.
    Either,
}

/// A link, as one of its ends sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkView {
    /// The link type.
    pub link_type: ApiName,
    /// Its kind, as an ontology file says it.
    pub kind: &'static str,
    /// Which end the object is.
    pub end: End,
    /// What is at the other end.
    pub other: ObjectKey,
    /// Whether that object is here and the caller sees it.
    pub present: bool,
    /// The object that is the link, where one is.
    pub link: Option<ObjectKey>,
}

/// Which links are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinksOf {
    /// The object.
    pub object: ObjectAt,
    /// Of this link type only.
    pub link_type: Option<String>,
    /// Where the page before ended.
    pub after: Option<LinkPlace>,
    /// At most so many.
    pub limit: usize,
}

/// Some links of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkPage {
    /// The links.
    pub links: Vec<LinkView>,
    /// Where the next page begins; `None` on the last one. A page may be empty and not the last: so much was looked
    /// through without finding any.
    pub next: Option<LinkPlace>,
}

/// How far the links of an object were looked through: which of its ways to be linked, and the last key there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkPlace {
    way: usize,
    after: String,
}

/// A text that is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a place among links")]
pub struct InvalidPlace;

impl fmt::Display for LinkPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.way, self.after)
    }
}

impl FromStr for LinkPlace {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<LinkPlace, InvalidPlace> {
        let (way, after) = text.split_once(' ').ok_or(InvalidPlace)?;
        Ok(LinkPlace {
            way: way.parse().map_err(|_| InvalidPlace)?,
            after: after.to_owned(),
        })
    }
}

/// A many-to-many link that a call names, found in the ontology.
struct Named {
    carrier: ObjectType,
    key: ObjectKey,
    /// The objects at its ends.
    ends: [ObjectKey; 2],
}

impl Node {
    /// Links two objects, which need not be here. Where they are linked already, that is the answer.
    pub async fn link_objects(&self, caller: &Caller, at: &LinkAt) -> Result<ObjectView, Error> {
        let (space, named) = self.named_link(caller, Action::ObjectLink, at).await?;
        let Named { carrier, key, ends } = &named;
        let subject = Subject {
            space: &space,
            of: carrier,
            key,
        };
        let values = carrier.keyed_values(key)?.into_iter().collect::<Properties>();
        let changes = Changes(
            values
                .iter()
                .map(|(id, value)| (id, Some(value.clone())))
                .collect(),
        );
        self.retrying(|| async {
            let sight = self.sight(caller).await?;
            let before = self.stored(space.id, key).await?;
            if let Some(known) = before.as_ref().map(|found| &found.record)
                && known.state.is_live()
                && sight.sees(&known.state)
            {
                let view = self.view_object(space.id, carrier, key, known, &sight.levels)?;
                return view.ok_or_else(|| Error::not_found("link"));
            }
            let inherited = self.security_of_ends(&space, ends, &sight).await?;
            let (hlc, me) = (self.tick().await?, self.enrollment_id());
            let known = before.as_ref().map(|found| found.record.clone());
            let mut after = known.unwrap_or_else(|| Stored::own(ObjectState::blank(hlc, me)));
            after.state.create(&changes, hlc, me)?;
            let security = after.state.security(&sight.levels);
            let raised = security.clone().join(inherited, &sight.levels);
            if raised != security {
                after.state.set_security(raised, hlc, me)?;
            }
            self.write_object(caller, Action::ObjectLink, &subject, after, before.as_ref())
                .await
        })
        .await
    }

    /// Ends a link.
    pub async fn unlink_objects(&self, caller: &Caller, at: &LinkAt) -> Result<(), Error> {
        let (space, named) = self.named_link(caller, Action::ObjectUnlink, at).await?;
        let subject = Subject {
            space: &space,
            of: &named.carrier,
            key: &named.key,
        };
        let me = self.enrollment_id();
        let deleted = self.change_seen(caller, Action::ObjectUnlink, &subject, |_, state, hlc| {
            Ok(state.delete(hlc, me)?)
        });
        deleted.await.map(drop)
    }

    async fn named_link(
        &self,
        caller: &Caller,
        action: Action,
        at: &LinkAt,
    ) -> Result<(Space, Named), Error> {
        let space = self.space(&at.space).await?.record;
        self.authorize(caller, action, Some(&space)).await?;
        let ontology = self.ontology(space.id).await?;
        let link = link_type(&ontology, &at.link_type)?;
        let carrier = carrier(&ontology, link)?;
        let (left, right) = ontology
            .ends_of(link)
            .ok_or_else(|| Error::not_found("link type"))?;
        let end = |field: &str, of: &ApiName, key: &str| {
            let of = ontology
                .object_type(of.as_str())
                .ok_or_else(|| Error::not_found("object type"))?;
            let value = of.key_value(key).and_then(|value| of.key_of(&value));
            value.map_err(|error| Error::field(field, error))
        };
        let ends = [end("from", &left, &at.from)?, end("to", &right, &at.to)?];
        let [from, to] = [&ends[0], &ends[1]].map(ObjectKey::primary_key);
        let text = carrier.ends.map(|ends| ends.key_of(from, to)).unwrap_or_default();
        let key = ObjectKey::new(carrier.name.clone(), text);
        let key = key.map_err(|error| Error::field("to", format_args!("with `from`: {error}")))?;
        Ok((space, Named { carrier, key, ends }))
    }

    /// What the ends of a new link carry, of those that its maker sees.
    async fn security_of_ends(
        &self,
        space: &Space,
        ends: &[ObjectKey; 2],
        sight: &Sight,
    ) -> Result<Security, Error> {
        let mut joined = Security::unrestricted();
        for end in ends {
            let found = self.stored(space.id, end).await?;
            let seen = found.map(|found| found.record.state);
            if let Some(state) = seen.filter(|state| sight.sees(state)) {
                joined = joined.join(state.security(&sight.levels), &sight.levels);
            }
        }
        Ok(joined)
    }
}

fn link_type<'a>(ontology: &'a Ontology, name: &str) -> Result<&'a LinkType, Error> {
    let found = ontology.link_types.get(name);
    found.ok_or_else(|| Error::not_found("link type"))
}

/// The type of the objects that are the links; those of another kind are made otherwise.
fn carrier(ontology: &Ontology, link: &LinkType) -> Result<ObjectType, Error> {
    let told = match &link.kind {
        LinkKind::ForeignKey { from, .. } => {
            format!("links of {} are made by editing the objects of {from}", link.name)
        }
        LinkKind::ObjectBacked { via, .. } => {
            format!("links of {} are made by creating objects of {via}", link.name)
        }
        LinkKind::ManyToMany { .. } if ontology.object_types.contains_key(&link.name) => {
            format!("{} is an object type as well, and so has no links", link.name)
        }
        LinkKind::ManyToMany { .. } => String::new(),
    };
    match link.carrier().filter(|_| told.is_empty()) {
        Some(carrier) => Ok(carrier),
        None => Err(Error::field("link_type", told)),
    }
}

/// The primary key that a value names, in its one spelling where the type has one for it.
fn key_named(of: &ObjectType, value: &Value) -> Option<ObjectKey> {
    let text = match value {
        Value::Reference(text) | Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Long(number) => number.to_string(),
        _ => return None,
    };
    let spelled = of.key_value(&text).and_then(|value| of.key_of(&value));
    spelled
        .ok()
        .or_else(|| ObjectKey::new(of.name.clone(), text).ok())
}

/// The ends of the object that is a link.
fn ends_of<'a>(carrier: &ObjectType, key: &'a ObjectKey) -> Option<(&'a str, &'a str)> {
    let ends: Ends = carrier.ends?;
    ends.of_key(key.primary_key())
}
