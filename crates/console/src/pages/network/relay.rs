//! Data relays: adding one, and how its files go.

use maud::{Markup, html};
use peerd_core::authz::Action;
use peerd_core::link::{Form, Relay, RelayLimits};
use peerd_core::name::Name;
use peerd_node::Error;
use peerd_node::link::AddRelay;
use peerd_node::relay::RelayLife;

use crate::layout::{Page, Section};
use crate::parts::{
    alert, facts, form_token, grouped, select_field, size, submit, text_area, text_field, when, when_known,
};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit, is_correctable};

const TITLE: &str = "Add a data relay";

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get("/console/relay", Action::LinkAddRelay, form),
        post("/console/relay", Action::LinkAddRelay, add),
    ]
}

fn page() -> Page<'static> {
    Page::new(Section::Network, TITLE).below("/console/network", "Network connections")
}

async fn form(visit: Visit) -> Outcome {
    visit.page(&page(), &sheet(&visit, None))
}

fn sheet(visit: &Visit, error: Option<&Error>) -> Markup {
    let pairs = |pairs: [(&str, &str); 2]| pairs.map(|(value, title)| (value.to_owned(), title.to_owned()));
    let forms = pairs([
        ("sealed", "Sealed: what carries it cannot read it"),
        ("xml", "XML: a guard can read it"),
    ]);
    let ways = pairs([
        ("two", "Files come back from the other side"),
        ("one", "Nothing comes back"),
    ]);
    html! {
        h1 { (TITLE) }
        p { "Peering by files where no network may be: something carries them from the outbox here to the inbox of the other side, and back. Each side enters the other's link code." }
        (alert(error))
        form.card method="post" action="/console/relay" {
            (form_token(visit))
            (text_field(&visit.form, "name", "Name here", "Lower-case letters, digits, '-', '_' and '.'"))
            (text_area(&visit.form, "code", "Link code of the other side", "Compare its fingerprint before: enter it under “Enter link code”, and inspect.", 6))
            (text_field(&visit.form, "outbox", "Outbox", "An absolute path on the daemon's machine; bundles are written there"))
            (text_field(&visit.form, "inbox", "Inbox", "An absolute path; everything in it belongs to this link"))
            (select_field(&visit.form, "form", "Form", "What goes out; the other side uses the same.", &forms))
            (select_field(&visit.form, "ways", "Way back", "Without one, bundles are repeated instead of acknowledged.", &ways))
            (submit("Add data relay"))
        }
    }
}

async fn add(visit: Visit) -> Outcome {
    match added(&visit).await {
        Ok(to) => visit.done(
            &to,
            "Added. Make a link code too, and let the other side enter it.",
        ),
        Err(error) if is_correctable(&error) => visit.again(&error, &page(), &sheet(&visit, Some(&error))),
        Err(error) => Err(error),
    }
}

async fn added(visit: &Visit) -> Result<String, Error> {
    let name: Name = visit.form.required("name")?;
    let text = |field: &str| visit.form.text(field).trim().to_owned();
    let ask = AddRelay {
        name,
        code: text("code"),
        outbox: text("outbox"),
        inbox: text("inbox"),
        form: match visit.form.text("form") {
            "xml" => Form::Xml,
            "sealed" => Form::Sealed,
            _ => return Err(Error::field("form", "sealed or xml")),
        },
        one_way: match visit.form.text("ways") {
            "one" => true,
            "two" => false,
            _ => return Err(Error::field("ways", "one or two")),
        },
        limits: RelayLimits::default(),
    };
    let view = visit.node().add_relay_link(&visit.caller, ask).await?;
    Ok(format!("/console/network/{}", view.link.id))
}

/// How the files of a link go.
pub(super) fn files(set: &Relay, life: &RelayLife) -> Markup {
    let missing = html! {
        (grouped(life.gaps))
        @if life.lost > 0 { ", and " (grouped(life.lost)) " given up" }
        @if life.gaps > 0 { span.hint { @if set.one_way { " They may come with a repetition, or with the next snapshot." } @else { " They are asked for." } } }
    };
    html! {
        section.card aria-labelledby="files" {
            h2 #files { "Files" }
            (facts(vec![
                ("Last bundle", when_known(life.heard_at)),
                ("Came", html! { "up to number " (grouped(life.last_in)) " of " (grouped(life.highest_in)) }),
                ("Missing", missing),
                ("Waiting for others", html! { (grouped(life.waiting)) }),
                ("Went out", html! { "up to number " (grouped(life.last_out)) ", " (grouped(life.resent)) " written again" }),
                ("Not acknowledged", html! {
                    (grouped(life.kept)) ", " (size(life.kept_bytes))
                    @if let Some(since) = life.kept_since { ", since " (when(since)) }
                }),
                ("In the outbox", html! {
                    (size(life.outbox_bytes))
                    @if let Some(since) = life.uncollected_since { ", the oldest since " (when(since)) }
                    @if life.full { " " strong { "No more is written until it is collected." } }
                }),
                ("Put aside", html! { (grouped(life.quarantined)) @if life.quarantined > 0 { " files; the audit log says why" } }),
                ("Equal to what was told last", html! { @match life.equal {
                    Some(true) => "yes",
                    Some(false) => strong { "no" },
                    None => span.none { "—" },
                } }),
                ("Outbox", html! { code.whole { (set.outbox) } }),
                ("Inbox", html! { code.whole { (set.inbox) } }),
                ("Form", html! { (set.form.as_str()) @if set.one_way { ", one way" } }),
            ]))
        }
    }
}
