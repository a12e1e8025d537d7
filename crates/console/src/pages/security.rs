//! Markings with who may see them, and classification levels.

use maud::{Markup, html};
use peerd_core::authz::{Action, Marking, Principal};
use peerd_core::name::Name;
use peerd_core::security::Levels;
use peerd_node::Error;

use crate::fields::Fields;
use crate::layout::{Page, Section};
use crate::parts::{alert, empty, form_token, id, more, submit, text_area, text_field};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit, is_correctable, segment};

/// How many markings one page shows.
const ROWS: usize = 100;

pub(crate) fn routes() -> Vec<Entry> {
    vec![
        get("/console/security", Action::MarkingList, list),
        post(
            "/console/security/levels",
            Action::ClassificationSetLevels,
            set_levels,
        ),
        post("/console/security/markings", Action::MarkingCreate, create),
        post(
            "/console/security/markings/{name}/grant",
            Action::MarkingGrant,
            grant,
        ),
    ]
}

fn page() -> Page<'static> {
    Page::new(Section::Control, "Markings and levels")
}

async fn list(visit: Visit) -> Outcome {
    let body = sheet(&visit, None).await?;
    visit.page(&page(), &body)
}

async fn sheet(visit: &Visit, error: Option<&Error>) -> Result<Markup, Error> {
    let after: Option<Name> = visit.query.optional("after")?;
    let (markings, next) = visit
        .node()
        .list_markings(&visit.caller, after.as_ref(), ROWS)
        .await?;
    let levels = visit.node().show_levels(&visit.caller).await?;
    let people = if visit.may(Action::PrincipalList) {
        visit.node().list_principals(&visit.caller, None, 1_000).await?.0
    } else {
        Vec::new()
    };
    Ok(html! {
        h1 { "Markings and levels" }
        (alert(error))
        section aria-labelledby="of-levels" {
            h2 #of-levels { "Classification levels" }
            (levels_part(visit, &levels))
        }
        section aria-labelledby="markings" {
            h2 #markings { "Markings" }
            @if markings.is_empty() { (empty("There is no marking.", &html! { "What carries a marking is seen only by those who were granted it." })) }
            @else { (table(visit, &markings, &people)) (more("/console/security", next.map(|name| name.to_string()))) }
            @if visit.may(Action::MarkingCreate) {
                form.card method="post" action="/console/security/markings" {
                    h3 { "Create a marking" }
                    (form_token(visit))
                    (text_field(&visit.form, "name", "Name", "Nobody sees what carries it until somebody is granted it."))
                    (submit("Create marking"))
                }
            }
        }
    })
}

fn levels_part(visit: &Visit, levels: &Levels) -> Markup {
    let words: Vec<&str> = levels.as_slice().iter().map(Name::as_str).collect();
    let encoded: String = form_urlencoded::byte_serialize(words.join("\n").as_bytes()).collect();
    let fields = Fields::read(format!("levels={encoded}").as_bytes());
    let sent = !visit.form.text("levels").is_empty();
    html! {
        @if words.is_empty() { p.none { "No levels are set: nothing can be classified." } }
        @else { ol.levels { @for word in &words { li { span.level { (word) } } } } }
        @if visit.may(Action::ClassificationSetLevels) {
            form.card method="post" action="/console/security/levels" {
                (form_token(visit))
                (text_area(if sent { &visit.form } else { &fields }, "levels", "Levels, lowest first", "One a line. What carries a level that is taken away stays where it is until it is classified anew.", 5))
                (submit("Set levels"))
            }
        }
    }
}

fn table(visit: &Visit, markings: &[Marking], people: &[Principal]) -> Markup {
    let name = |id| {
        people
            .iter()
            .find(|one| one.id == id)
            .map(|one| one.name.to_string())
    };
    html! {
        div.scroll tabindex="0" role="group" aria-label="Markings" {
            table {
                thead { tr { th scope="col" { "Marking" } th scope="col" { "Who may see it" } th scope="col" { span.hidden { "What to do" } } } }
                tbody { @for marking in markings {
                    tr {
                        th scope="row" { span.marking { (marking.name) } }
                        td {
                            @if marking.members.is_empty() { span.none { "nobody" } }
                            @for member in &marking.members { span.person { @if let Some(name) = name(*member) { (name) } @else { (id(member)) } } " " }
                        }
                        td { @if visit.may(Action::MarkingGrant) {
                            form.inline method="post" action={ "/console/security/markings/" (segment(&marking.name)) "/grant" } {
                                (form_token(visit))
                                label.hidden for={ "grant-" (marking.name) } { "Principal to grant " (marking.name) }
                                input id={ "grant-" (marking.name) } name="principal" placeholder="principal" autocomplete="off";
                                button type="submit" { "Grant" }
                            }
                        } }
                    }
                } }
            }
        }
    }
}

async fn set_levels(visit: Visit) -> Outcome {
    let set = match read_levels(&visit) {
        Ok(levels) => visit.node().set_levels(&visit.caller, levels).await,
        Err(error) => Err(error),
    };
    finish(&visit, set.map(drop), "The levels are set.").await
}

fn read_levels(visit: &Visit) -> Result<Levels, Error> {
    let words = visit.form.text("levels").split_whitespace();
    let names: Result<Vec<Name>, Error> = words
        .map(|word| word.parse().map_err(|problem| Error::field("levels", problem)))
        .collect();
    Levels::new(names?).map_err(|problem| Error::field("levels", problem))
}

async fn create(visit: Visit) -> Outcome {
    let created = match visit.form.required::<Name>("name") {
        Ok(name) => visit.node().create_marking(&visit.caller, name).await,
        Err(error) => Err(error),
    };
    finish(&visit, created.map(drop), "The marking is made.").await
}

async fn grant(visit: Visit) -> Outcome {
    let name: Name = visit.id("name", "marking")?;
    let granted = match visit.form.reference("principal") {
        Ok(principal) => visit.node().grant_marking(&visit.caller, &name, principal).await,
        Err(error) => Err(error),
    };
    finish(&visit, granted.map(drop), "Granted.").await
}

async fn finish(visit: &Visit, outcome: Result<(), Error>, notice: &str) -> Outcome {
    match outcome {
        Ok(()) => visit.done("/console/security", notice),
        Err(error) if is_correctable(&error) => {
            let body = sheet(visit, Some(&error)).await?;
            visit.again(&error, &page(), &body)
        }
        Err(error) => Err(error),
    }
}
