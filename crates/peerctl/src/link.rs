//! `link`: links to other enrollments.

mod relay;
mod view;

use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use peerd_wire::peering::v1 as pb;
use serde_json::json;

use crate::cli::{App, DONE};
use crate::code::Code;
use crate::error::Error;
use crate::field::required;
use crate::output::{self, Format, Page};
use crate::{client, duration};
pub(crate) use view::Problem;
use view::{Accepted, Invited, Knock, Link, LinkCode};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes a one-time link code
    Invite {
        /// Who may dial, seen from this side [default: bidirectional]
        #[arg(long, value_enum)]
        direction: Option<Direction>,
        /// How long the code is valid [default: 72h]
        #[arg(long, value_parser = duration::parse, value_name = "DURATION")]
        expires: Option<Duration>,
        /// Draw the code as a QR code, too
        #[arg(long)]
        qr: bool,
    },
    /// Shows what a link code says and what stands against using it; contacts nobody
    Inspect {
        /// The code, `-` for stdin, or `@FILE`
        code: Code,
    },
    /// Enters another enrollment's link code
    Accept {
        /// The code, `-` for stdin, or `@FILE`
        code: Code,
        /// What the link shall be called here
        #[arg(long)]
        name: String,
    },
    /// Makes a link over files that something else carries
    AddRelay(relay::AddRelay),
    /// Lists links, oldest first
    List,
    /// Shows one link
    Show {
        /// Name or id
        link: String,
    },
    /// Dials the link now, instead of waiting for the next attempt
    Dial {
        /// Name or id
        link: String,
    },
    /// Removes a link: its pinned identity is forgotten, its codes are revoked
    Remove {
        /// Name or id
        link: String,
    },
    /// Lists refused attempts to reach this enrollment, latest first
    Knocks,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Direction {
    /// Either side dials
    Bidirectional,
    /// Only this side dials
    EgressOnly,
    /// Only the other side dials
    IngressOnly,
}

impl Command {
    pub(crate) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        let client = &app.client;
        match self {
            Command::Invite {
                direction,
                expires,
                qr,
            } => return invite(app, direction, expires, qr).await,
            Command::AddRelay(ask) => return ask.run(app).await,
            Command::List => return list(app).await,
            Command::Knocks => return knocks(app).await,
            Command::Inspect { code } => {
                let request = pb::InspectLinkCodeRequest { code: code.read()? };
                let answer = client.call(client.links().inspect_link_code(request)).await?;
                output::show(app.format, &LinkCode::from(answer))?;
            }
            Command::Accept { code, name } => {
                let code = code.read()?;
                let request = pb::AcceptLinkRequest { code, name };
                let answer = client.call(client.links().accept_link(request)).await?;
                output::show(app.format, &Accepted::try_from(answer)?)?;
            }
            Command::Show { link } => {
                let request = pb::GetLinkRequest { link };
                let answer = client.call(client.links().get_link(request)).await?;
                output::show(app.format, &Link::from(required(answer.link, "link")?))?;
            }
            Command::Dial { link } => {
                let request = pb::DialLinkRequest { link };
                let answer = client.call(client.links().dial_link(request)).await?;
                output::show(app.format, &Link::from(required(answer.link, "link")?))?;
            }
            Command::Remove { link } => {
                let request = pb::RemoveLinkRequest { link: link.clone() };
                client.call(client.links().remove_link(request)).await?;
                output::show(app.format, &json!({"link": link, "removed": true}))?;
            }
        }
        Ok(DONE)
    }
}

async fn invite(
    app: &App<'_>,
    direction: Option<Direction>,
    expires: Option<Duration>,
    qr: bool,
) -> Result<u8, Error> {
    let request = pb::InviteLinkRequest {
        direction: direction.map_or(0, |direction| direction.message().into()),
        expires_in: expires.map(duration::message),
    };
    let answer = app.client.call(app.client.links().invite_link(request)).await?;
    let code = qr.then(|| answer.code.clone());
    output::show(app.format, &Invited::from(answer))?;
    match code {
        // A JSON document stands alone.
        Some(code) if app.format == Format::Table => draw(&code)?,
        _ => {}
    }
    Ok(DONE)
}

fn draw(code: &str) -> Result<(), Error> {
    use qrcode::render::unicode::Dense1x2;
    let Ok(drawn) = qrcode::QrCode::with_error_correction_level(code, qrcode::EcLevel::L) else {
        eprintln!("warning: the code is too long for a QR code");
        return Ok(());
    };
    let picture = drawn.render::<Dense1x2>().quiet_zone(true).build();
    output::print(&format!("\n{picture}\n"))
}

async fn list(app: &App<'_>) -> Result<u8, Error> {
    let client = &app.client;
    let items = client::all(|page_size, page_token| async move {
        let request = pb::ListLinksRequest {
            page_size,
            page_token,
        };
        let page = client.call(client.links().list_links(request)).await?;
        Ok((page.items, page.next_page_token))
    });
    let items: Vec<Link> = items.await?.into_iter().map(Link::from).collect();
    let columns = [
        "link_id",
        "name",
        "kind",
        "direction",
        "remote_title",
        "status",
        "reason",
        "last_seen_at",
    ];
    output::list(app.format, &Page::whole(items), &columns)?;
    Ok(DONE)
}

async fn knocks(app: &App<'_>) -> Result<u8, Error> {
    let client = &app.client;
    let items = client::all(|page_size, page_token| async move {
        let request = pb::ListKnocksRequest {
            page_size,
            page_token,
        };
        let page = client.call(client.links().list_knocks(request)).await?;
        Ok((page.items, page.next_page_token))
    });
    let items: Vec<Knock> = items.await?.into_iter().map(Knock::from).collect();
    let columns = [
        "knock_id",
        "enrollment_id",
        "claimed_title",
        "address",
        "count",
        "reason",
        "missing",
        "last_at",
    ];
    output::list(app.format, &Page::whole(items), &columns)?;
    Ok(DONE)
}

impl Direction {
    fn message(self) -> pb::Direction {
        match self {
            Direction::Bidirectional => pb::Direction::Bidirectional,
            Direction::EgressOnly => pb::Direction::EgressOnly,
            Direction::IngressOnly => pb::Direction::IngressOnly,
        }
    }
}
