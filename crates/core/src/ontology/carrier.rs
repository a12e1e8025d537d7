//! The links of a many-to-many link type are objects of a type that no file writes: it is made from the link type and
//! has its name. So a link is created and deleted, loaded, secured, shared, mapped and replicated as any object is, in a
//! feed of its own.
//!
//! What a link links is its primary key: the length of the left key in bytes, `:`, the left key, the right key. That is
//! one text for one link, and all links of one left key lie together. The two references beside it say the same.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    ApiName, Conflicts, LinkKind, LinkType, ObjectType, Ontology, Property, PropertyId, PropertyType,
};
use crate::artifact;
use crate::value::{Properties, Value};

/// Marks a type whose objects are links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ends {
    /// Both ends are of one type: which of them comes first says nothing, and so the lesser key does.
    pub symmetric: bool,
}

impl Ends {
    /// The primary key.
    pub const LINK: PropertyId = PropertyId(1);
    /// The reference to the left end.
    pub const LEFT: PropertyId = PropertyId(2);
    /// The reference to the right end.
    pub const RIGHT: PropertyId = PropertyId(3);

    /// The ends in the order in which a link has them.
    pub fn ordered<'a>(self, left: &'a str, right: &'a str) -> (&'a str, &'a str) {
        if self.symmetric && right < left {
            (right, left)
        } else {
            (left, right)
        }
    }

    /// The primary key of the link between these keys.
    pub fn key_of(self, left: &str, right: &str) -> String {
        let (left, right) = self.ordered(left, right);
        format!("{}{right}", Ends::prefix(left))
    }

    /// What the keys of all links of this left key start with, and no other's.
    pub fn prefix(left: &str) -> String {
        format!("{}:{left}", left.len())
    }

    /// The keys of both ends; `None` for a text that is no link's key in its one spelling.
    pub fn of_key(self, key: &str) -> Option<(&str, &str)> {
        let (length, keys) = key.split_once(':')?;
        let (left, right) = keys.split_at_checked(length.parse().ok()?)?;
        let whole = !left.is_empty() && !right.is_empty();
        (whole && self.key_of(left, right) == key).then_some((left, right))
    }

    /// Puts the references of a link in order and its key beside them, where that is missing.
    pub(crate) fn complete(self, values: &mut Properties) {
        let [left, right] = [Ends::LEFT, Ends::RIGHT].map(|id| match values.value(id) {
            Some(Value::Reference(key)) => Some(key.clone()),
            _ => None,
        });
        let (Some(left), Some(right)) = (left, right) else {
            return;
        };
        if values.value(Ends::LINK).is_none() {
            values.insert(Ends::LINK, Value::String(self.key_of(&left, &right)));
        }
        let (left, right) = self.ordered(&left, &right);
        values.insert(Ends::LEFT, Value::Reference(left.to_owned()));
        values.insert(Ends::RIGHT, Value::Reference(right.to_owned()));
    }
}

impl LinkKind {
    /// As an ontology file says it.
    pub const fn word(&self) -> &'static str {
        match self {
            LinkKind::ForeignKey { .. } => "foreign-key",
            LinkKind::ManyToMany { .. } => "many-to-many",
            LinkKind::ObjectBacked { .. } => "object-backed",
        }
    }
}

impl LinkType {
    /// The type of the objects that are links of this type; `None` where links are no objects of their own.
    pub fn carrier(&self) -> Option<ObjectType> {
        let LinkKind::ManyToMany { left, right } = &self.kind else {
            return None;
        };
        let name = |text: &str| text.parse::<ApiName>().ok();
        let property = |id, text, of| {
            Some(Property {
                id,
                name: name(text)?,
                of,
                nullable: false,
            })
        };
        let to = |of: &ApiName| PropertyType::Reference { to: of.clone() };
        Some(ObjectType {
            name: self.name.clone(),
            title: None,
            primary_key: Ends::LINK,
            conflicts: Conflicts::UserEditsWin,
            properties: vec![
                property(Ends::LINK, "link", PropertyType::String)?,
                property(Ends::LEFT, "left", to(left))?,
                property(Ends::RIGHT, "right", to(right))?,
            ],
            ends: Some(Ends {
                symmetric: left == right,
            }),
        })
    }
}

