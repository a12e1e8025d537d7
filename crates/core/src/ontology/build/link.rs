//! Link types: what they name must be there.

use std::collections::BTreeMap;

use super::InvalidOntology;
use crate::ontology::file::LinkTypeFile;
use crate::ontology::{ApiName, LinkKind, LinkType, ObjectType, PropertyType};

/// A link type of a file, and the object types that it may name.
struct Written<'a> {
    file: &'a LinkTypeFile,
    known: &'a BTreeMap<ApiName, ObjectType>,
}

/// The link type that a file writes.
pub(crate) fn link_type(
    file: &LinkTypeFile,
    known: &BTreeMap<ApiName, ObjectType>,
) -> Result<LinkType, InvalidOntology> {
    let written = Written { file, known };
    let LinkTypeFile {
        name,
        kind,
        from,
        to,
        between,
        via,
    } = file;
    let kind = match (kind.as_str(), from, to, between, via) {
        ("foreign-key", Some(from), Some(to), None, None) => written.foreign_key(from, to)?,
        ("many-to-many", None, None, Some([left, right]), None) => {
            written.find(left)?;
            written.find(right)?;
            LinkKind::ManyToMany {
                left: left.clone(),
                right: right.clone(),
            }
        }
        ("object-backed", Some(from), Some(to), None, Some(via)) => written.object_backed(via, from, to)?,
        _ => {
            return Err(written.wrong(
                "it is foreign-key with `from` and `to`, many-to-many with `between`, or object-backed with `via`, \
                 `from` and `to`",
            ));
        }
    };
    Ok(LinkType {
        name: name.clone(),
        kind,
    })
}

impl Written<'_> {
    fn wrong(&self, rule: &'static str) -> InvalidOntology {
        InvalidOntology::Link {
            link_type: self.file.name.clone(),
            rule,
        }
    }

    fn find(&self, name: &ApiName) -> Result<&ObjectType, InvalidOntology> {
        let found = self.known.get(name);
        found.ok_or_else(|| InvalidOntology::UnknownObjectType {
            place: format!("link type {}", self.file.name),
            to: name.clone(),
        })
    }

    fn foreign_key(&self, from: &str, to: &ApiName) -> Result<LinkKind, InvalidOntology> {
        let form = || self.wrong("`from` is type.property");
        let (owner, name) = from.split_once('.').ok_or_else(form)?;
        let owner = owner.parse().map_err(|_| form())?;
        let property = self
            .find(&owner)?
            .named(name)
            .ok_or_else(|| self.wrong("`from` names a property that does not exist"))?;
        let target = self.find(to)?;
        let key = target.property(target.primary_key).map(|p| &p.of);
        let refers = matches!(&property.of, PropertyType::Reference { to: named } if named == to);
        if !refers && Some(&property.of) != key {
            return Err(self.wrong("`from` is a reference to the type, or has the type of its primary key"));
        }
        Ok(LinkKind::ForeignKey {
            from: owner,
            property: property.id,
            to: to.clone(),
        })
    }

    fn object_backed(&self, via: &ApiName, from: &str, to: &ApiName) -> Result<LinkKind, InvalidOntology> {
        let of = self.find(via)?;
        let reference = |name: &str| {
            of.named(name)
                .filter(|property| matches!(property.of, PropertyType::Reference { .. }))
                .map(|property| property.id)
                .ok_or_else(|| self.wrong("`from` and `to` name references of the type that `via` names"))
        };
        let (from, to) = (reference(from)?, reference(to.as_str())?);
        if from == to {
            return Err(self.wrong("`from` and `to` are two references"));
        }
        Ok(LinkKind::ObjectBacked {
            via: via.clone(),
            from,
            to,
        })
    }
}
