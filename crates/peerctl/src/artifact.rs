//! `artifact`: the files of a space, and which of them go out over a connection.

mod get;
mod put;
mod view;

use std::time::Duration;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use peerd_wire::data::v1 as pb;
use peerd_wire::data::v1::artifact_selection::Selection;
use serde_json::json;

use crate::cli::{App, DONE};
use crate::client;
use crate::duration;
use crate::error::Error;
use crate::field::required;
use crate::output::{self, Page};
use crate::security::SecurityArgs;
use view::{Artifact, Transfer};

/// How many artifacts a list shows when nothing else is said.
const LIMIT: u32 = 100;
/// The most artifacts in one page.
const PAGE_MAX: u32 = 1_000;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Puts a file; run again after it broke off, it goes on where it was
    Put(put::Put),
    /// Gets the bytes of an artifact, checked; run again after it broke off, it goes on where it was
    Get(get::Get),
    /// Shows one artifact
    Show(Id),
    /// Lists artifacts by age
    List {
        /// Name or id of the space
        space: String,
        /// Only those with this tag; may be given several times, one is enough
        #[arg(long = "tag", value_name = "TAG")]
        tags: Vec<String>,
        /// At most so many
        #[arg(long, default_value_t = LIMIT, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// The `next_page_token` of the list before
        #[arg(long, default_value = "", hide_default_value = true)]
        page_token: String,
    },
    /// Adds tags to an artifact
    Tag {
        #[command(flatten)]
        artifact: Id,
        /// The tags
        #[arg(value_name = "TAG", required_unless_present = "set")]
        tags: Vec<String>,
        /// Takes these tags away instead
        #[arg(long, conflicts_with = "set")]
        remove: bool,
        /// It has these tags and no others; with none it has none
        #[arg(long)]
        set: bool,
    },
    /// Gives an artifact another name
    Rename {
        #[command(flatten)]
        artifact: Id,
        /// The new name
        name: String,
    },
    /// Gives an artifact back the content that it had before
    Restore {
        #[command(flatten)]
        artifact: Id,
        /// The BLAKE3 of that content; without it, what it had last
        #[arg(long, default_value = "", hide_default_value = true)]
        blake3: String,
    },
    /// Sets an artifact's classification and markings; without any, it is unclassified and unmarked
    SetSecurity {
        #[command(flatten)]
        artifact: Id,
        #[command(flatten)]
        security: SecurityArgs,
    },
    /// Deletes an artifact, here and where it was sent to
    Delete(Id),
    /// Says which artifacts go out over a connection, in place of what was said before
    Share {
        /// The connection's id
        connection: String,
        #[command(flatten)]
        which: Which,
    },
    /// Lets no artifacts out over a connection; copies that the other side imported are retracted
    Unshare {
        /// The connection's id
        connection: String,
    },
    /// Lists the content that is on its way in
    Transfers {
        /// Of this connection only
        connection: Option<String>,
    },
}

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Id {
    /// Name or id of the space
    space: String,
    /// The artifact's id
    #[arg(value_name = "ID")]
    artifact: String,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct Which {
    /// All of the space; so it is, too, when nothing is said
    #[arg(long)]
    all: bool,
    /// Those with one of these tags; may be given several times
    #[arg(long = "tag", value_name = "TAG", num_args = 1..)]
    tags: Vec<String>,
    /// Those that somebody changed within so long; what grows older stays where it is
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    updated_within: Option<Duration>,
}

impl Which {
    fn message(self) -> pb::ArtifactSelection {
        let selection = match self.updated_within {
            Some(window) => Selection::UpdatedWithin(prost_types::Duration {
                seconds: i64::try_from(window.as_secs()).unwrap_or(i64::MAX),
                nanos: i32::try_from(window.subsec_nanos()).unwrap_or(0),
            }),
            None if self.all || self.tags.is_empty() => Selection::All(true),
            None => Selection::Tags(pb::SelectedTags { tags: self.tags }),
        };
        pb::ArtifactSelection {
            selection: Some(selection),
        }
    }
}

impl Command {
    pub(crate) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        match self {
            Command::Put(put) => app.shown_artifact(Some(put.run(app).await?)),
            Command::Get(get) => get.run(app).await,
            Command::Show(id) => app.shown_artifact(Some(app.artifact(id).await?)),
            Command::List {
                space,
                tags,
                limit,
                page_token,
            } => list(app, space, tags, limit, page_token).await,
            Command::Tag {
                artifact,
                tags,
                remove,
                set,
            } => {
                let mode = match (remove, set) {
                    (true, _) => pb::TagMode::Remove,
                    (_, true) => pb::TagMode::Set,
                    _ => pb::TagMode::Add,
                };
                app.shown_artifact(app.tag(artifact, tags, mode).await?)
            }
            Command::Rename { artifact, name } => app.shown_artifact(app.rename(artifact, name).await?),
            Command::Restore { artifact, blake3 } => app.shown_artifact(app.restore(artifact, blake3).await?),
            Command::SetSecurity { artifact, security } => set_security(app, artifact, security).await,
            Command::Delete(id) => delete(app, id).await,
            Command::Share { connection, which } => share(app, connection, which).await,
            Command::Unshare { connection } => unshare(app, connection).await,
            Command::Transfers { connection } => transfers(app, connection.unwrap_or_default()).await,
        }
    }
}