impl ObjectType {
    /// Adds to the values of an object what follows from the others: the key of a link.
    pub fn complete(&self, values: &mut Properties) {
        if let Some(ends) = self.ends {
            ends.complete(values);
        }
    }
}

impl Ontology {
    /// The type of the objects that have this name as their type: an object type, a many-to-many link type, or the
    /// built-in type of artifacts.
    pub fn feed_type(&self, name: &str) -> Option<Cow<'_, ObjectType>> {
        if artifact::is_reserved(name) {
            return artifact::built_in()
                .filter(|of| of.name.as_str() == name)
                .map(Cow::Borrowed);
        }
        if let Some(of) = self.object_type(name) {
            return Some(Cow::Borrowed(of));
        }
        self.link_types.get(name)?.carrier().map(Cow::Owned)
    }

    /// The names of everything that has a feed.
    pub fn feed_types(&self) -> impl Iterator<Item = &ApiName> {
        let carried = |link: &&LinkType| matches!(link.kind, LinkKind::ManyToMany { .. });
        let links = self.link_types.values().filter(carried).map(|link| &link.name);
        self.object_types
            .keys()
            .chain(links.filter(|name| !self.object_types.contains_key(*name)))
            .filter(|name| !artifact::is_reserved(name.as_str()))
            .chain(artifact::built_in().map(|of| &of.name))
    }

    /// The types that a link type links: from, to.
    pub fn ends_of(&self, link: &LinkType) -> Option<(ApiName, ApiName)> {
        match &link.kind {
            LinkKind::ForeignKey { from, to, .. } => Some((from.clone(), to.clone())),
            LinkKind::ManyToMany { left, right } => Some((left.clone(), right.clone())),
            LinkKind::ObjectBacked { via, from, to } => {
                let via = self.object_type(via.as_str())?;
                let of = |id| match &via.property(id)?.of {
                    PropertyType::Reference { to } => Some(to.clone()),
                    _ => None,
                };
                Some((of(*from)?, of(*to)?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIRECTED: Ends = Ends { symmetric: false };
    const SYMMETRIC: Ends = Ends { symmetric: true };

    #[test]
    fn one_link_has_one_key_which_reads_back() {
        for (left, right) in [("UA", "LH"), ("1:2", "3"), ("1", "2:3"), (":", ":"), ("ä", "é")] {
            let key = DIRECTED.key_of(left, right);
            assert_eq!(DIRECTED.of_key(&key), Some((left, right)), "{key}");
            assert!(key.starts_with(&Ends::prefix(left)));
        }
        assert_ne!(DIRECTED.key_of("A", "BC"), DIRECTED.key_of("AB", "C"));
        assert_ne!(DIRECTED.key_of("UA", "LH"), DIRECTED.key_of("LH", "UA"));
        assert_eq!(SYMMETRIC.key_of("UA", "LH"), "2:LHUA");
        assert_eq!(SYMMETRIC.of_key("2:LHUA"), Some(("LH", "UA")));
    }

    #[test]
    fn a_text_in_another_spelling_is_no_link() {
        for key in [
            "",
            ":",
            "2:",
            "2:UA",
            "0:UA",
            "02:UALH",
            "+2:UALH",
            "3:UA",
            "x:UALH",
            "UALH",
            "1:é",
            "2:é",
            "99999999999999999999:UALH",
        ] {
            assert_eq!(DIRECTED.of_key(key), None, "{key}");
        }
        assert_eq!(SYMMETRIC.of_key("2:UALH"), None, "the lesser end comes first");
    }
}
