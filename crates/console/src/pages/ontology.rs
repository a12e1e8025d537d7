//! The ontology of a space: what it is, and a file applied to it, with what it would change told before.

use maud::{Markup, html};
use peerd_core::authz::Action;
use peerd_core::ontology::{LinkKind, ObjectType, Ontology, OntologyFile, Preview};
use peerd_node::Error;

use crate::fields::Fields;
use crate::layout::{Page, Section};
use crate::parts::{alert, empty, form_token, text_area};
use crate::route::{Entry, get, upload};
use crate::upload::Upload;
use crate::visit::{Outcome, Visit, is_correctable, segment};

/// The largest ontology file, in bytes.
const FILE_BYTES_MAX: usize = 1 << 20;

pub(crate) fn routes() -> Vec<Entry> {
    vec![
        get("/console/ontology/{space}", Action::OntologyShow, show),
        upload(
            "/console/ontology/{space}/preview",
            Action::OntologyApply,
            preview,
        ),
        upload("/console/ontology/{space}", Action::OntologyApply, apply),
    ]
}

fn path(space: &str) -> String {
    format!("/console/ontology/{}", segment(space))
}

fn page(space: &str) -> Page<'_> {
    Page::new(Section::Objects, "Ontology")
        .below("/console/objects", "Objects")
        .below(format!("/console/objects/{}", segment(space)), space)
}

async fn show(visit: Visit) -> Outcome {
    let body = sheet(&visit, &Fields::default(), None, None).await?;
    visit.page(&page(visit.param("space")), &body)
}

async fn preview(visit: Visit, file: Upload) -> Outcome {
    let told = match read(&visit, file).await {
        Ok((text, file)) => {
            let space = visit.param("space");
            let previewed = visit.node().preview_ontology(&visit.caller, space, &file).await;
            previewed.map(|preview| (text, preview))
        }
        Err(error) => Err(error),
    };
    match told {
        Ok((text, preview)) => {
            let fields = Fields::of(vec![("text".to_owned(), text)]);
            let body = sheet(&visit, &fields, Some(&preview), None).await?;
            visit.page(&page(visit.param("space")), &body)
        }
        Err(error) => again(&visit, error).await,
    }
}

async fn apply(visit: Visit, file: Upload) -> Outcome {
    let space = visit.param("space").to_owned();
    let applied = match read(&visit, file).await {
        Ok((_, file)) => visit.node().apply_ontology(&visit.caller, &space, &file).await,
        Err(error) => Err(error),
    };
    match applied {
        Ok(applied) if applied.changed => {
            visit.done(&path(&space), format!("Applied: revision {}.", applied.revision))
        }
        Ok(_) => visit.done(&path(&space), "Nothing changed: the space has it already."),
        Err(error) => again(&visit, error).await,
    }
}

async fn again(visit: &Visit, error: Error) -> Outcome {
    if !is_correctable(&error) {
        return Err(error);
    }
    let body = sheet(visit, &visit.form, None, Some(&error)).await?;
    visit.again(&error, &page(visit.param("space")), &body)
}

/// The text, from the file if one was chosen, and what it says.
async fn read(visit: &Visit, file: Upload) -> Result<(String, OntologyFile), Error> {
    let uploaded = file.text(FILE_BYTES_MAX).await?;
    let text = if uploaded.is_empty() {
        visit.form.text("text").to_owned()
    } else {
        uploaded
    };
    if text.trim().is_empty() {
        return Err(Error::field("text", "paste an ontology, or choose a file"));
    }
    if text.len() > FILE_BYTES_MAX {
        return Err(Error::of(peerd_core::Reason::TooLarge));
    }
    let file = serde_yaml_ng::from_str(&text).map_err(|error| Error::field("text", error))?;
    Ok((text, file))
}

