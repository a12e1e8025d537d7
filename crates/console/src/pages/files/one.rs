//! One file: what is known of it, and what can be done with it.

use maud::{Markup, html};
use peerd_core::authz::Action;
use peerd_node::Error;
use peerd_node::artifact::{ArtifactAt, ArtifactView};

use super::{at, completeness, file_field, file_path, space_of, space_path, tag_links};
use crate::fields::Fields;
use crate::layout::{Page, Section};
use crate::parts::{
    alert, copyable_line, facts, file_name, form_token, id, known_security, own_security_fields, security,
    size, submit, text_area, text_field, when,
};
use crate::route::{Entry, get};
use crate::visit::{Outcome, Visit, is_correctable};

pub(super) fn routes() -> Vec<Entry> {
    vec![get(
        "/console/files/{space}/{artifact}",
        Action::ArtifactRead,
        show,
    )]
}

/// A page about one file.
pub(super) fn page<'a>(at: &ArtifactAt, title: &'a str) -> Page<'a> {
    Page::new(Section::Files, title)
        .below("/console/files", "Files")
        .below(space_path(&at.space), at.space.clone())
}

async fn show(visit: Visit) -> Outcome {
    let at = at(&visit)?;
    let body = sheet(&visit, &at, None).await?;
    visit.page(&page(&at, "File"), &body)
}

/// The page again, with why a form on it was refused.
pub(super) async fn again(visit: &Visit, at: &ArtifactAt, error: Error) -> Outcome {
    if !is_correctable(&error) {
        return Err(error);
    }
    let body = sheet(visit, at, Some(&error)).await?;
    visit.again(&error, &page(at, "File"), &body)
}

async fn sheet(visit: &Visit, at: &ArtifactAt, error: Option<&Error>) -> Result<Markup, Error> {
    let view = visit.node().artifact(&visit.caller, at).await?;
    let (all, space) = space_of(visit).await?;
    let may = |action| visit.may_in(action, space, &all);
    let here = file_path(&at.space, at.id);
    Ok(html! {
        div.head {
            h1 { (file_name(&view.artifact.name)) }
            div.buttons {
                @if view.complete { a.button.primary href={ (here) "/content" } { "Download" } }
                @if may(Action::ArtifactDelete) { a.button.danger href={ (here) "/delete" } data-dialog { "Delete" } }
            }
        }
        (alert(error))
        section.card aria-labelledby="about" { h2 #about { "File" } (about(visit, at, &view)) }
        div.columns {
            @if may(Action::ArtifactTag) { (tag_form(visit, &here, &view)) }
            @if may(Action::ArtifactPut) { (rename_form(visit, &here, &view)) (replace_form(visit, &here)) }
        }
        @if !view.artifact.previous.is_empty() { (previous(visit, &here, &view, may(Action::ArtifactPut))) }
        @if may(Action::ObjectSetSecurity) { (security_form(visit, &here, &view).await?) }
    })
}

fn about(visit: &Visit, at: &ArtifactAt, view: &ArtifactView) -> Markup {
    let artifact = &view.artifact;
    facts(vec![
        (
            "Content",
            html! {
                (completeness(view)) " " (size(artifact.content.size))
                @if !view.complete { " " span.why { "It can be downloaded when all of its bytes are here." } }
            },
        ),
        ("Security", security(visit, &view.security)),
        ("Tags", tag_links(&at.space, &artifact.tags)),
        ("Said to be", html! { (artifact.media_type) }),
        (
            "BLAKE3",
            copyable_line("blake3", "BLAKE3", &artifact.content.hash.to_string()),
        ),
        ("Changed", when(artifact.updated_at)),
        (
            "Origin",
            html! {
                @if view.origin == visit.enrollment.id { "this enrollment" } @else { (id(view.origin)) }
            },
        ),
        (
            "Came",
            html! {
                @if view.provenance.is_imported() {
                    "imported"
                    @if let Some(via) = view.provenance.via { " over " a href={ "/console/connections/" (via) "/files" } { "this connection" } }
                } @else { "from here" }
            },
        ),
        ("Id", copyable_line("artifact-id", "id", &view.id.to_string())),
    ])
}

fn filled(name: &str, text: &str) -> Fields {
    Fields::of(vec![(name.to_owned(), text.to_owned())])
}

fn tag_form(visit: &Visit, here: &str, view: &ArtifactView) -> Markup {
    let tags: Vec<&str> = view.artifact.tags.iter().map(String::as_str).collect();
    let fields = filled("tags", &tags.join("\n"));
    html! {
        form.card method="post" action={ (here) "/tags" } {
            h2 { "Tags" }
            (form_token(visit))
            (text_area(&fields, "tags", "Tags", "One a line. Where a connection shares files by tag, this sends the file or takes it back.", 4))
            (submit("Set tags"))
        }
    }
}

fn rename_form(visit: &Visit, here: &str, view: &ArtifactView) -> Markup {
    html! {
        form.card method="post" action={ (here) "/name" } {
            h2 { "Name" }
            (form_token(visit))
            (text_field(&filled("name", &view.artifact.name), "name", "Name", "The same on every side that has the file"))
            (submit("Rename"))
        }
    }
}

fn replace_form(visit: &Visit, here: &str) -> Markup {
    html! {
        form.card method="post" action={ (here) "/replace" } enctype="multipart/form-data" {
            h2 { "Replace the content" }
            (form_token(visit))
            (file_field(visit.console().upload_bytes_max))
            p.hint { "What is there now can be restored, three times back." }
            (submit("Replace"))
        }
    }
}

fn previous(visit: &Visit, here: &str, view: &ArtifactView, may: bool) -> Markup {
    html! {
        section aria-labelledby="previous" {
            h2 #previous { "Previous contents" }
            div.scroll tabindex="0" role="group" aria-label="Previous contents" {
                table {
                    thead { tr { th scope="col" { "BLAKE3" } th.number scope="col" { "Size" } th scope="col" { span.hidden { "What to do" } } } }
                    tbody { @for blob in &view.artifact.previous {
                        tr {
                            th scope="row" { code { (blob.hash) } }
                            td.number { (size(blob.size)) }
                            td.buttons { @if may {
                                form.inline method="post" action={ (here) "/restore" } {
                                    (form_token(visit))
                                    input type="hidden" name="blake3" value=(blob.hash);
                                    button type="submit" { "Restore" }
                                }
                            } }
                        }
                    } }
                }
            }
        }
    }
}

async fn security_form(visit: &Visit, here: &str, view: &ArtifactView) -> Result<Markup, Error> {
    let (levels, markings) = known_security(visit).await?;
    Ok(html! {
        details.card {
            summary { "Set classification and markings" }
            form method="post" action={ (here) "/security" } {
                (form_token(visit))
                (own_security_fields(levels.as_slice(), &markings, &view.security))
                p.hint { "Where it no longer fits a connection, the other side's copy is taken back. Whoever lacks one of its markings does not see the file at all." }
                (submit("Set security"))
            }
        }
    })
}
