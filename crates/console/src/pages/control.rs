//! The enrollment itself: its title, identity and certificate.

use maud::{Markup, html};
use peerd_core::authz::Action;
use peerd_core::name::Title;
use peerd_node::Error;

use crate::fields::Fields;
use crate::layout::{Page, Section};
use crate::parts::{alert, confirm, facts, form_token, submit, text_field, when};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit, is_correctable};

/// The seconds of an hour and of a day.
const HOUR: u64 = 3_600;

pub(crate) fn routes() -> Vec<Entry> {
    vec![
        get("/console/control", Action::EnrollmentShow, show),
        post("/console/control", Action::EnrollmentSetTitle, set_title),
        get(
            "/console/control/identity",
            Action::EnrollmentRotateIdentity,
            ask_rotation,
        ),
        post(
            "/console/control/identity",
            Action::EnrollmentRotateIdentity,
            rotate,
        ),
    ]
}

async fn show(visit: Visit) -> Outcome {
    let body = sheet(&visit, None).await?;
    visit.page(&Page::new(Section::Control, "Enrollment"), &body)
}

async fn sheet(visit: &Visit, error: Option<&Error>) -> Result<Markup, Error> {
    let status = visit.node().status(&visit.caller).await?;
    let enrollment = &status.enrollment;
    let title = enrollment.title.as_ref().map(ToString::to_string);
    let written = visit.form.text("title");
    let shown = if written.is_empty() {
        let title: String =
            form_urlencoded::byte_serialize(title.as_deref().unwrap_or("").as_bytes()).collect();
        Fields::read(format!("title={title}").as_bytes())
    } else {
        visit.form.clone()
    };
    Ok(html! {
        h1 { "Enrollment" }
        (alert(error))
        div.columns {
            section.card aria-labelledby="title-of" {
                h2 #title-of { "Platform title" }
                @if visit.may(Action::EnrollmentSetTitle) {
                    form method="post" action="/console/control" {
                        (form_token(visit))
                        (text_field(&shown, "title", "Title", "What operators of other enrollments see"))
                        (submit("Set title"))
                    }
                } @else { p { @if let Some(title) = &title { (title) } @else { span.none { "not set" } } } }
            }
            section.card aria-labelledby="how" {
                h2 #how { "State" }
                p { (status.health) }
                (facts(vec![
                    ("Links", counts(status.links.iter())),
                    ("Connections", counts(status.connections.iter())),
                    ("Version", html! { (visit.console().about.version) }),
                ]))
            }
        }
        (identity(visit))
    })
}

fn identity(visit: &Visit) -> Markup {
    let enrollment = &visit.enrollment;
    let expires = *visit.console().about.leaf_expires_at.borrow();
    let left = expires.since(visit.node().now()).as_secs();
    let (days, hours) = (left / (24 * HOUR), left / HOUR % 24);
    html! {
        section.card aria-labelledby="identity" {
            h2 #identity { "Identity and certificate" }
            (facts(vec![
                ("Enrollment id", html! { code.whole { (enrollment.id) } }),
                ("Identity fingerprint", html! { code.whole { (enrollment.fingerprint) } }),
                ("Local name", html! { (enrollment.name) }),
                ("Addresses in link codes", html! {
                    @for address in &enrollment.addresses { span.address { (address) } " " }
                    @if enrollment.addresses.is_empty() { span.none { "none: nobody can dial this side" } }
                }),
                ("TLS certificate", html! {
                    "valid until " (when(expires)) ", " strong { (days) " days " (hours) " hours left" }
                }),
            ]))
            p.hint { "The certificate is issued by the identity key and renews itself at half of its life. Read the fingerprint to whoever enters a code of yours." }
            @if visit.may(Action::EnrollmentRotateIdentity) {
                p.actions { a.button href="/console/control/identity" data-dialog { "Replace identity" } }
            }
        }
    }
}

async fn ask_rotation(visit: Visit) -> Outcome {
    let body = confirm(
        &visit,
        visit.path(),
        "Replace identity",
        "/console/control",
        &html! {
            h1 { "Replace the identity?" }
            p { "A new key is made, which the present one signs. The enrollment id stays, and the other sides follow by themselves: at once where they are connected, else when they next meet this one." }
            p { "What is lost: the present key. Backups from before it hold an identity that the other sides refuse from then on; back up again." }
        },
    );
    visit.page(
        &Page::new(Section::Control, "Replace identity").below("/console/control", "Enrollment"),
        &body,
    )
}

async fn rotate(visit: Visit) -> Outcome {
    visit.node().rotate_identity(&visit.caller).await?;
    visit.done("/console/control", "The identity is replaced.")
}

fn counts<'a>(counts: impl Iterator<Item = (&'a &'static str, &'a u32)>) -> Markup {
    let words: Vec<String> = counts.map(|(word, count)| format!("{count} {word}")).collect();
    html! { @if words.is_empty() { span.none { "none" } } @else { (words.join(", ")) } }
}

async fn set_title(visit: Visit) -> Outcome {
    let set = match visit.form.required::<Title>("title") {
        Ok(title) => visit.node().set_title(&visit.caller, title).await,
        Err(error) => Err(error),
    };
    match set {
        Ok(_) => visit.done("/console/control", "The title is set."),
        Err(error) if is_correctable(&error) => {
            let body = sheet(&visit, Some(&error)).await?;
            visit.again(&error, &Page::new(Section::Control, "Enrollment"), &body)
        }
        Err(error) => Err(error),
    }
}
