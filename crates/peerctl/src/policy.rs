//! `policy`: what may come in and go out.

mod view;

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use peerd_core::reason::Code;
use peerd_wire::admin::v1 as pb;
use peerd_wire::admin::v1::propose_policy_request::Rule;
use peerd_wire::status;

use crate::cli::{App, DONE};
use crate::error::Error;
use crate::field::required;
use crate::output::{self, Page};
use crate::{client, duration};
use view::{Check, Policy};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What may go out
    #[command(subcommand)]
    Egress(Egress),
    /// What may come in
    #[command(subcommand)]
    Ingress(Ingress),
    /// Lists policies, oldest first
    List {
        /// Only this direction
        #[arg(long, value_enum)]
        direction: Option<Direction>,
    },
    /// Shows one policy
    Show(Id),
    /// Makes a pending policy active
    Approve(Id),
    /// Suspends an active policy
    Pause(Id),
    /// Makes a paused policy active again
    Resume(Id),
    /// Ends a policy for good
    Revoke(Id),
    /// Tells what the policies would decide; exit code 0 when allowed, 4 when not
    Check(CheckArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Egress {
    /// Proposes that something may go out
    Propose {
        /// Host, IP address or CIDR
        #[arg(long, value_name = "HOST|IP|CIDR")]
        destination: String,
        /// One port, or a range
        #[arg(long, value_name = "P[-Q]")]
        port: String,
        #[command(flatten)]
        proposal: Proposal,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Ingress {
    /// Proposes that something may come in
    Propose {
        /// Networks or addresses it may come from
        #[arg(long = "source", value_name = "CIDR", required = true, num_args = 1..)]
        sources: Vec<String>,
        #[command(flatten)]
        proposal: Proposal,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Proposal {
    /// Id of a remote enrollment, or `any`; may be given several times
    #[arg(long = "enrollment", value_name = "ID|any", default_value = "any")]
    enrollments: Vec<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    justification: String,
    /// When it shall end, from now; without it, never
    #[arg(long, value_parser = duration::parse, value_name = "DURATION")]
    expires: Option<Duration>,
    /// Approve it in the same step, where the caller may
    #[arg(long)]
    approve: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Id {
    /// The policy's id
    id: String,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Which way
    #[arg(long, value_enum)]
    direction: Direction,
    /// The remote enrollment's id
    #[arg(long, value_name = "ID")]
    enrollment: String,
    /// The address to dial, or the one that dials; without it, only whether data may flow
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
    /// Which data
    #[arg(long, value_enum)]
    data: Option<DataKind>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Direction {
    /// Out of this enrollment
    Egress,
    /// Into this enrollment
    Ingress,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum DataKind {
    /// Objects and links
    Objects,
    /// Artifacts
    Artifacts,
}

impl Command {
    pub(crate) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        let client = &app.client;
        let policy = match self {
            Command::List { direction } => return list(app, direction).await,
            Command::Check(question) => return check(app, question).await,
            Command::Egress(propose) => app.propose(propose.request()).await?,
            Command::Ingress(propose) => app.propose(propose.request()).await?,
            Command::Show(Id { id: policy_id }) => {
                let request = pb::GetPolicyRequest { policy_id };
                client.call(client.policies().get_policy(request)).await?.policy
            }
            Command::Approve(Id { id: policy_id }) => {
                let request = pb::ApprovePolicyRequest { policy_id };
                client
                    .call(client.policies().approve_policy(request))
                    .await?
                    .policy
            }
            Command::Pause(Id { id: policy_id }) => {
                let request = pb::PausePolicyRequest { policy_id };
                client.call(client.policies().pause_policy(request)).await?.policy
            }
            Command::Resume(Id { id: policy_id }) => {
                let request = pb::ResumePolicyRequest { policy_id };
                client
                    .call(client.policies().resume_policy(request))
                    .await?
                    .policy
            }
            Command::Revoke(Id { id: policy_id }) => {
                let request = pb::RevokePolicyRequest { policy_id };
                client
                    .call(client.policies().revoke_policy(request))
                    .await?
                    .policy
            }
        };
        output::show(app.format, &Policy::from(required(policy, "policy")?))?;
        Ok(DONE)
    }
}

impl App<'_> {
    async fn propose(&self, request: pb::ProposePolicyRequest) -> Result<Option<pb::Policy>, Error> {
        let mut policies = self.client.policies();
        Ok(self.client.call(policies.propose_policy(request)).await?.policy)
    }
}

async fn list(app: &App<'_>, direction: Option<Direction>) -> Result<u8, Error> {
    let client = &app.client;
    let direction = direction.map_or(0, |direction| direction.message().into());
    let items = client::all(|page_size, page_token| async move {
        let request = pb::ListPoliciesRequest {
            direction,
            page_size,
            page_token,
        };
        let page = client.call(client.policies().list_policies(request)).await?;
        Ok((page.items, page.next_page_token))
    });
    let items: Vec<Policy> = items.await?.into_iter().map(Policy::from).collect();
    let columns = [
        "policy_id",
        "direction",
        "destination",
        "ports",
        "sources",
        "enrollments",
        "state",
        "justification",
        "expires_at",
    ];
    output::list(app.format, &Page::whole(items), &columns)?;
    Ok(DONE)
}

/// A denial is an answer: it goes to stdout, and the exit code tells it to scripts.
async fn check(app: &App<'_>, question: CheckArgs) -> Result<u8, Error> {
    let request = pb::CheckPolicyRequest {
        direction: question.direction.message().into(),
        enrollment_id: question.enrollment,
        address: question.address.unwrap_or_default(),
        data: question.data.map_or(0, |data| data.message().into()),
    };
    let mut policies = app.client.policies();
    let answer = Check::from(app.client.call(policies.check_policy(request)).await?);
    output::show(app.format, &answer)?;
    Ok(if answer.allowed {
        DONE
    } else {
        status::exit(Code::Denied)
    })
}

impl Egress {
    fn request(self) -> pb::ProposePolicyRequest {
        let Egress::Propose {
            destination,
            port,
            proposal,
        } = self;
        proposal.request(|enrollments| {
            Rule::Egress(pb::EgressRule {
                destination,
                ports: port,
                enrollments,
            })
        })
    }
}

impl Ingress {
    fn request(self) -> pb::ProposePolicyRequest {
        let Ingress::Propose { sources, proposal } = self;
        proposal.request(|enrollments| Rule::Ingress(pb::IngressRule { sources, enrollments }))
    }
}

impl Proposal {
    fn request(self, rule: impl FnOnce(Vec<String>) -> Rule) -> pb::ProposePolicyRequest {
        pb::ProposePolicyRequest {
            rule: Some(rule(self.enrollments)),
            justification: self.justification,
            expires_in: self.expires.map(duration::message),
            approve: self.approve,
        }
    }
}

impl Direction {
    fn message(self) -> pb::PolicyDirection {
        match self {
            Direction::Egress => pb::PolicyDirection::Egress,
            Direction::Ingress => pb::PolicyDirection::Ingress,
        }
    }
}

impl DataKind {
    fn message(self) -> pb::DataKind {
        match self {
            DataKind::Objects => pb::DataKind::Objects,
            DataKind::Artifacts => pb::DataKind::Artifacts,
        }
    }
}
