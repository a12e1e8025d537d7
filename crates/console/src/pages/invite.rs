//! Entering an invite code: what it asks for, what stands against it, and the answer.

use maud::{Markup, html};
use peerd_core::authz::{Action, Space};
use peerd_core::code::{InviteCode, Problem};
use peerd_core::peering::Remark;
use peerd_core::security::Levels;
use peerd_node::Error;
use peerd_node::connection::Inspection;

use super::request::named;
use crate::layout::{Page, Section};
use crate::parts::{
    alert, data_types, empty, facts, form_token, id, known_security, remedy, security, security_fields,
    select_field, submit, text_area, text_field, when,
};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit, is_correctable};

pub(crate) fn routes() -> Vec<Entry> {
    vec![
        get("/console/invite", Action::ConnectionInspect, form),
        post("/console/invite", Action::ConnectionInspect, inspect),
        post("/console/invite/approve", Action::ConnectionApprove, approve),
        post("/console/invite/reject", Action::ConnectionReject, reject),
    ]
}

fn page() -> Page<'static> {
    Page::new(Section::Connections, "Importing peer request").below("/console/", "Connections")
}

async fn form(visit: Visit) -> Outcome {
    visit.page(&page(), &sheet(&visit, None))
}

fn sheet(visit: &Visit, error: Option<&Error>) -> Markup {
    html! {
        h1 { "Enter invite code" }
        (alert(error))
        form.card method="post" action="/console/invite" {
            (form_token(visit))
            (text_area(&visit.form, "code", "Invite code", "The other side is not contacted until you answer.", 6))
            (submit("Inspect"))
        }
    }
}

/// Nothing is changed by looking, so the page comes as the answer to its form; the code never stands in an address.
async fn inspect(visit: Visit) -> Outcome {
    match details(&visit, None).await {
        Ok(body) => visit.page(&page(), &body),
        Err(error) if is_correctable(&error) => {
            let body = sheet(&visit, Some(&error));
            visit.again(&error, &page(), &body)
        }
        Err(error) => Err(error),
    }
}

async fn approve(visit: Visit) -> Outcome {
    match approved(&visit).await {
        Ok(to) => visit.done(
            &to,
            "Approved. The connection starts when the other side activates it.",
        ),
        Err(error) => refused(&visit, error).await,
    }
}

async fn approved(visit: &Visit) -> Result<String, Error> {
    let form = &visit.form;
    let (code, space) = (form.reference("code")?, form.reference("space")?);
    let security = Some(form.security()?);
    let view = visit
        .node()
        .approve_connection(&visit.caller, code, space, security)
        .await?;
    Ok(format!("/console/connections/{}", view.connection.id))
}

async fn reject(visit: Visit) -> Outcome {
    match rejected(&visit).await {
        Ok(()) => visit.done("/console/", "Rejected. The other side is told the reason."),
        Err(error) => refused(&visit, error).await,
    }
}

async fn rejected(visit: &Visit) -> Result<(), Error> {
    let reason: Remark = visit.form.required("reason")?;
    let code = visit.form.reference("code")?;
    let rejected = visit.node().reject_connection(&visit.caller, code, &reason).await;
    rejected.map(drop)
}

async fn refused(visit: &Visit, error: Error) -> Outcome {
    if !is_correctable(&error) {
        return Err(error);
    }
    let body = match details(visit, Some(&error)).await {
        Ok(body) => body,
        Err(error) => sheet(visit, Some(&error)),
    };
    visit.again(&error, &page(), &body)
}

/// The panel of connection details.
async fn details(visit: &Visit, error: Option<&Error>) -> Result<Markup, Error> {
    let text = visit.form.text("code").trim();
    let inspection = visit.node().inspect_invite(&visit.caller, text).await?;
    let (levels, _) = known_security(visit).await?;
    let spaces = visit.spaces().await?;
    let spaces: Vec<&Space> = spaces
        .iter()
        .filter(|space| visit.may_in(Action::ConnectionApprove, Some(space.id), &spaces))
        .collect();
    let remedies = remedies(visit, &inspection).await?;
    let code = &inspection.code;
    let usable = inspection.problems.is_empty();
    Ok(html! {
        h1 { "Connection details" }
        (alert(error))
        div.narrow {
        section.card aria-labelledby="asks" {
            h2 #asks { strong { (code.title) } " asks for a connection" }
            (asked(visit, &inspection))
        }
        section.card aria-labelledby="check" {
            h2 #check { "Dry run" }
            @if usable {
                p.ok { "Nothing stands against approving it now: there is a link, and the policies here allow what is asked." }
            } @else {
                (problems(&remedies))
                form.inline method="post" action="/console/invite" {
                    (form_token(visit))
                    input type="hidden" name="code" value=(text);
                    button type="submit" { "Check again" }
                }
            }
        }
        @if usable && !spaces.is_empty() { (answer(visit, text, code, &spaces, &levels)?) }
        @if usable && spaces.is_empty() {
            (empty("There is no space here that you manage.", &html! { "A manager of a space can approve the request for it." }))
        }
        @if visit.may(Action::ConnectionReject) && !is_ours(visit, code) { (turn_down(visit, text)) }
        }
    })
}

