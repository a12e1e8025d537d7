//! `mapping`: which types a connection carries, and how they correspond.

use clap::{Args, Subcommand, ValueEnum};
use peerd_wire::peering::v1 as pb;
use serde::Serialize;

use crate::cli::{App, DONE};
use crate::error::Error;
use crate::field::required;
use crate::output::{self, Page};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes object types available on the connection
    Share {
        /// The connection's id
        connection: String,
        /// Names of object types
        #[arg(required = true, value_name = "TYPE")]
        types: Vec<String>,
        /// Objects of these types may not come in
        #[arg(long)]
        no_import: bool,
        /// Objects of these types may not go out
        #[arg(long)]
        no_export: bool,
    },
    /// Withdraws a type; copies that the other side imported are retracted
    Unshare {
        /// The connection's id
        connection: String,
        /// The object type's name
        r#type: String,
    },
    /// Maps a type here to a type the other side made available
    Create(Create),
    /// Lists shared types and mappings
    List {
        /// The connection's id
        connection: String,
    },
    /// Removes an explicit mapping
    Delete {
        /// The connection's id
        connection: String,
        /// The type here
        local_type: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The connection's id
    connection: String,
    /// The type here
    local_type: String,
    /// The type there
    remote_type: String,
    /// Properties that correspond; without any, those of equal name and type
    #[arg(long = "property", value_parser = pair, value_name = "LOCAL=REMOTE")]
    properties: Vec<pb::PropertyPair>,
    /// Where source data flows [default: whatever both sides allow]
    #[arg(long, value_enum)]
    source: Option<Flow>,
    /// Where actions flow: export,import or off [default: whatever both sides allow]
    #[arg(long, value_enum, value_delimiter = ',')]
    actions: Vec<Flow>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Flow {
    /// Out
    Export,
    /// In
    Import,
    /// Not at all
    Off,
}

/// One type of a connection, as both sides see it.
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the contract")]
#[derive(Debug, Serialize)]
struct Mapping {
    local_type: String,
    remote_type: String,
    properties: Vec<PropertyPair>,
    allow_export: bool,
    allow_import: bool,
    remote_allow_export: bool,
    remote_allow_import: bool,
    source: String,
    actions: Vec<String>,
    explicit: bool,
    problem: String,
}

/// Two properties that correspond.
#[derive(Debug, Serialize)]
struct PropertyPair {
    local: String,
    remote: String,
}

impl Command {
    pub(crate) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        let client = &app.client;
        let items = match self {
            Command::Share {
                connection: connection_id,
                types,
                no_import,
                no_export,
            } => {
                let request = pb::ShareTypesRequest {
                    connection_id,
                    types,
                    allow_export: !no_export,
                    allow_import: !no_import,
                };
                client.call(client.mappings().share_types(request)).await?.items
            }
            Command::Unshare {
                connection: connection_id,
                r#type,
            } => {
                let request = pb::UnshareTypeRequest {
                    connection_id,
                    r#type,
                };
                client.call(client.mappings().unshare_type(request)).await?.items
            }
            Command::List {
                connection: connection_id,
            } => {
                let request = pb::ListMappingsRequest { connection_id };
                client.call(client.mappings().list_mappings(request)).await?.items
            }
            Command::Delete {
                connection: connection_id,
                local_type,
            } => {
                let request = pb::DeleteMappingRequest {
                    connection_id,
                    local_type,
                };
                client
                    .call(client.mappings().delete_mapping(request))
                    .await?
                    .items
            }
            Command::Create(create) => {
                let mut mappings = client.mappings();
                let answer = client.call(mappings.create_mapping(create.request())).await?;
                output::show(app.format, &Mapping::from(required(answer.mapping, "mapping")?))?;
                return Ok(DONE);
            }
        };
        list(app, items)
    }
}

fn list(app: &App<'_>, items: Vec<pb::Mapping>) -> Result<u8, Error> {
    let items: Vec<Mapping> = items.into_iter().map(Mapping::from).collect();
    let columns = [
        "local_type",
        "remote_type",
        "allow_export",
        "allow_import",
        "source",
        "actions",
        "explicit",
        "problem",
    ];
    output::list(app.format, &Page::whole(items), &columns)?;
    Ok(DONE)
}

fn pair(text: &str) -> Result<pb::PropertyPair, String> {
    match text.split_once('=') {
        Some((local, remote)) if !local.is_empty() && !remote.is_empty() => Ok(pb::PropertyPair {
            local: local.to_owned(),
            remote: remote.to_owned(),
        }),
        _ => Err("write local=remote".to_owned()),
    }
}

impl Create {
    fn request(self) -> pb::CreateMappingRequest {
        let word = |flow: Flow| flow.word().to_owned();
        pb::CreateMappingRequest {
            connection_id: self.connection,
            local_type: self.local_type,
            remote_type: self.remote_type,
            properties: self.properties,
            source: self.source.map(word).unwrap_or_default(),
            actions: self.actions.into_iter().map(word).collect(),
        }
    }
}

impl Flow {
    fn word(self) -> &'static str {
        match self {
            Flow::Export => "export",
            Flow::Import => "import",
            Flow::Off => "off",
        }
    }
}

impl From<pb::Mapping> for Mapping {
    fn from(mapping: pb::Mapping) -> Mapping {
        let pb::Mapping {
            local_type,
            remote_type,
            properties,
            allow_export,
            allow_import,
            remote_allow_export,
            remote_allow_import,
            source,
            actions,
            explicit,
            problem,
        } = mapping;
        let pair = |pb::PropertyPair { local, remote }| PropertyPair { local, remote };
        Mapping {
            local_type,
            remote_type,
            properties: properties.into_iter().map(pair).collect(),
            allow_export,
            allow_import,
            remote_allow_export,
            remote_allow_import,
            source,
            actions,
            explicit,
            problem,
        }
    }
}
