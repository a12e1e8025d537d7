//! `object`: the objects of a space.

mod links;
mod list;
mod load;
mod rows;
mod value;
mod view;
mod watch;

use std::collections::BTreeMap;

use clap::{Args, Subcommand, ValueEnum};
use peerd_wire::data::v1 as pb;
use serde_json::json;

use crate::cli::{App, DONE};
use crate::error::Error;
use crate::field::required;
use crate::output;
use crate::security::SecurityArgs;
use view::Object;

/// How many objects a list shows when nothing else is said.
const LIMIT: u32 = 100;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Loads a CSV or NDJSON file into the source lane; the same file again changes nothing
    Load(load::Load),
    /// Edits properties of an object in the actions lane
    Edit {
        #[command(flatten)]
        object: Id,
        /// New values
        #[arg(value_parser = property, value_name = "PROPERTY=VALUE", required_unless_present = "clear")]
        properties: Vec<(String, String)>,
        /// A property to set to null; may be given several times
        #[arg(long, value_name = "PROPERTY")]
        clear: Vec<String>,
    },
    /// Creates an object in the actions lane
    Create {
        #[command(flatten)]
        of: Type,
        /// Its values, the primary key among them
        #[arg(value_parser = property, value_name = "PROPERTY=VALUE", required = true)]
        properties: Vec<(String, String)>,
    },
    /// Deletes an object in the actions lane
    Delete(Id),
    /// Shows one object
    Get(Id),
    /// Lists live objects by key
    List {
        #[command(flatten)]
        of: Type,
        /// At most so many
        #[arg(long, default_value_t = LIMIT, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// The `next_page_token` of the list before
        #[arg(long, default_value = "", hide_default_value = true)]
        page_token: String,
    },
    /// Counts live objects
    Count(Type),
    /// Links two objects by a many-to-many link type, in the actions lane; neither need be here
    Link(links::Ends),
    /// Ends a link of a many-to-many link type, in the actions lane
    Unlink(links::Ends),
    /// Lists the links of an object, of every kind
    Links(links::Links),
    /// Tells of changes as they happen, one line each, until it is interrupted
    Watch(watch::Watch),
    /// Lists values that lost against a concurrent edit
    Conflicts {
        /// Name or id of the space
        space: String,
    },
    /// Settles a conflict
    Resolve {
        /// The conflict's id
        conflict: String,
        /// Which value stays
        #[arg(long, value_enum)]
        keep: Keep,
    },
    /// Sets an object's classification and markings; without any, it is unclassified and unmarked
    SetSecurity {
        #[command(flatten)]
        object: Id,
        #[command(flatten)]
        security: SecurityArgs,
    },
}

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Type {
    /// Name or id of the space
    space: String,
    /// The object type
    #[arg(value_name = "TYPE")]
    object_type: String,
}

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Id {
    #[command(flatten)]
    of: Type,
    /// The primary key
    key: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Keep {
    /// The value in force
    Winner,
    /// The value that lost
    Loser,
}

impl Command {
    pub(crate) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        match self {
            Command::Load(load) => load.run(app).await,
            Command::Edit {
                object,
                properties,
                clear,
            } => app.shown_object(app.edit(object, properties, clear).await?),
            Command::Create { of, properties } => app.shown_object(app.create(of, properties).await?),
            Command::Delete(object) => delete(app, object).await,
            Command::Get(object) => app.shown_object(app.object(object).await?),
            Command::List {
                of,
                limit,
                page_token,
            } => list::objects(app, of, limit, page_token).await,
            Command::Count(of) => count(app, of).await,
            Command::Link(ends) => app.shown_object(links::link(app, ends).await?),
            Command::Unlink(ends) => links::unlink(app, ends).await,
            Command::Links(asked) => links::list(app, asked).await,
            Command::Watch(watch) => watch.run(app).await,
            Command::Conflicts { space } => list::conflicts(app, space).await,
            Command::Resolve { conflict, keep } => app.shown_object(app.resolve(conflict, keep).await?),
            Command::SetSecurity { object, security } => {
                app.shown_object(app.set_security(object, security).await?)
            }
        }
    }
}

