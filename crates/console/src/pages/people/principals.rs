//! Principals: who may call, and their tokens.

use maud::{Markup, html};
use peerd_core::authz::{Action, Principal, Role, Space, Token};
use peerd_core::name::Name;
use peerd_node::Error;

use crate::layout::{Page, Section};
use crate::pages::request::named;
use crate::parts::{alert, confirm, form_token, more, select_field, submit, text_field, when};
use crate::route::{Entry, get, post};
use crate::session::Shown;
use crate::visit::{Outcome, Visit, is_correctable, segment};

/// How many principals one page shows.
const ROWS: usize = 100;

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get("/console/principals", Action::PrincipalList, list),
        post("/console/principals", Action::PrincipalCreate, create),
        get(
            "/console/principals/{principal}/revoke",
            Action::PrincipalRevoke,
            ask_revoke,
        ),
        post(
            "/console/principals/{principal}/revoke",
            Action::PrincipalRevoke,
            revoke,
        ),
    ]
}

async fn list(visit: Visit) -> Outcome {
    let body = sheet(&visit, None).await?;
    visit.page(&Page::new(Section::Control, "Principals"), &body)
}

async fn sheet(visit: &Visit, error: Option<&Error>) -> Result<Markup, Error> {
    let after = visit.query.optional("after")?;
    let (people, next) = visit.node().list_principals(&visit.caller, after, ROWS).await?;
    let spaces = visit.spaces().await?;
    let roles = Role::ALL.map(|role| (role.word().to_owned(), role.word().to_owned()));
    let mut options = vec![(String::new(), "none".to_owned())];
    options.extend(spaces.iter().map(named));
    Ok(html! {
        h1 { "Principals" }
        (alert(error))
        (table(visit, &people, &spaces))
        (more("/console/principals", next.map(|id| id.to_string())))
        form.card method="post" action="/console/principals" {
            h2 { "Create a principal" }
            (form_token(visit))
            div.pair {
                (text_field(&visit.form, "name", "Name", "Lower-case letters, digits, '-', '_' and '.'"))
                (select_field(&visit.form, "role", "Role", "", &roles))
            }
            (select_field(&visit.form, "space", "Space", "Space managers, editors and viewers are for one space; the others for none.", &options))
            (submit("Create principal"))
            p.hint { "Its token is shown once, on the next page." }
        }
    })
}

fn table(visit: &Visit, people: &[Principal], spaces: &[Space]) -> Markup {
    let space = |one: &Principal| {
        let id = one.space?;
        let known = spaces.iter().find(|space| space.id == id);
        Some(known.map_or_else(|| id.to_string(), |space| space.name.to_string()))
    };
    html! {
        div.scroll tabindex="0" role="group" aria-label="Principals" {
            table {
                thead { tr { th scope="col" { "Name" } th scope="col" { "Role" } th scope="col" { "Space" } th scope="col" { "Created" } th scope="col" { "State" } th scope="col" { span.hidden { "What to do" } } } }
                tbody { @for one in people {
                    tr {
                        th scope="row" { (one.name) @if one.id == visit.caller.principal().id { " " span.none { "you" } } }
                        td { (one.role) }
                        td { @if let Some(space) = space(one) { (space) } @else { span.none { "—" } } }
                        td { (when(one.created_at)) }
                        td { @if let Some(at) = one.revoked_at { span.badge.ended { "revoked" } " " (when(at)) } @else { span.badge.healthy { "valid" } } }
                        td.buttons { @if one.revoked_at.is_none() { a.button href={ "/console/principals/" (segment(one.id)) "/revoke" } data-dialog { "Revoke" span.hidden { " " (one.name) } } } }
                    }
                } }
            }
        }
    }
}

async fn create(visit: Visit) -> Outcome {
    match created(&visit).await {
        Ok((principal, token)) => visit.show_once(Shown {
            title: format!("Token of {}", principal.name),
            text: token.expose().to_string(),
            hint: format!(
                "Whoever has this token is {} with the role {}. Hand it over by a way that you trust.",
                principal.name, principal.role
            ),
            until: None,
            next: "/console/principals".to_owned(),
            as_picture: false,
        }),
        Err(error) if is_correctable(&error) => {
            let body = sheet(&visit, Some(&error)).await?;
            visit.again(&error, &Page::new(Section::Control, "Principals"), &body)
        }
        Err(error) => Err(error),
    }
}

async fn created(visit: &Visit) -> Result<(Principal, Token), Error> {
    let name: Name = visit.form.required("name")?;
    let role: Role = visit.form.required("role")?;
    let space = Some(visit.form.text("space")).filter(|space| !space.is_empty());
    visit
        .node()
        .create_principal(&visit.caller, name, role, space)
        .await
}

async fn ask_revoke(visit: Visit) -> Outcome {
    let name = visit.param("principal");
    let body = confirm(
        &visit,
        visit.path(),
        "Revoke",
        "/console/principals",
        &html! {
            h1 { "Revoke this principal?" }
            p { "Its token opens nothing from then on, its sessions end at once, and its calls under way end. It cannot be given back; create a new principal instead." }
            p.id { (name) }
        },
    );
    visit.page(
        &Page::new(Section::Control, "Revoke").below("/console/principals", "Principals"),
        &body,
    )
}

async fn revoke(visit: Visit) -> Outcome {
    let revoked = visit
        .node()
        .revoke_principal(&visit.caller, visit.param("principal"))
        .await?;
    visit.done("/console/principals", format!("{} is revoked.", revoked.name))
}
