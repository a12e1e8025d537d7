//! `space`: containers with one ontology, and who manages them.

use clap::Subcommand;
use peerd_wire::admin::v1 as pb;
use serde::Serialize;

use crate::cli::{App, DONE};
use crate::client;
use crate::error::Error;
use crate::field::{required, time};
use crate::output::{self, Page};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes a space
    Create {
        /// Its name
        name: String,
        /// Its title
        #[arg(long)]
        title: Option<String>,
    },
    /// Lists the spaces the caller may see
    List,
    /// Lets a principal manage the space
    AddManager {
        /// Name or id
        space: String,
        /// Name or id
        principal: String,
    },
    /// Ends that
    RemoveManager {
        /// Name or id
        space: String,
        /// Name or id
        principal: String,
    },
}

/// A space.
#[derive(Debug, Serialize)]
struct Space {
    space_id: String,
    name: String,
    title: String,
    manager_ids: Vec<String>,
    created_at: Option<String>,
}

impl Command {
    pub(crate) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        let client = &app.client;
        let space = match self {
            Command::Create { name, title } => {
                let title = title.unwrap_or_default();
                let request = pb::CreateSpaceRequest { name, title };
                client.call(client.spaces().create_space(request)).await?.space
            }
            Command::AddManager { space, principal } => {
                let request = pb::AddSpaceManagerRequest { space, principal };
                client
                    .call(client.spaces().add_space_manager(request))
                    .await?
                    .space
            }
            Command::RemoveManager { space, principal } => {
                let request = pb::RemoveSpaceManagerRequest { space, principal };
                client
                    .call(client.spaces().remove_space_manager(request))
                    .await?
                    .space
            }
            Command::List => return list(app).await,
        };
        output::show(app.format, &Space::from(required(space, "space")?))?;
        Ok(DONE)
    }
}

async fn list(app: &App<'_>) -> Result<u8, Error> {
    let client = &app.client;
    let items = client::all(|page_size, page_token| async move {
        let request = pb::ListSpacesRequest {
            page_size,
            page_token,
        };
        let page = client.call(client.spaces().list_spaces(request)).await?;
        Ok((page.items, page.next_page_token))
    });
    let items: Vec<Space> = items.await?.into_iter().map(Space::from).collect();
    output::list(
        app.format,
        &Page::whole(items),
        &["space_id", "name", "title", "manager_ids"],
    )?;
    Ok(DONE)
}

impl From<pb::Space> for Space {
    fn from(space: pb::Space) -> Space {
        let pb::Space {
            space_id,
            name,
            title,
            manager_ids,
            created_at,
        } = space;
        Space {
            space_id,
            name,
            title,
            manager_ids,
            created_at: time(created_at),
        }
    }
}
