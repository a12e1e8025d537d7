//! `connection`: peer connections between a space here and a space there.

mod change;
mod invite;
mod stage;
mod verify;
mod view;
mod wait;
mod watch;

use clap::{Args, Subcommand, ValueEnum};
use peerd_wire::peering::v1 as pb;

use crate::cli::{App, DONE};
use crate::client;
use crate::code::Code;
use crate::error::Error;
use crate::field::required;
use crate::output::{self, Page};
use crate::security::SecurityArgs;
use stage::Stage;
use view::Connection;

/// The columns of a list of connections, and of a line of `watch`.
const COLUMNS: [&str; 8] = [
    "connection_id",
    "stage",
    "role",
    "local_space",
    "remote_space",
    "remote_title",
    "health.status",
    "health.reason",
];

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes a peer request and its invite code
    Request(invite::Request),
    /// Makes a new invite code for a request that nobody has approved yet; the earlier one is void
    Reissue(invite::Reissue),
    /// Shows what an invite code says and what stands against approving it; contacts nobody
    Inspect {
        /// The code, `-` for stdin, or `@FILE`
        code: Code,
    },
    /// Approves a peer request for a space of this enrollment
    Approve(invite::Approve),
    /// Rejects a peer request; the reason reaches the originator
    Reject {
        /// The code, `-` for stdin, or `@FILE`
        code: Code,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Withdraws a request that is not active yet
    Revoke(Id),
    /// Starts an approved connection
    Activate(Id),
    /// Lists connections, oldest first
    List,
    /// Shows one connection
    Show(Id),
    /// Waits for a stage, or until nothing is left to send; exit code 7 when --timeout passes first
    Wait(WaitArgs),
    /// Prints connections each time something about them changes; with -o json a document a line
    Watch {
        /// Only this one
        id: Option<String>,
    },
    /// Stops all data both ways and keeps the cursors
    Disable(Id),
    /// Lifts this side's stop
    Enable(Id),
    /// Changes which data flows
    Set(change::SetArgs),
    /// Ends a connection
    Close(CloseArgs),
    /// Compares what both sides have of every type that flows; exit code 5 when something differs
    Verify(Id),
    /// Proposes a change of security
    ProposeSecurity {
        /// The connection's id
        id: String,
        #[command(flatten)]
        security: SecurityArgs,
    },
    /// Lists change requests that wait for this side or for the other
    ChangeRequests,
    /// Approves the other side's change request
    ApproveSecurity {
        /// The change request's id
        id: String,
    },
    /// Rejects the other side's change request; the reason reaches it
    RejectSecurity {
        /// The change request's id
        id: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Id {
    /// The connection's id
    id: String,
}

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct WaitArgs {
    /// The connection's id
    id: String,
    /// The stage to wait for; `requested` and `approved` count as reached once the connection is past them
    #[arg(
        long,
        value_enum,
        required_unless_present = "in_sync",
        conflicts_with = "in_sync"
    )]
    stage: Option<Stage>,
    /// Wait until every feed is in sync, and there is one
    #[arg(long)]
    in_sync: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CloseArgs {
    /// The connection's id
    id: String,
    /// What becomes of the data this side imported [default: keep]
    #[arg(long, value_enum)]
    imported: Option<Imported>,
    /// Close even though the other side cannot be told
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Imported {
    /// It stays
    Keep,
    /// It is removed
    Purge,
}

impl Command {
    pub(crate) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        match self {
            Command::Request(request) => request.run(app).await,
            Command::Reissue(reissue) => reissue.run(app).await,
            Command::Inspect { code } => invite::inspect(app, code).await,
            Command::Approve(approve) => approve.run(app).await,
            Command::Reject { code, reason } => invite::reject(app, code, reason).await,
            Command::List => list(app).await,
            Command::Wait(goal) => wait::run(app, goal).await,
            Command::Watch { id } => watch::run(app, id).await,
            Command::Set(set) => change::set(app, set).await,
            Command::Close(close) => app.shown(app.close(close).await?),
            Command::Revoke(Id { id }) => app.shown(app.revoke(id).await?),
            Command::Activate(Id { id }) => app.shown(app.activate(id).await?),
            Command::Show(Id { id }) => app.shown(app.connection(id).await?),
            Command::Disable(Id { id }) => app.shown(app.disable(id).await?),
            Command::Enable(Id { id }) => app.shown(app.enable(id).await?),
            Command::Verify(Id { id }) => verify::run(app, id).await,
            Command::ProposeSecurity { id, security } => change::propose(app, id, security).await,
            Command::ChangeRequests => change::list(app).await,
            Command::ApproveSecurity { id } => change::approve(app, id).await,
            Command::RejectSecurity { id, reason } => change::reject(app, id, reason).await,
        }
    }
}

/// The calls that name a connection and answer with it.
impl App<'_> {
    fn shown(&self, connection: Option<pb::Connection>) -> Result<u8, Error> {
        let connection = Connection::from(required(connection, "connection")?);
        output::show(self.format, &connection)?;
        Ok(DONE)
    }

    async fn connection(&self, connection_id: String) -> Result<Option<pb::Connection>, Error> {
        let request = pb::GetConnectionRequest { connection_id };
        let mut service = self.client.connections();
        Ok(self
            .client
            .call(service.get_connection(request))
            .await?
            .connection)
    }

    async fn revoke(&self, connection_id: String) -> Result<Option<pb::Connection>, Error> {
        let request = pb::RevokeConnectionRequest { connection_id };
        let mut service = self.client.connections();
        Ok(self
            .client
            .call(service.revoke_connection(request))
            .await?
            .connection)
    }

    async fn activate(&self, connection_id: String) -> Result<Option<pb::Connection>, Error> {
        let request = pb::ActivateConnectionRequest { connection_id };
        let mut service = self.client.connections();
        Ok(self
            .client
            .call(service.activate_connection(request))
            .await?
            .connection)
    }

    async fn disable(&self, connection_id: String) -> Result<Option<pb::Connection>, Error> {
        let request = pb::DisableConnectionRequest { connection_id };
        let mut service = self.client.connections();
        Ok(self
            .client
            .call(service.disable_connection(request))
            .await?
            .connection)
    }

    async fn enable(&self, connection_id: String) -> Result<Option<pb::Connection>, Error> {
        let request = pb::EnableConnectionRequest { connection_id };
        let mut service = self.client.connections();
        Ok(self
            .client
            .call(service.enable_connection(request))
            .await?
            .connection)
    }

    async fn close(&self, close: CloseArgs) -> Result<Option<pb::Connection>, Error> {
        let request = pb::CloseConnectionRequest {
            connection_id: close.id,
            imported: close.imported.map_or(0, |imported| imported.message().into()),
            force: close.force,
        };
        let mut service = self.client.connections();
        Ok(self
            .client
            .call(service.close_connection(request))
            .await?
            .connection)
    }
}

async fn list(app: &App<'_>) -> Result<u8, Error> {
    let client = &app.client;
    let items = client::all(|page_size, page_token| async move {
        let request = pb::ListConnectionsRequest {
            page_size,
            page_token,
        };
        let page = client
            .call(client.connections().list_connections(request))
            .await?;
        Ok((page.items, page.next_page_token))
    });
    let items: Vec<Connection> = items.await?.into_iter().map(Connection::from).collect();
    output::list(app.format, &Page::whole(items), &COLUMNS)?;
    Ok(DONE)
}

impl Imported {
    fn message(self) -> pb::ImportedData {
        match self {
            Imported::Keep => pb::ImportedData::Keep,
            Imported::Purge => pb::ImportedData::Purge,
        }
    }
}