/// The calls that answer with an artifact.
impl App<'_> {
    fn shown_artifact(&self, artifact: Option<pb::Artifact>) -> Result<u8, Error> {
        output::show(self.format, &Artifact::from(required(artifact, "artifact")?))?;
        Ok(DONE)
    }

    async fn artifact(&self, id: Id) -> Result<pb::Artifact, Error> {
        let request = pb::GetArtifactRequest {
            space: id.space,
            artifact_id: id.artifact,
        };
        let mut artifacts = self.client.artifacts();
        let answer = self.client.call(artifacts.get_artifact(request)).await?;
        required(answer.artifact, "artifact")
    }

    async fn tag(&self, id: Id, tags: Vec<String>, mode: pb::TagMode) -> Result<Option<pb::Artifact>, Error> {
        let request = pb::TagArtifactRequest {
            space: id.space,
            artifact_id: id.artifact,
            tags,
            mode: mode.into(),
        };
        let mut artifacts = self.client.artifacts();
        Ok(self.client.call(artifacts.tag_artifact(request)).await?.artifact)
    }

    async fn rename(&self, id: Id, name: String) -> Result<Option<pb::Artifact>, Error> {
        let request = pb::RenameArtifactRequest {
            space: id.space,
            artifact_id: id.artifact,
            name,
        };
        let mut artifacts = self.client.artifacts();
        Ok(self
            .client
            .call(artifacts.rename_artifact(request))
            .await?
            .artifact)
    }

    async fn restore(&self, id: Id, blake3: String) -> Result<Option<pb::Artifact>, Error> {
        let request = pb::RestoreArtifactRequest {
            space: id.space,
            artifact_id: id.artifact,
            blake3,
        };
        let mut artifacts = self.client.artifacts();
        Ok(self
            .client
            .call(artifacts.restore_artifact(request))
            .await?
            .artifact)
    }
}

async fn list(
    app: &App<'_>,
    space: String,
    tags: Vec<String>,
    limit: u32,
    page_token: String,
) -> Result<u8, Error> {
    let (mut items, mut next_page_token) = (Vec::new(), page_token);
    let mut left = limit;
    loop {
        let request = pb::ListArtifactsRequest {
            space: space.clone(),
            tags: tags.clone(),
            page_size: left.min(PAGE_MAX),
            page_token: next_page_token,
        };
        let mut artifacts = app.client.artifacts();
        let page = app.client.call(artifacts.list_artifacts(request)).await?;
        left = left.saturating_sub(u32::try_from(page.items.len()).unwrap_or(u32::MAX));
        items.extend(page.items.into_iter().map(Artifact::from));
        next_page_token = page.next_page_token;
        if next_page_token.is_empty() || left == 0 {
            break;
        }
    }
    if !next_page_token.is_empty() && app.format == output::Format::Table {
        eprintln!("there are more: --page-token {next_page_token}");
    }
    let page = Page {
        items,
        next_page_token,
    };
    output::list(app.format, &page, view::COLUMNS)?;
    Ok(DONE)
}

async fn set_security(app: &App<'_>, id: Id, security: SecurityArgs) -> Result<u8, Error> {
    let request = pb::SetObjectSecurityRequest {
        space: id.space.clone(),
        object_type: peerd_core::artifact::TYPE.to_owned(),
        key: id.artifact.clone(),
        classification: security.classification.clone().unwrap_or_default(),
        markings: security.markings.clone(),
    };
    let mut objects = app.client.objects();
    app.client.call(objects.set_object_security(request)).await?;
    let view = json!({"artifact_id": id.artifact, "classification": security.classification,
        "markings": security.markings});
    output::show(app.format, &view)?;
    Ok(DONE)
}

async fn delete(app: &App<'_>, id: Id) -> Result<u8, Error> {
    let view = json!({"artifact_id": id.artifact, "deleted": true});
    let request = pb::DeleteArtifactRequest {
        space: id.space,
        artifact_id: id.artifact,
    };
    let mut artifacts = app.client.artifacts();
    app.client.call(artifacts.delete_artifact(request)).await?;
    output::show(app.format, &view)?;
    Ok(DONE)
}

async fn share(app: &App<'_>, connection_id: String, which: Which) -> Result<u8, Error> {
    let request = pb::ShareArtifactsRequest {
        connection_id: connection_id.clone(),
        selection: Some(which.message()),
    };
    let mut artifacts = app.client.artifacts();
    let answer = app.client.call(artifacts.share_artifacts(request)).await?;
    let selection = view::selection(answer.selection);
    let view = json!({"connection_id": connection_id, "selection": selection, "problem": answer.problem});
    output::show(app.format, &view)?;
    Ok(DONE)
}

async fn unshare(app: &App<'_>, connection_id: String) -> Result<u8, Error> {
    let view = json!({"connection_id": connection_id, "selection": null});
    let request = pb::UnshareArtifactsRequest { connection_id };
    let mut artifacts = app.client.artifacts();
    app.client.call(artifacts.unshare_artifacts(request)).await?;
    output::show(app.format, &view)?;
    Ok(DONE)
}

async fn transfers(app: &App<'_>, connection_id: String) -> Result<u8, Error> {
    let (client, connection_id) = (&app.client, &connection_id);
    let items = client::all(|page_size, page_token| async move {
        let request = pb::ListTransfersRequest {
            connection_id: connection_id.clone(),
            page_size,
            page_token,
        };
        let page = client.call(client.artifacts().list_transfers(request)).await?;
        Ok((page.items, page.next_page_token))
    });
    let items: Vec<Transfer> = items.await?.into_iter().map(Transfer::from).collect();
    output::list(app.format, &Page::whole(items), view::TRANSFER_COLUMNS)?;
    Ok(DONE)
}

/// Drawn on stderr, and only on a terminal.
fn bar(size: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(size), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