async fn sheet(
    visit: &Visit,
    fields: &Fields,
    preview: Option<&Preview>,
    error: Option<&Error>,
) -> Result<Markup, Error> {
    let space = visit.param("space");
    let ontology = visit.node().show_ontology(&visit.caller, space).await?;
    let (all, id) = super::files::space_of(visit).await?;
    let may = visit.may_in(Action::OntologyApply, id, &all);
    Ok(html! {
        div.head {
            h1 { "Ontology of " (space) }
            p.state { "Revision " (ontology.revision) }
        }
        (alert(error))
        @if let Some(preview) = preview { (told(preview)) }
        @if may { (form(visit, space, fields, preview)) }
        (types(&ontology))
    })
}

/// What the file would come to.
fn told(preview: &Preview) -> Markup {
    html! {
        section.card.step.refused[!preview.refusals.is_empty()] aria-labelledby="preview" {
            h2 #preview {
                @if !preview.refusals.is_empty() { "This file is refused" }
                @else if preview.changes.is_empty() { "This file changes nothing that can be named" }
                @else { "This file can be applied" }
            }
            @if !preview.refusals.is_empty() {
                p { "Nothing of it is applied. What stands against it:" }
                ul.problems { @for refusal in &preview.refusals { li { span.told { (refusal) } } } }
            }
            @if !preview.changes.is_empty() {
                p { @if preview.refusals.is_empty() { "What would change:" } @else { "What else it would change:" } }
                ul.changes { @for change in &preview.changes { li { (change) } } }
            }
            @if preview.refusals.is_empty() { p.hint { "Nothing was applied yet. What both sides of a connection have is told to each other anew." } }
        }
    }
}

fn form(visit: &Visit, space: &str, fields: &Fields, preview: Option<&Preview>) -> Markup {
    let ready = preview.is_some_and(|preview| preview.refusals.is_empty());
    html! {
        form.card method="post" action={ (path(space)) "/preview" } enctype="multipart/form-data" {
            h2 { "Apply an ontology file" }
            (form_token(visit))
            p.hint { "An ontology grows: types and properties that are there stay, and new properties may be without a value." }
            (text_area(fields, "text", "YAML", "As for peerctl ontology apply", 14))
            div.field {
                label for="file" { "Or a file" }
                input #file type="file" name="file" accept=".yaml,.yml,text/yaml" aria-describedby="file-hint";
                p.hint #file-hint { "Taken in place of what is written above, at most 1 MiB" }
            }
            p.actions {
                button.primary[!ready] type="submit" { "Preview" }
                @if ready { " " button.primary type="submit" formaction=(path(space)) { "Apply" } }
            }
        }
    }
}

fn types(ontology: &Ontology) -> Markup {
    html! {
        section aria-labelledby="types" {
            h2 #types { "Object types" }
            @if ontology.object_types.is_empty() { (empty("This space has no object types.", &html! { "Apply an ontology file." })) }
            @for of in ontology.object_types.values() { (one(of)) }
        }
        @if !ontology.link_types.is_empty() {
            section aria-labelledby="links" {
                h2 #links { "Link types" }
                ul.plain { @for link in ontology.link_types.values() {
                    li { strong { (link.name) } " " span.type { (in_words(&link.kind)) } }
                } }
            }
        }
    }
}

fn in_words(kind: &LinkKind) -> String {
    match kind {
        LinkKind::ForeignKey { from, to, .. } => format!("foreign key, {from} to {to}"),
        LinkKind::ManyToMany { left, right } => format!("many to many, {left} and {right}"),
        LinkKind::ObjectBacked { via, .. } => format!("object-backed, via {via}"),
    }
}

fn one(of: &ObjectType) -> Markup {
    html! {
        details.card {
            summary { (of.name) @if let Some(title) = &of.title { " · " (title) } " " span.none { (of.properties.len()) " properties" } }
            div.scroll tabindex="0" role="group" aria-label={ "Properties of " (of.name) } {
                table {
                    thead { tr { th scope="col" { "Property" } th scope="col" { "Type" } th scope="col" { "Always has a value" } } }
                    tbody { @for property in &of.properties {
                        tr {
                            th scope="row" { (property.name) @if property.id == of.primary_key { " " span.none { "key" } } }
                            td { span.type { (property.of) } }
                            td { @if property.nullable { "no" } @else { "yes" } }
                        }
                    } }
                }
            }
        }
    }
}