/// The calls that answer with an object.
impl App<'_> {
    fn shown_object(&self, object: Option<pb::Object>) -> Result<u8, Error> {
        output::show(self.format, &Object::from(required(object, "object")?))?;
        Ok(DONE)
    }

    async fn object(&self, object: Id) -> Result<Option<pb::Object>, Error> {
        let Id { of, key } = object;
        let request = pb::GetObjectRequest {
            space: of.space,
            object_type: of.object_type,
            key,
        };
        Ok(self
            .client
            .call(self.client.objects().get_object(request))
            .await?
            .object)
    }

    async fn edit(
        &self,
        object: Id,
        properties: Vec<(String, String)>,
        clear: Vec<String>,
    ) -> Result<Option<pb::Object>, Error> {
        let Id { of, key } = object;
        let request = pb::EditObjectRequest {
            space: of.space,
            object_type: of.object_type,
            key,
            properties: once_each(properties)?,
            clear,
        };
        Ok(self
            .client
            .call(self.client.objects().edit_object(request))
            .await?
            .object)
    }

    async fn create(&self, of: Type, properties: Vec<(String, String)>) -> Result<Option<pb::Object>, Error> {
        let request = pb::CreateObjectRequest {
            space: of.space,
            object_type: of.object_type,
            properties: once_each(properties)?,
        };
        let mut objects = self.client.objects();
        Ok(self.client.call(objects.create_object(request)).await?.object)
    }

    async fn resolve(&self, conflict_id: String, keep: Keep) -> Result<Option<pb::Object>, Error> {
        let keep = match keep {
            Keep::Winner => pb::Keep::Winner,
            Keep::Loser => pb::Keep::Loser,
        };
        let request = pb::ResolveConflictRequest {
            conflict_id,
            keep: keep.into(),
        };
        let mut objects = self.client.objects();
        Ok(self.client.call(objects.resolve_conflict(request)).await?.object)
    }

    async fn set_security(&self, object: Id, security: SecurityArgs) -> Result<Option<pb::Object>, Error> {
        let Id { of, key } = object;
        let request = pb::SetObjectSecurityRequest {
            space: of.space,
            object_type: of.object_type,
            key,
            classification: security.classification.unwrap_or_default(),
            markings: security.markings,
        };
        let mut objects = self.client.objects();
        Ok(self
            .client
            .call(objects.set_object_security(request))
            .await?
            .object)
    }
}

async fn delete(app: &App<'_>, object: Id) -> Result<u8, Error> {
    let Id { of, key } = object;
    let request = pb::DeleteObjectRequest {
        space: of.space,
        object_type: of.object_type,
        key,
    };
    let view = json!({"object_type": request.object_type, "key": request.key, "deleted": true});
    app.client
        .call(app.client.objects().delete_object(request))
        .await?;
    output::show(app.format, &view)?;
    Ok(DONE)
}

async fn count(app: &App<'_>, of: Type) -> Result<u8, Error> {
    let request = pb::CountObjectsRequest {
        space: of.space,
        object_type: of.object_type,
    };
    let mut objects = app.client.objects();
    let answer = app.client.call(objects.count_objects(request)).await?;
    output::show(app.format, &json!({"count": answer.count}))?;
    Ok(DONE)
}

fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write property=value".to_owned()),
    }
}

fn once_each(properties: Vec<(String, String)>) -> Result<BTreeMap<String, String>, Error> {
    let mut once = BTreeMap::new();
    for (name, value) in properties {
        if once.insert(name.clone(), value).is_some() {
            return Err(Error::Usage(format!("{name} is given twice")));
        }
    }
    Ok(once)
}
