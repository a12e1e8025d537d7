//! Links between objects: making and ending those of a many-to-many link type, listing those of an object.

use clap::Args;
use peerd_wire::data::v1 as pb;
use serde::Serialize;
use serde_json::json;

use super::{Id, LIMIT};
use crate::cli::{App, DONE};
use crate::error::Error;
use crate::field::{optional, word};
use crate::output::{self, Page};

/// The most links in one page.
const PAGE_MAX: u32 = 1_000;

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Ends {
    /// Name or id of the space
    space: String,
    /// The link type
    link_type: String,
    /// The primary key of the object at its left end
    from_key: String,
    /// The primary key of the object at its right end
    to_key: String,
}

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Links {
    #[command(flatten)]
    object: Id,
    /// Links of this type only
    #[arg(long, value_name = "LINK_TYPE")]
    link_type: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = LIMIT, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// The `next_page_token` of the list before
    #[arg(long, default_value = "", hide_default_value = true)]
    page_token: String,
}

/// A link, as the object that was asked about sees it.
#[derive(Debug, Serialize)]
struct Link {
    link_type: String,
    kind: String,
    end: String,
    object_type: String,
    key: String,
    present: bool,
    link_object_type: Option<String>,
    link_key: Option<String>,
}

pub(super) async fn link(app: &App<'_>, ends: Ends) -> Result<Option<pb::Object>, Error> {
    let Ends {
        space,
        link_type,
        from_key,
        to_key,
    } = ends;
    let request = pb::LinkObjectsRequest {
        space,
        link_type,
        from_key,
        to_key,
    };
    let mut objects = app.client.objects();
    Ok(app.client.call(objects.link_objects(request)).await?.link)
}

pub(super) async fn unlink(app: &App<'_>, ends: Ends) -> Result<u8, Error> {
    let Ends {
        space,
        link_type,
        from_key,
        to_key,
    } = ends;
    let view = json!({"link_type": link_type, "from_key": from_key, "to_key": to_key, "deleted": true});
    let request = pb::UnlinkObjectsRequest {
        space,
        link_type,
        from_key,
        to_key,
    };
    let mut objects = app.client.objects();
    app.client.call(objects.unlink_objects(request)).await?;
    output::show(app.format, &view)?;
    Ok(DONE)
}

/// At most `limit` links, from as many pages as that takes; some of them may be empty.
pub(super) async fn list(app: &App<'_>, asked: Links) -> Result<u8, Error> {
    let Links {
        object: Id { of, key },
        link_type,
        limit,
        page_token,
    } = asked;
    let (mut items, mut next_page_token) = (Vec::<Link>::new(), page_token);
    let mut left = limit;
    loop {
        let request = pb::ListObjectLinksRequest {
            space: of.space.clone(),
            object_type: of.object_type.clone(),
            key: key.clone(),
            link_type: link_type.clone().unwrap_or_default(),
            page_size: left.min(PAGE_MAX),
            page_token: next_page_token,
        };
        let mut objects = app.client.objects();
        let page = app.client.call(objects.list_object_links(request)).await?;
        left = left.saturating_sub(u32::try_from(page.items.len()).unwrap_or(u32::MAX));
        items.extend(page.items.into_iter().map(Link::from));
        next_page_token = page.next_page_token;
        if next_page_token.is_empty() || left == 0 {
            break;
        }
    }
    if !next_page_token.is_empty() && app.format == output::Format::Table {
        eprintln!("there are more: --page-token {next_page_token}");
    }
    let columns = [
        "link_type",
        "kind",
        "end",
        "object_type",
        "key",
        "present",
        "link_key",
    ];
    let page = Page {
        items,
        next_page_token,
    };
    output::list(app.format, &page, &columns)?;
    Ok(DONE)
}

impl From<pb::ObjectLink> for Link {
    fn from(link: pb::ObjectLink) -> Link {
        let pb::ObjectLink {
            link_type,
            kind,
            end,
            object_type,
            key,
            present,
            link_object_type,
            link_key,
        } = link;
        Link {
            link_type,
            kind,
            end: word(end, pb::LinkEnd::as_str_name, "LINK_END_"),
            object_type,
            key,
            present,
            link_object_type: optional(link_object_type),
            link_key: optional(link_key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_says_what_is_at_its_other_end() {
        let link = Link::from(pb::ObjectLink {
            link_type: "codeshare".into(),
            kind: "many-to-many".into(),
            end: pb::LinkEnd::Either.into(),
            object_type: "airline".into(),
            key: "LH".into(),
            present: false,
            link_object_type: "codeshare".into(),
            link_key: "2:LHUA".into(),
        });
        assert_eq!(
            serde_json::to_value(link).expect("json"),
            json!({
                "link_type": "codeshare", "kind": "many-to-many", "end": "either", "object_type": "airline",
                "key": "LH", "present": false, "link_object_type": "codeshare", "link_key": "2:LHUA",
            })
        );
        let key = Link::from(pb::ObjectLink::default());
        assert_eq!(key.link_key, None, "a foreign key is no object of its own");
    }
}
