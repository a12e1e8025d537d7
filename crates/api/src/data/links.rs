//! Links between objects.

use peerd_node::object::{End, LinkAt, LinkPage, LinkView, LinksOf};
use peerd_wire::data::v1 as pb;
use tonic::Status;

use super::object::at;
use crate::{page, parse};

/// The link to make.
pub(super) fn made(request: pb::LinkObjectsRequest) -> Result<LinkAt, Status> {
    let pb::LinkObjectsRequest {
        space,
        link_type,
        from_key,
        to_key,
    } = request;
    link(space, link_type, from_key, to_key)
}

/// The link to end.
pub(super) fn ended(request: pb::UnlinkObjectsRequest) -> Result<LinkAt, Status> {
    let pb::UnlinkObjectsRequest {
        space,
        link_type,
        from_key,
        to_key,
    } = request;
    link(space, link_type, from_key, to_key)
}

fn link(space: String, link_type: String, from: String, to: String) -> Result<LinkAt, Status> {
    parse::reference("space", &space)?;
    parse::reference("link_type", &link_type)?;
    parse::reference("from_key", &from)?;
    parse::reference("to_key", &to)?;
    Ok(LinkAt {
        space,
        link_type,
        from,
        to,
    })
}

/// The links to list.
pub(super) fn asked(request: pb::ListObjectLinksRequest) -> Result<LinksOf, Status> {
    let pb::ListObjectLinksRequest {
        space,
        object_type,
        key,
        link_type,
        page_size,
        page_token,
    } = request;
    if !link_type.is_empty() {
        parse::reference("link_type", &link_type)?;
    }
    Ok(LinksOf {
        object: at(space, object_type, key)?,
        link_type: (!link_type.is_empty()).then_some(link_type),
        after: page::after(&page_token)?,
        limit: page::size(page_size)?,
    })
}

/// A page of links.
pub(super) fn listed(page: LinkPage) -> pb::ListObjectLinksResponse {
    let LinkPage { links, next } = page;
    pb::ListObjectLinksResponse {
        items: links.into_iter().map(view).collect(),
        next_page_token: page::token(next),
    }
}

fn view(link: LinkView) -> pb::ObjectLink {
    let LinkView {
        link_type,
        kind,
        end,
        other,
        present,
        link,
    } = link;
    let end = match end {
        End::From => pb::LinkEnd::From,
        End::To => pb::LinkEnd::To,
        End::Either => pb::LinkEnd::Either,
    };
    let (link_object_type, link_key) = link
        .map(|key| (key.object_type().to_string(), key.primary_key().to_owned()))
        .unwrap_or_default();
    pb::ObjectLink {
        link_type: link_type.to_string(),
        kind: kind.to_owned(),
        end: end.into(),
        object_type: other.object_type().to_string(),
        key: other.primary_key().to_owned(),
        present,
        link_object_type,
        link_key,
    }
}
