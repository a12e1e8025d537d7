//! Looking through the links of an object.
//!
//! There is no index of who refers to whom: it would be one more write for each property of each object that is loaded.
//! So what is asked decides what it costs:
//!
//! | asked of | cost |
//! |---|---|
//! | the object with a foreign key | one read |
//! | the left end of a many-to-many link | as many reads as it has links |
//! | the right end of one, the object a foreign key names, the ends of object-backed links | the whole feed of the links, a bounded part of it for each page |

use peerd_core::authz::{Action, Space};
use peerd_core::object::{ObjectKey, ObjectState};
use peerd_core::ontology::{Ends, LinkKind, LinkType, ObjectType, Ontology, PropertyId};
use peerd_store::{FeedId, Range, Table};

use super::super::sight::Sight;
use super::super::stored::{feed_of, found, key_in, object_of};
use super::super::view::damaged;
use super::{End, LinkPage, LinkPlace, LinkView, LinksOf, ends_of, key_named, link_type};
use crate::object::no_such_object;
use crate::{Caller, Error, Node};

/// How many objects one read of the store asks for.
const CHUNK: usize = 128;
/// How many objects are looked at for one page.
const LOOK_MAX: usize = 4_096;

/// One of the ways in which an object can be linked.
struct Way {
    link: LinkType,
    end: End,
    /// The type at the other end.
    other: ObjectType,
    found: Found,
}

/// How its links are found.
enum Found {
    /// A property of the object itself names the other one.
    Here(PropertyId),
    /// Objects of this type have a property that names the object; they are what it is linked to.
    Naming(ObjectType, PropertyId),
    /// The same, and another property of theirs names what it is linked to.
    Between(ObjectType, PropertyId, PropertyId),
    /// Links whose left end it is.
    Left(ObjectType),
    /// Links whose right end it is.
    Right(ObjectType),
}

/// What all the looking is for.
struct Search<'a> {
    space: &'a Space,
    sight: &'a Sight,
    of: &'a ObjectType,
    key: &'a ObjectKey,
    state: &'a ObjectState,
}

impl Node {
    /// The links of an object that the caller sees. Asking for the next page with `after` may cost as much as this one:
    /// see the table of this module.
    pub async fn list_object_links(&self, caller: &Caller, asked: &LinksOf) -> Result<LinkPage, Error> {
        let space = self.space(&asked.object.space).await?.record;
        self.authorize(caller, Action::ObjectLinks, Some(&space)).await?;
        let ontology = self.ontology(space.id).await?;
        let of = ontology
            .object_type(&asked.object.object_type)
            .ok_or_else(|| Error::not_found("object type"))?;
        let key = asked.object.key_of(of)?;
        let sight = self.sight(caller).await?;
        let found = self.stored(space.id, &key).await?;
        let state = found.map(|found| found.record.state);
        let state = state.filter(|state| state.is_live() && sight.sees(state));
        let search = Search {
            space: &space,
            sight: &sight,
            of,
            key: &key,
            state: &state.ok_or_else(no_such_object)?,
        };
        let only = match &asked.link_type {
            Some(name) => Some(link_type(&ontology, name)?),
            None => None,
        };
        let ways = ways(&ontology, of, only);
        self.walk(&search, &ways, asked).await
    }

    async fn walk(&self, search: &Search<'_>, ways: &[Way], asked: &LinksOf) -> Result<LinkPage, Error> {
        let (mut links, mut looked) = (Vec::new(), 0);
        let mut place = asked.after.clone().unwrap_or(LinkPlace {
            way: 0,
            after: String::new(),
        });
        while let Some(way) = ways.get(place.way) {
            let chunk = self.look(search, way, &place.after).await?;
            looked += chunk.looked;
            for (last, link) in chunk.links {
                links.push(self.seen_link(search, way, link).await?);
                if links.len() == asked.limit {
                    place.after = last;
                    return Ok(LinkPage {
                        links,
                        next: Some(place),
                    });
                }
            }
            place = match chunk.next {
                Some(after) => LinkPlace { after, ..place },
                None => LinkPlace {
                    way: place.way + 1,
                    after: String::new(),
                },
            };
            if looked >= LOOK_MAX && place.way < ways.len() {
                return Ok(LinkPage {
                    links,
                    next: Some(place),
                });
            }
        }
        Ok(LinkPage { links, next: None })
    }

    /// The links among the next few objects of a way.
    async fn look(&self, search: &Search<'_>, way: &Way, after: &str) -> Result<Chunk, Error> {
        let carried = match &way.found {
            Found::Here(property) => {
                let named = value_of(search.of, search.state, *property, &way.other)?;
                let links = named.filter(|_| after.is_empty()).map(|other| {
                    let last = other.primary_key().to_owned();
                    (last, (other, None))
                });
                return Ok(Chunk {
                    links: links.into_iter().collect(),
                    next: None,
                    looked: 1,
                });
            }
            Found::Naming(of, _) | Found::Between(of, ..) | Found::Left(of) | Found::Right(of) => of,
        };
        let feed = feed_of(search.space.id, &carried.name);
        let mut chunk = Chunk::default();
        let entries = self.range_of(search, way, &feed, after).await?;
        if entries.len() == CHUNK {
            let last = entries.last().map(|(key, _)| object_of(&feed, key)).transpose()?;
            chunk.next = last.map(|key| key.primary_key().to_owned());
        }
        chunk.looked = entries.len();
        for (key, entry) in entries {
            let key = object_of(&feed, &key)?;
            // What is a link by its key alone is not read for nothing.
            if matches!(way.found, Found::Right(_)) && by_key(way, search.key, &key).is_none() {
                continue;
            }
            let state = found(&entry)?.record.state;
            if !state.is_live() || !search.sight.sees(&state) {
                continue;
            }
            let last = key.primary_key().to_owned();
            let other = match &way.found {
                Found::Naming(of, property) => {
                    let named = value_of(of, &state, *property, search.of)?;
                    let other = named.filter(|named| named == search.key).map(|_| key);
                    other.map(|other| (other, None))
                }
                Found::Between(of, near, far) => {
                    let named = value_of(of, &state, *near, search.of)?;
                    let far = value_of(of, &state, *far, &way.other)?;
                    let far = far.filter(|_| named.as_ref() == Some(search.key));
                    far.map(|far| (far, Some(key)))
                }
                _ => by_key(way, search.key, &key).map(|other| (other, Some(key))),
            };
            chunk.links.extend(other.map(|other| (last, other)));
        }
        Ok(chunk)
    }

