//! Lists of objects and of conflicts.

use peerd_wire::data::v1 as pb;

use super::Type;
use super::view::{self, Conflict, Summary};
use crate::cli::{App, DONE};
use crate::client;
use crate::error::Error;
use crate::output::{self, Page};

/// The most objects in one page.
const PAGE_MAX: u32 = 1_000;

/// At most `limit` objects, from as many pages as that takes. There may be millions: the token goes on from here.
pub(super) async fn objects(app: &App<'_>, of: Type, limit: u32, page_token: String) -> Result<u8, Error> {
    let (mut items, mut next_page_token) = (Vec::new(), page_token);
    let mut left = limit;
    loop {
        let request = pb::ListObjectsRequest {
            space: of.space.clone(),
            object_type: of.object_type.clone(),
            page_size: left.min(PAGE_MAX),
            page_token: next_page_token,
        };
        let page = app
            .client
            .call(app.client.objects().list_objects(request))
            .await?;
        left = left.saturating_sub(u32::try_from(page.items.len()).unwrap_or(u32::MAX));
        items.extend(page.items.into_iter().map(Summary::from));
        next_page_token = page.next_page_token;
        if next_page_token.is_empty() || left == 0 {
            break;
        }
    }
    if !next_page_token.is_empty() && app.format == output::Format::Table {
        eprintln!("there are more: --page-token {next_page_token}");
    }
    let columns = view::columns(&items);
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let page = Page {
        items,
        next_page_token,
    };
    output::list(app.format, &page, &columns)?;
    Ok(DONE)
}

pub(super) async fn conflicts(app: &App<'_>, space: String) -> Result<u8, Error> {
    let (client, space) = (&app.client, &space);
    let items = client::all(|page_size, page_token| async move {
        let request = pb::ListConflictsRequest {
            space: space.clone(),
            page_size,
            page_token,
        };
        let page = client.call(client.objects().list_conflicts(request)).await?;
        Ok((page.items, page.next_page_token))
    });
    let items: Vec<Conflict> = items.await?.into_iter().map(Conflict::from).collect();
    let columns = ["conflict_id", "object_type", "key", "property", "winner", "loser"];
    output::list(app.format, &Page::whole(items), &columns)?;
    Ok(DONE)
}
