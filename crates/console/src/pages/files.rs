//! Files of spaces: the artifacts, listed, put, seen and taken.

use std::collections::BTreeSet;

use maud::{Markup, html};
use peerd_core::ArtifactId;
use peerd_core::authz::{Action, Space};
use peerd_node::Error;
use peerd_node::artifact::{ArtifactAt, ArtifactView};

use crate::fields::Fields;
use crate::layout::{Page, Section};
use crate::parts::{
    alert, empty, file_name, form_token, known_security, more, own_security_fields, security, size, submit,
    text_area, text_field, when,
};
use crate::route::{Entry, get};
use crate::visit::{Outcome, Visit, segment};

mod change;
mod content;
mod one;
mod put;

/// How many files one page shows.
const ROWS: usize = 50;

pub(crate) fn routes() -> Vec<Entry> {
    let mut routes = vec![
        get("/console/files", Action::ArtifactList, spaces),
        get("/console/files/{space}", Action::ArtifactList, list),
    ];
    routes.extend(put::routes());
    routes.extend(one::routes());
    routes.extend(change::routes());
    routes.extend(content::routes());
    routes
}

/// The path of a space's files.
fn space_path(space: &str) -> String {
    format!("/console/files/{}", segment(space))
}

/// The path of a file.
pub(crate) fn file_path(space: &str, id: ArtifactId) -> String {
    format!("{}/{id}", space_path(space))
}

/// The file that a path names.
fn at(visit: &Visit) -> Result<ArtifactAt, Error> {
    Ok(ArtifactAt {
        space: visit.param("space").to_owned(),
        id: visit.id("artifact", "artifact")?,
    })
}

/// Where to go on from a file. Whoever set a marking that they are no member of sees it no more.
async fn seen_at(visit: &Visit, at: &ArtifactAt) -> String {
    match visit.node().artifact(&visit.caller, at).await {
        Ok(_) => file_path(&at.space, at.id),
        Err(_) => space_path(&at.space),
    }
}

/// The space of a path among those that the visitor sees.
pub(super) async fn space_of(visit: &Visit) -> Result<(Vec<Space>, Option<peerd_core::SpaceId>), Error> {
    let all = visit.spaces().await?;
    let name = visit.param("space");
    let found = all
        .iter()
        .find(|one| one.name.as_str() == name || one.id.to_string() == name);
    let id = found.map(|space| space.id);
    Ok((all, id))
}

/// The tags that a field has, one a line.
fn tags(fields: &Fields, name: &str) -> BTreeSet<String> {
    let lines = fields.text(name).lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

/// Tags as they are shown, each a way to all files that have it.
fn tag_links(space: &str, tags: &BTreeSet<String>) -> Markup {
    html! {
        @for tag in tags {
            @let encoded: String = form_urlencoded::byte_serialize(tag.as_bytes()).collect();
            a.tag href={ (space_path(space)) "?tag=" (encoded) } { (file_name(tag)) } " "
        }
        @if tags.is_empty() { span.none { "—" } }
    }
}

/// Whether all bytes are here.
fn completeness(view: &ArtifactView) -> Markup {
    html! {
        @if view.complete { span.badge.healthy { "complete" } } @else { span.badge.pending { "on its way" } }
    }
}

async fn spaces(visit: Visit) -> Outcome {
    let all = visit.spaces().await?;
    let spaces: Vec<_> = all
        .iter()
        .filter(|space| visit.may_in(Action::ArtifactList, Some(space.id), &all))
        .collect();
    let body = html! {
        h1 { "Files" }
        @if spaces.is_empty() { (empty("There is no space whose files you may see.", &html! { "An administrator makes spaces and gives people roles in them." })) }
        @else { ul.tiles { @for space in &spaces {
            li { a href={ "/console/files/" (space.name) } {
                strong { (space.name) } @if let Some(title) = &space.title { " " (title) }
            } }
        } } }
    };
    visit.page(&Page::new(Section::Files, "Files"), &body)
}

async fn list(visit: Visit) -> Outcome {
    let body = sheet(&visit, None).await?;
    let name = visit.param("space").to_owned();
    visit.page(&page(&name), &body)
}

/// The page of a space.
fn page(space: &str) -> Page<'_> {
    Page::new(Section::Files, space).below("/console/files", "Files")
}