    async fn range_of(
        &self,
        search: &Search<'_>,
        way: &Way,
        feed: &FeedId,
        after: &str,
    ) -> Result<Vec<(bytes::Bytes, peerd_store::Entry)>, Error> {
        let start = match &way.found {
            Found::Left(_) => key_in(feed, &Ends::prefix(search.key.primary_key())),
            _ => feed.prefix().into(),
        };
        let mut range = Range::prefix(Table::Objects, start, CHUNK);
        range.after = (!after.is_empty()).then(|| key_in(feed, after));
        Ok(self.store.range(range).await?)
    }

    async fn seen_link(
        &self,
        search: &Search<'_>,
        way: &Way,
        (other, link): (ObjectKey, Option<ObjectKey>),
    ) -> Result<LinkView, Error> {
        let there = self.stored(search.space.id, &other).await?;
        let present = there.is_some_and(|found| {
            let state = &found.record.state;
            state.is_live() && search.sight.sees(state)
        });
        Ok(LinkView {
            link_type: way.link.name.clone(),
            kind: way.link.kind.word(),
            end: way.end,
            other,
            present,
            link,
        })
    }
}

/// What is at the other end, and the object that is the link.
type Linked = (ObjectKey, Option<ObjectKey>);

#[derive(Default)]
struct Chunk {
    /// Each with the key to go on after.
    links: Vec<(String, Linked)>,
    /// The key to go on after; `None` at the end of the way.
    next: Option<String>,
    looked: usize,
}

/// The object that a property of a live object names.
fn value_of(
    of: &ObjectType,
    state: &ObjectState,
    property: PropertyId,
    target: &ObjectType,
) -> Result<Option<ObjectKey>, Error> {
    let view = state.view(of).map_err(damaged)?;
    let value = view.and_then(|view| view.properties.value(property).cloned());
    Ok(value.and_then(|value| key_named(target, &value)))
}

/// The other end of a link that has this object at the end that is looked for.
fn by_key(way: &Way, near: &ObjectKey, link: &ObjectKey) -> Option<ObjectKey> {
    let (Found::Left(carrier) | Found::Right(carrier)) = &way.found else {
        return None;
    };
    let (left, right) = ends_of(carrier, link)?;
    let other = match way.found {
        Found::Left(_) if left == near.primary_key() => right,
        // Linked to itself, it was met as the left end.
        Found::Right(_) if right == near.primary_key() && !(way.end == End::Either && left == right) => left,
        _ => return None,
    };
    ObjectKey::new(way.other.name.clone(), other).ok()
}

/// The ways in which objects of a type can be linked, in the order of the link types.
fn ways(ontology: &Ontology, of: &ObjectType, only: Option<&LinkType>) -> Vec<Way> {
    let mut ways = Vec::new();
    let named = |link: &&LinkType| only.is_none_or(|only| only.name == link.name);
    for link in ontology.link_types.values().filter(named) {
        let Some((from, to)) = ontology.ends_of(link) else {
            continue;
        };
        let (from, to) = (
            ontology.object_type(from.as_str()),
            ontology.object_type(to.as_str()),
        );
        let (Some(from), Some(to)) = (from, to) else {
            continue;
        };
        let [outgoing, incoming] = sides(ontology, link);
        let symmetric = matches!(&link.kind, LinkKind::ManyToMany { left, right } if left == right);
        let way = |end, other: &ObjectType, found| Way {
            link: link.clone(),
            end: if symmetric { End::Either } else { end },
            other: other.clone(),
            found,
        };
        if from.name == of.name {
            ways.extend(outgoing.map(|found| way(End::From, to, found)));
        }
        if to.name == of.name {
            ways.extend(incoming.map(|found| way(End::To, from, found)));
        }
    }
    ways
}

/// How the links of both ends are found: of the first, of the second.
fn sides(ontology: &Ontology, link: &LinkType) -> [Option<Found>; 2] {
    let typed = |name: &str| ontology.object_type(name).cloned();
    match &link.kind {
        LinkKind::ForeignKey { from, property, .. } => [
            Some(Found::Here(*property)),
            typed(from.as_str()).map(|of| Found::Naming(of, *property)),
        ],
        LinkKind::ManyToMany { .. } => {
            let carrier = || {
                let free = !ontology.object_types.contains_key(&link.name);
                link.carrier().filter(|_| free)
            };
            [carrier().map(Found::Left), carrier().map(Found::Right)]
        }
        LinkKind::ObjectBacked { via, from, to } => [
            typed(via.as_str()).map(|of| Found::Between(of, *from, *to)),
            typed(via.as_str()).map(|of| Found::Between(of, *to, *from)),
        ],
    }
}
