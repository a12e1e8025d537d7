//! Link codes: making one, entering one.

use maud::{Markup, html};
use peerd_core::Fingerprint;
use peerd_core::authz::Action;
use peerd_core::code::{LinkCode, Problem};
use peerd_core::link::Direction;
use peerd_core::name::Name;
use peerd_node::Error;

use crate::fields::Fields;
use crate::layout::{Page, Section};
use crate::parts::{
    alert, facts, form_token, hours_field, id, remedy, select_field, submit, text_area, text_field, when,
};
use crate::route::{Entry, get, post};
use crate::session::Shown;
use crate::visit::{Outcome, Visit, is_correctable};

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get("/console/link-code", Action::LinkInvite, form),
        post("/console/link-code", Action::LinkInvite, make),
        get("/console/link-code/enter", Action::LinkInspect, enter),
        post("/console/link-code/enter", Action::LinkInspect, inspect),
        post("/console/link-code/accept", Action::LinkAccept, accept),
    ]
}

fn page(title: &str) -> Page<'_> {
    Page::new(Section::Network, title).below("/console/network", "Network connections")
}

async fn form(visit: Visit) -> Outcome {
    let directions = [
        ("bidirectional", "Either side"),
        ("egress-only", "This side alone"),
        ("ingress-only", "The other side alone"),
    ]
    .map(|(value, title)| (value.to_owned(), title.to_owned()));
    let default = Fields::read(b"hours=72");
    let body = html! {
        h1 { "Make a link code" }
        form.card method="post" action="/console/link-code" {
            (form_token(&visit))
            (select_field(&default, "direction", "Who may dial", "It says nothing about which way data flows.", &directions))
            (hours_field(&default, "hours", "The code is valid for", None))
            (submit("Make code"))
        }
    };
    visit.page(&page("Make a link code"), &body)
}

async fn make(visit: Visit) -> Outcome {
    let direction: Direction = visit.form.required("direction")?;
    let lifetime = visit.form.hours("hours")?;
    let invited = visit
        .node()
        .invite_link(&visit.caller, direction, lifetime)
        .await?;
    visit.show_once(Shown {
        title: "Link code".to_owned(),
        text: invited.code,
        hint: "Give this code to an operator of the other side, by a way that you trust: who enters it first is \
               the other side of this link."
            .to_owned(),
        until: Some(invited.expires_at),
        next: format!("/console/network/{}", invited.id),
        as_picture: true,
    })
}

async fn enter(visit: Visit) -> Outcome {
    visit.page(&page("Enter link code"), &sheet(&visit, None))
}

fn sheet(visit: &Visit, error: Option<&Error>) -> Markup {
    html! {
        h1 { "Enter link code" }
        (alert(error))
        form.card method="post" action="/console/link-code/enter" {
            (form_token(visit))
            (text_area(&visit.form, "code", "Link code", "The other side is not contacted until you accept.", 6))
            (submit("Inspect"))
        }
    }
}

/// Nothing is changed by looking, so the page comes as the answer to its form.
async fn inspect(visit: Visit) -> Outcome {
    match details(&visit, None).await {
        Ok(body) => visit.page(&page("Link details"), &body),
        Err(error) if is_correctable(&error) => {
            let body = sheet(&visit, Some(&error));
            visit.again(&error, &page("Enter link code"), &body)
        }
        Err(error) => Err(error),
    }
}

async fn details(visit: &Visit, error: Option<&Error>) -> Result<Markup, Error> {
    let text = visit.form.text("code").trim();
    let (code, problems) = visit.node().inspect_link_code(&visit.caller, text).await?;
    Ok(html! {
        h1 { "Link details" }
        (alert(error))
        div.narrow { section.card aria-labelledby="says" {
            h2 #says { @if let Some(title) = &code.title { (title) } @else { "An enrollment without a title" } }
            (facts(vec![
                ("Enrollment", id(code.enrollment())),
                ("Fingerprint", html! { code.whole { (Fingerprint::of(&code.certificate)) } }),
                ("Addresses", html! { @for address in &code.addresses { span.address { (address) } " " } }),
                ("Who may dial, seen from there", html! { (code.direction) }),
                ("Made", when(code.issued_at)),
                ("Expires", when(code.expires_at)),
            ]))
            p.hint { "Compare the fingerprint with the one the other side reads to you." }
        } }
        @if !problems.is_empty() {
            section.card aria-labelledby="check" { h2 #check { "What stands against it" } (list(&code, &problems)) }
        }
        @if visit.may(Action::LinkAccept) {
            form.card method="post" action="/console/link-code/accept" {
                h2 { "Accept" }
                (form_token(visit))
                input type="hidden" name="code" value=(text);
                (text_field(&visit.form, "name", "Name here", "Lower-case letters, digits, '-', '_' and '.'"))
                (submit("Accept link"))
            }
        }
    })
}

fn list(code: &LinkCode, problems: &[Problem]) -> Markup {
    html! {
        ul.problems { @for problem in problems {
            li {
                span.told { (problem.message) } " " code { (problem.reason.word()) }
                @if let Some((path, label)) = remedy(problem.reason, Some(code.enrollment()), &code.addresses) { " " a.button href=(path) { (label) } }
            }
        } }
    }
}

async fn accept(visit: Visit) -> Outcome {
    match accepted(&visit).await {
        Ok((to, notice)) => visit.done(&to, notice),
        Err(error) if is_correctable(&error) => {
            let body = match details(&visit, Some(&error)).await {
                Ok(body) => body,
                Err(error) => sheet(&visit, Some(&error)),
            };
            visit.again(&error, &page("Link details"), &body)
        }
        Err(error) => Err(error),
    }
}

async fn accepted(visit: &Visit) -> Result<(String, &'static str), Error> {
    let name: Name = visit.form.required("name")?;
    let code = visit.form.reference("code")?;
    let accepted = visit.node().accept_link(&visit.caller, code, &name).await?;
    let notice = if accepted.needs_own_code {
        "Accepted. This side may not dial: make a link code too and let the other side enter it."
    } else {
        "Accepted. The other side is contacted now."
    };
    Ok((format!("/console/network/{}", accepted.link.link.id), notice))
}