fn is_ours(visit: &Visit, code: &InviteCode) -> bool {
    code.originator == visit.enrollment.id
}

fn asked(visit: &Visit, inspection: &Inspection) -> Markup {
    let code = &inspection.code;
    facts(vec![
        ("Who", html! { (code.title) " " (id(code.originator)) }),
        (
            "Fingerprint",
            if let Some(fingerprint) = &inspection.fingerprint {
                html! { code.whole { (fingerprint) } }
            } else {
                html! { span.none { "unknown: there is no complete link to them" } }
            },
        ),
        ("Their space", html! { (code.space) }),
        ("They send to here", html! { (data_types(code.flow.exports)) }),
        ("They take from here", html! { (data_types(code.flow.imports)) }),
        ("Security", security(visit, &code.security)),
        ("Made", when(code.issued_at)),
        ("Expires", when(code.expires_at)),
    ])
}

type WithRemedy<'a> = (&'a Problem, Option<(String, &'static str)>);

async fn remedies<'a>(visit: &Visit, inspection: &'a Inspection) -> Result<Vec<WithRemedy<'a>>, Error> {
    let originator = inspection.code.originator;
    let (links, _) = visit.node().list_links(&visit.caller, None, 1_000).await?;
    let link = links
        .iter()
        .find(|view| view.link.enrollment() == Some(originator));
    let addresses = |reason| {
        let addresses = link.into_iter().flat_map(|view| view.link.addresses.iter());
        remedy(reason, Some(originator), addresses)
    };
    Ok(inspection
        .problems
        .iter()
        .map(|problem| (problem, addresses(problem.reason)))
        .collect())
}

fn problems(problems: &[WithRemedy<'_>]) -> Markup {
    html! {
        ul.problems {
            @for (problem, remedy) in problems {
                li {
                    span.told { (problem.message) }
                    " " code { (problem.reason.word()) }
                    @if let Some((path, label)) = remedy { " " a.button href=(path) { (label) } }
                }
            }
        }
    }
}

fn answer(
    visit: &Visit,
    text: &str,
    code: &InviteCode,
    spaces: &[&Space],
    levels: &Levels,
) -> Result<Markup, Error> {
    let options: Vec<_> = spaces.iter().map(|space| named(space)).collect();
    // Security can only be narrowed here: nothing above what was asked is offered.
    let asked = &code.security;
    let within: Vec<_> = levels
        .as_slice()
        .iter()
        .filter(|level| levels.within(Some(level), asked.classification.as_ref()))
        .cloned()
        .collect();
    let markings: Vec<_> = asked.markings.iter().cloned().collect();
    let chosen = if visit.form.text("space").is_empty() {
        asked.clone()
    } else {
        visit.form.security()?
    };
    Ok(html! {
        form.card method="post" action="/console/invite/approve" {
            h2 { "Approve" }
            (form_token(visit))
            input type="hidden" name="code" value=(text);
            (select_field(&visit.form, "space", "Space here", "The space that their space is joined to", &options))
            (security_fields(&within, &markings, &chosen))
            p.hint { "You may narrow what was asked, not widen it." }
            (submit("Approve request"))
        }
    })
}

fn turn_down(visit: &Visit, text: &str) -> Markup {
    html! {
        form.card method="post" action="/console/invite/reject" {
            h2 { "Reject" }
            (form_token(visit))
            input type="hidden" name="code" value=(text);
            (text_field(&visit.form, "reason", "Reason", "The other side reads it."))
            p.actions { button.danger type="submit" { "Reject request" } }
        }
    }
}
