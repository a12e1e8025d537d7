//! `principal`: who may call.

use clap::{Subcommand, ValueEnum};
use peerd_wire::admin::v1 as pb;
use serde::Serialize;

use crate::cli::{App, DONE};
use crate::client;
use crate::error::Error;
use crate::field::{required, time, word};
use crate::output::{self, Page};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes a principal and prints its token, this once
    Create {
        /// Its name
        name: String,
        /// What it may do
        #[arg(long, value_enum)]
        role: Role,
        /// The space, for the roles of one space
        #[arg(long)]
        space: Option<String>,
    },
    /// Lists principals by age
    List,
    /// Ends a principal: its token is refused from now on
    Revoke {
        /// Name or id
        #[arg(value_name = "PRINCIPAL")]
        name: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Role {
    /// Everything in this enrollment
    EnrollmentAdmin,
    /// Policies, links, markings, the audit log
    SecurityOfficer,
    /// One space: its ontology, its data, its connections
    SpaceManager,
    /// Reads and edits objects of one space
    Editor,
    /// Reads objects of one space
    Viewer,
}

/// A principal.
#[derive(Debug, Serialize)]
struct Principal {
    principal_id: String,
    name: String,
    role: String,
    space_id: Option<String>,
    created_at: Option<String>,
    revoked_at: Option<String>,
}

/// A principal and the token that is shown this once.
#[derive(Serialize)]
struct Created {
    #[serde(flatten)]
    principal: Principal,
    token: String,
}

impl Command {
    pub(crate) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        let client = &app.client;
        match self {
            Command::Create { name, role, space } => {
                let request = pb::CreatePrincipalRequest {
                    name,
                    role: role.message().into(),
                    space: space.unwrap_or_default(),
                };
                let answer = client.call(client.principals().create_principal(request)).await?;
                let principal = required(answer.principal, "principal")?.into();
                let token = answer.token;
                output::show(app.format, &Created { principal, token })?;
            }
            Command::List => {
                let items = client::all(|page_size, page_token| async move {
                    let request = pb::ListPrincipalsRequest {
                        page_size,
                        page_token,
                    };
                    let page = client.call(client.principals().list_principals(request)).await?;
                    Ok((page.items, page.next_page_token))
                });
                let items: Vec<Principal> = items.await?.into_iter().map(Principal::from).collect();
                let columns = [
                    "principal_id",
                    "name",
                    "role",
                    "space_id",
                    "created_at",
                    "revoked_at",
                ];
                output::list(app.format, &Page::whole(items), &columns)?;
            }
            Command::Revoke { name } => {
                let request = pb::RevokePrincipalRequest { principal: name };
                let answer = client.call(client.principals().revoke_principal(request)).await?;
                output::show(
                    app.format,
                    &Principal::from(required(answer.principal, "principal")?),
                )?;
            }
        }
        Ok(DONE)
    }
}

impl Role {
    fn message(self) -> pb::Role {
        match self {
            Role::EnrollmentAdmin => pb::Role::EnrollmentAdmin,
            Role::SecurityOfficer => pb::Role::SecurityOfficer,
            Role::SpaceManager => pb::Role::SpaceManager,
            Role::Editor => pb::Role::Editor,
            Role::Viewer => pb::Role::Viewer,
        }
    }
}

impl From<pb::Principal> for Principal {
    fn from(principal: pb::Principal) -> Principal {
        let pb::Principal {
            principal_id,
            name,
            role,
            space_id,
            created_at,
            revoked_at,
        } = principal;
        Principal {
            principal_id,
            name,
            role: word(role, pb::Role::as_str_name, "ROLE_"),
            space_id: crate::field::optional(space_id),
            created_at: time(created_at),
            revoked_at: time(revoked_at),
        }
    }
}
