//! `marking`: markings and who may see them.

use clap::Subcommand;
use peerd_wire::admin::v1 as pb;
use serde::Serialize;

use crate::cli::{App, DONE};
use crate::client;
use crate::error::Error;
use crate::field::required;
use crate::output::{self, Page};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes a marking with nobody in it
    Create {
        /// Its name
        name: String,
    },
    /// Lets a principal see what carries the marking
    Grant {
        /// The marking's name
        name: String,
        /// Name or id
        principal: String,
    },
    /// Lists markings by name
    List,
}

/// A marking.
#[derive(Debug, Serialize)]
struct Marking {
    name: String,
    member_ids: Vec<String>,
}

impl Command {
    pub(crate) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        let client = &app.client;
        let marking = match self {
            Command::List => return list(app).await,
            Command::Create { name } => {
                let request = pb::CreateMarkingRequest { name };
                client
                    .call(client.markings().create_marking(request))
                    .await?
                    .marking
            }
            Command::Grant { name, principal } => {
                let request = pb::GrantMarkingRequest { name, principal };
                client
                    .call(client.markings().grant_marking(request))
                    .await?
                    .marking
            }
        };
        output::show(app.format, &Marking::from(required(marking, "marking")?))?;
        Ok(DONE)
    }
}

async fn list(app: &App<'_>) -> Result<u8, Error> {
    let client = &app.client;
    let items = client::all(|page_size, page_token| async move {
        let request = pb::ListMarkingsRequest {
            page_size,
            page_token,
        };
        let page = client.call(client.markings().list_markings(request)).await?;
        Ok((page.items, page.next_page_token))
    });
    let items: Vec<Marking> = items.await?.into_iter().map(Marking::from).collect();
    output::list(app.format, &Page::whole(items), &["name", "member_ids"])?;
    Ok(DONE)
}

impl From<pb::Marking> for Marking {
    fn from(marking: pb::Marking) -> Marking {
        let pb::Marking { name, member_ids } = marking;
        Marking { name, member_ids }
    }
}
