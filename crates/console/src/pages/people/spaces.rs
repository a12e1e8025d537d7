//! Spaces and who manages them.

use maud::{Markup, html};
use peerd_core::authz::{Action, Principal, Space};
use peerd_core::name::{Name, Title};
use peerd_node::Error;

use crate::layout::{Page, Section};
use crate::parts::{alert, empty, form_token, id, submit, text_field};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit, is_correctable, segment};

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get("/console/spaces", Action::SpaceList, list),
        post("/console/spaces", Action::SpaceCreate, create),
        post("/console/spaces/{space}/add", Action::SpaceAddManager, add),
        post(
            "/console/spaces/{space}/remove",
            Action::SpaceRemoveManager,
            remove,
        ),
    ]
}

async fn list(visit: Visit) -> Outcome {
    let body = sheet(&visit, None).await?;
    visit.page(&Page::new(Section::Control, "Spaces"), &body)
}

async fn sheet(visit: &Visit, error: Option<&Error>) -> Result<Markup, Error> {
    let spaces = visit.spaces().await?;
    let people = people(visit).await?;
    Ok(html! {
        h1 { "Spaces" }
        (alert(error))
        @if spaces.is_empty() { (empty("There is no space that you may see.", &html! { "A space holds objects of one ontology; connections join spaces." })) }
        @else { (table(visit, &spaces, &people)) }
        @if visit.may(Action::SpaceCreate) {
            form.card method="post" action="/console/spaces" {
                h2 { "Create a space" }
                (form_token(visit))
                div.pair {
                    (text_field(&visit.form, "name", "Name", "Lower-case letters, digits, '-', '_' and '.'"))
                    (text_field(&visit.form, "title", "Title", "For people; may be empty"))
                }
                (submit("Create space"))
            }
        }
    })
}

/// Everybody who could manage, where the visitor may know of them.
async fn people(visit: &Visit) -> Result<Vec<Principal>, Error> {
    if !visit.may(Action::PrincipalList) {
        return Ok(Vec::new());
    }
    let (people, _) = visit.node().list_principals(&visit.caller, None, 1_000).await?;
    Ok(people)
}

fn table(visit: &Visit, spaces: &[Space], people: &[Principal]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Spaces" {
            table {
                thead { tr { th scope="col" { "Space" } th scope="col" { "Title" } th scope="col" { "Listed managers" } th scope="col" { span.hidden { "What to do" } } } }
                tbody { @for space in spaces { (row(visit, space, people)) } }
            }
        }
    }
}

fn row(visit: &Visit, space: &Space, people: &[Principal]) -> Markup {
    let path = format!("/console/spaces/{}", segment(space.id));
    let name = |id| {
        people
            .iter()
            .find(|one| one.id == id)
            .map(|one| one.name.to_string())
    };
    let others: Vec<(String, String)> = people
        .iter()
        .filter(|one| one.revoked_at.is_none() && !space.managers.contains(&one.id))
        .map(|one| (one.name.to_string(), one.name.to_string()))
        .collect();
    html! {
        tr {
            th scope="row" {
                @if visit.may(Action::ObjectList) { a href={ "/console/objects/" (space.name) } { (space.name) } } @else { (space.name) }
            }
            td { @if let Some(title) = &space.title { (title) } @else { span.none { "—" } } }
            td {
                @if space.managers.is_empty() { span.none { "—" } }
                @for manager in &space.managers {
                    span.person {
                        @if let Some(name) = name(*manager) { (name) } @else { (id(manager)) }
                        @if visit.may(Action::SpaceRemoveManager) {
                            form.inline method="post" action={ (path) "/remove" } {
                                (form_token(visit))
                                input type="hidden" name="principal" value=(manager);
                                button.quiet type="submit" { "Remove" span.hidden { " manager of " (space.name) } }
                            }
                        }
                    } " "
                }
            }
            td {
                @if visit.may(Action::SpaceAddManager) && !others.is_empty() {
                    form.inline method="post" action={ (path) "/add" } {
                        (form_token(visit))
                        label.hidden for={ "add-" (space.id) } { "Manager of " (space.name) }
                        select id={ "add-" (space.id) } name="principal" { @for (value, title) in &others { option value=(value) { (title) } } }
                        button type="submit" { "Add manager" }
                    }
                }
            }
        }
    }
}

async fn create(visit: Visit) -> Outcome {
    let created = match read(&visit) {
        Ok((name, title)) => visit.node().create_space(&visit.caller, name, title).await,
        Err(error) => Err(error),
    };
    match created {
        Ok(space) => visit.done("/console/spaces", format!("The space {} is made.", space.name)),
        Err(error) if is_correctable(&error) => {
            let body = sheet(&visit, Some(&error)).await?;
            visit.again(&error, &Page::new(Section::Control, "Spaces"), &body)
        }
        Err(error) => Err(error),
    }
}

fn read(visit: &Visit) -> Result<(Name, Option<Title>), Error> {
    Ok((visit.form.required("name")?, visit.form.optional("title")?))
}

async fn add(visit: Visit) -> Outcome {
    let (space, principal) = (visit.param("space"), visit.form.reference("principal")?);
    visit
        .node()
        .add_space_manager(&visit.caller, space, principal)
        .await?;
    visit.done("/console/spaces", "Added.")
}

async fn remove(visit: Visit) -> Outcome {
    let (space, principal) = (visit.param("space"), visit.form.reference("principal")?);
    visit
        .node()
        .remove_space_manager(&visit.caller, space, principal)
        .await?;
    visit.done("/console/spaces", "Removed.")
}