/// The page, with what is wrong with an upload.
async fn sheet(visit: &Visit, error: Option<&Error>) -> Result<Markup, Error> {
    let space = visit.param("space");
    let tag = visit.query.text("tag").trim();
    let after: Option<ArtifactId> = visit.query.optional("after")?;
    let wanted = Some(tag).filter(|tag| !tag.is_empty());
    let wanted: BTreeSet<String> = wanted.into_iter().map(ToOwned::to_owned).collect();
    let listed = visit
        .node()
        .list_artifacts(&visit.caller, space, &wanted, after, ROWS)
        .await?;
    let (all, id) = space_of(visit).await?;
    let path = space_path(space);
    let encoded: String = form_urlencoded::byte_serialize(tag.as_bytes()).collect();
    let here = if tag.is_empty() {
        path.clone()
    } else {
        format!("{path}?tag={encoded}")
    };
    let may_put = visit.may_in(Action::ArtifactPut, id, &all);
    Ok(html! {
        div.head {
            h1 { "Files of " (space) }
            div.buttons { @if may_put { a.button href="#upload" { "Upload a file" } } }
        }
        (alert(error))
        form.search method="get" action=(path) role="search" {
            (text_field(&visit.query, "tag", "With the tag", ""))
            p.actions { button type="submit" { "Search" } }
        }
        section aria-labelledby="files" {
            h2 #files { @if tag.is_empty() { "All files, oldest first" } @else { "With the tag " (file_name(tag)) } }
            @if listed.artifacts.is_empty() {
                @if tag.is_empty() { (empty("There is no file that you may see.", &html! { "Files are uploaded here, put with " code { "peerctl artifact put" } ", or come over a connection." })) }
                @else { (empty("No file that you may see has this tag.", &html! { a href=(path) { "Show all" } })) }
            } @else { (table(visit, space, &listed.artifacts)) (more(&here, listed.next.map(|id| id.to_string()))) }
        }
        @if may_put { (upload_form(visit, &path).await?) }
    })
}

fn table(visit: &Visit, space: &str, files: &[ArtifactView]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Files" {
            table {
                thead { tr {
                    th scope="col" { "Name" } th.number scope="col" { "Size" } th scope="col" { "Tags" }
                    th scope="col" { "Security" } th scope="col" { "Content" } th scope="col" { "From" }
                    th scope="col" { "Changed" } th scope="col" { span.hidden { "What to do" } }
                } }
                tbody { @for view in files {
                    tr {
                        th scope="row" { a href=(file_path(space, view.id)) { (file_name(&view.artifact.name)) } }
                        td.number { (size(view.artifact.content.size)) }
                        td { (tag_links(space, &view.artifact.tags)) }
                        td { (security(visit, &view.security)) }
                        td { (completeness(view)) }
                        td { @if view.provenance.is_imported() { "imported" } @else { "here" } }
                        td { (when(view.artifact.updated_at)) }
                        td.buttons { @if view.complete {
                            a.button href={ (file_path(space, view.id)) "/content" } { "Download" span.hidden { " " (file_name(&view.artifact.name)) } }
                        } }
                    }
                } }
            }
        }
    }
}

/// The file comes last: what is said of it must be known before its bytes come.
async fn upload_form(visit: &Visit, path: &str) -> Result<Markup, Error> {
    let (levels, markings) = known_security(visit).await?;
    let chosen = visit.form.security().unwrap_or_default();
    let most = visit.console().upload_bytes_max;
    Ok(html! {
        form.card #upload method="post" action={ (path) "/upload" } enctype="multipart/form-data" {
            h2 { "Upload a file" }
            (form_token(visit))
            (text_field(&visit.form, "name", "Name", "Left empty, as the file is called"))
            (text_area(&visit.form, "tags", "Tags", "One a line. A tag by which a connection shares files sends this one.", 2))
            (own_security_fields(levels.as_slice(), &markings, &chosen))
            (file_field(most))
            (submit("Upload"))
        }
    })
}

/// The field of the file itself.
fn file_field(most: u64) -> Markup {
    html! {
        div.field {
            label for="file" { "File" }
            input #file type="file" name="file" required aria-describedby="file-hint";
            p.hint #file-hint { "At most " (crate::parts::size_in_words(most)) ". Nobody sees it before all of it is here." }
        }
    }
}
