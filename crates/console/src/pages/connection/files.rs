//! The files of a connection: which go out, what is on its way, and what stands in the way.

use std::collections::BTreeSet;
use std::time::Duration;

use maud::{Markup, html};
use peerd_core::ConnectionId;
use peerd_core::artifact::{Selection, TYPE};
use peerd_core::authz::Action;
use peerd_core::peering::Stage;
use peerd_core::policy::Direction;
use peerd_node::Error;
use peerd_node::artifact::TransferView;
use peerd_node::connection::FeedProgress;
use peerd_node::exchange::blobs::TransferStanding;

use super::Shown;
use crate::fields::Fields;
use crate::live::Content;
use crate::parts::{
    alert, confirm, empty, file_name, form_token, grouped, size, size_in_words, submit, text_area,
    text_field, when_known,
};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit, is_correctable};

/// How many transfers are shown; the rest is counted.
const TRANSFERS: usize = 100;
/// The seconds of an hour.
const HOUR: u64 = 3_600;

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get("/console/connections/{id}/files", Action::ConnectionShow, show),
        post("/console/connections/{id}/files", Action::ArtifactShare, share),
        get(
            "/console/connections/{id}/files/unshare",
            Action::ArtifactUnshare,
            ask_unshare,
        ),
        post(
            "/console/connections/{id}/files/unshare",
            Action::ArtifactUnshare,
            unshare,
        ),
    ]
}

async fn show(visit: Visit) -> Outcome {
    let shown = Shown::of(&visit).await?;
    let body = sheet(&visit, &shown, None).await?;
    let page = shown.page("Files").live(format!(
        "/console/events/connection/{}/files",
        shown.connection().id
    ));
    visit.page(&page, &body)
}

async fn sheet(visit: &Visit, shown: &Shown, error: Option<&Error>) -> Result<Markup, Error> {
    let content = render(visit, shown).await?;
    Ok(html! {
        (alert(error))
        div #live-content { (content.markup) }
        (selection(visit, shown))
    })
}

/// The part of the page that changes by itself.
pub(crate) async fn content(visit: &Visit) -> Result<Content, Error> {
    render(visit, &Shown::of(visit).await?).await
}

async fn render(visit: &Visit, shown: &Shown) -> Result<Content, Error> {
    let feeds: Vec<&FeedProgress> = shown
        .view
        .feeds
        .iter()
        .filter(|feed| feed.object_type == TYPE)
        .collect();
    let transfers = if shown.may(visit, Action::ArtifactList) {
        let id = shown.connection().id;
        Some(visit.node().transfers(&visit.caller, Some(id)).await?)
    } else {
        None
    };
    let moving = transfers.as_ref().is_some_and(|all| !all.is_empty());
    let markup = html! {
        (shown.head_at(visit, "/files"))
        div.columns {
            (way(shown, Direction::Export, &feeds))
            (way(shown, Direction::Import, &feeds))
        }
        @if let Some(transfers) = &transfers {
            section aria-labelledby="transfers" {
                h2 #transfers { "Content on its way in" }
                (table(shown, transfers))
            }
        }
    };
    Ok(Content { markup, moving })
}

/// One way, and why nothing goes it.
fn way(shown: &Shown, direction: Direction, feeds: &[&FeedProgress]) -> Markup {
    let connection = shown.connection();
    let out = direction == Direction::Export;
    let agreed = if out {
        connection.flow().exports.artifacts
    } else {
        connection.flow().imports.artifacts
    };
    let feed = feeds.iter().find(|feed| feed.direction == direction);
    let shared = &shown.view.shared_artifacts;
    let name = if out { "way-out" } else { "way-in" };
    html! {
        section.card aria-labelledby=(name) {
            h2 id=(name) { @if out { "Out, to " (shown.peer()) } @else { "In, from " (shown.peer()) } }
            @if !agreed {
                p { span.badge.blocked { "blocked" } " "
                    @if out { "This connection is not for the export of files." } @else { "This connection is not for the import of files." }
                }
                p.hint { "Both sides agree on the kinds of data under " a href={ (shown.path()) "/settings" } { "Settings" } "." }
            } @else if out && shared.is_empty() {
                p { span.badge.pending { "not shared" } " No file goes out: say below which do." }
            } @else {
                @if let Some(feed) = feed { (standing(shown, feed)) }
                @else if out { p { span.badge.pending { "waiting" } " The other side has not yet said that it takes files." } }
                @else { p { span.badge.pending { "waiting" } " The other side shares no files so far." } }
            }
            @if out && !shared.is_empty() { p { "Shared: " strong { (shared_in_words(shared)) } "." } }
        }
    }
}

/// What is shared, as the node says it, with its seconds as people say them.
fn shared_in_words(shared: &str) -> String {
    let seconds = shared
        .strip_prefix("updated within ")
        .and_then(|rest| rest.split_once(" s"))
        .and_then(|(seconds, rest)| Some((seconds.parse::<u64>().ok()?, rest)));
    match seconds {
        Some((seconds, rest)) if seconds.is_multiple_of(HOUR) => {
            format!("changed within {} hours{rest}", seconds / HOUR)
        }
        _ => shared.to_owned(),
    }
}

fn standing(shown: &Shown, feed: &FeedProgress) -> Markup {
    let incoming = feed.direction == Direction::Import;
    html! {
        p {
            @if !feed.reason.is_empty() { span.badge.blocked { "blocked" } " " (feed.reason) }
            @else if feed.in_sync { span.badge.healthy { "in sync" } }
            @else { span.badge.pending { "catching up" }
                @if feed.lag > 0 { " " (grouped(feed.lag)) @if incoming { " without their content" } @else { " changes to look at" } }
            }
        }
        @if feed.parked > 0 {
            p { span.badge.blocked { "parked" } " " (grouped(feed.parked)) " files could not be " @if incoming { "taken in" } @else { "sent" } ". "
                a href={ (shown.path()) "/parked" } { "See why" } "."
            }
        }
        p.hint { "Last acknowledged " (when_known(feed.last_acknowledged_at)) }
    }
}

fn table(shown: &Shown, transfers: &[TransferView]) -> Markup {
    if transfers.is_empty() {
        return empty(
            "Nothing is on its way.",
            &html! { "Content that a file of this connection lacks is fetched by itself." },
        );
    }
    let drawn = transfers.get(..TRANSFERS).unwrap_or(transfers);
    let hidden = transfers.len() - drawn.len();
    html! {
        div.scroll tabindex="0" role="group" aria-label="Content on its way" {
            table {
                thead { tr {
                    th scope="col" { "File" } th.number scope="col" { "Size" } th scope="col" { "Progress" }
                    th.number scope="col" { "Rate" } th scope="col" { "State" }
                } }
                tbody { @for view in drawn { (row(shown, view)) } }
            }
        }
        @if hidden > 0 { p.none { "and " (grouped(hidden as u64)) " more" } }
    }
}

fn row(shown: &Shown, view: &TransferView) -> Markup {
    let transfer = &view.transfer;
    let (total, done) = (transfer.blob.size, transfer.bytes_done.min(transfer.blob.size));
    let share = u64::try_from(u128::from(done) * 100 / u128::from(total.max(1))).unwrap_or(0);
    html! {
        tr {
            th scope="row" { a href=(crate::pages::files::file_path(shown.space(), view.id)) { (file_name(&view.name)) } }
            td.number { (size(total)) }
            td {
                progress max="100" value=(share) aria-label={ "Progress of " (file_name_plain(&view.name)) } { (share) " %" }
                " " (share) " %"
            }
            td.number { @if transfer.bytes_per_second > 0 { (size_in_words(transfer.bytes_per_second)) "/s" } @else { span.none { "—" } } }
            td { (state(transfer.standing, transfer.direction)) }
        }
    }
}

/// A name where no markup fits: what a reader says.
fn file_name_plain(name: &str) -> String {
    name.chars()
        .filter(|character| !character.is_control())
        .take(80)
        .collect()
}

fn state(standing: TransferStanding, direction: Direction) -> Markup {
    match standing {
        TransferStanding::Waiting => html! { span.badge.pending { "waiting" } " for its turn" },
        TransferStanding::Running => html! { span.badge.healthy { "running" } },
        TransferStanding::Delayed(reason) => html! {
            span.badge.degraded { @if direction == Direction::Export { "damaged" } @else { "delayed" } } " "
            span.why { (reason.explanation().trim()) " " code { (reason.word()) } }
        },
    }
}

/// Which files go out.
fn selection(visit: &Visit, shown: &Shown) -> Markup {
    let connection = shown.connection();
    let joined = matches!(connection.stage, Stage::Active { .. } | Stage::Disabled { .. });
    let shared = &shown.view.shared_artifacts;
    let chosen = match visit.form.text("which") {
        "" if shared.starts_with("with tag") => "tags",
        "" if shared.starts_with("updated within") => "within",
        "" => "all",
        written => written,
    };
    let hours = Fields::of(vec![(
        "hours".to_owned(),
        match visit.form.text("hours") {
            "" => "24".to_owned(),
            hours => hours.to_owned(),
        },
    )]);
    let ticked = |name: &str| chosen == name;
    html! {
        @if joined && shown.may(visit, Action::ArtifactShare) {
            form.card method="post" action={ (shown.path()) "/files" } {
                h2 { @if shared.is_empty() { "Share files" } @else { "Share other files" } }
                (form_token(visit))
                p.hint { "Whatever is shared, a file crosses only within the classification and markings of the connection. The other side is not told which files you share, it sees those it gets." }
                fieldset.choices {
                    legend { "Which files of " (shown.space()) }
                    div.boxes.rows {
                        label { input type="radio" name="which" value="all" checked[ticked("all")]; " All" }
                        label { input type="radio" name="which" value="tags" checked[ticked("tags")]; " Those with one of these tags" }
                        label { input type="radio" name="which" value="within" checked[ticked("within")]; " Those that were put or changed lately" }
                    }
                }
                div.pair {
                    (text_area(&visit.form, "tags", "Tags", "One a line", 3))
                    (text_field(&hours, "hours", "Changed within, in hours", "Time alone takes nothing back: a file that grows older is only not sent anew."))
                }
                (submit("Share"))
            }
        }
        @if joined && !shared.is_empty() && shown.may(visit, Action::ArtifactUnshare) {
            p.actions { a.button.danger href={ (shown.path()) "/files/unshare" } data-dialog { "Share no files" } }
        }
    }
}

async fn share(visit: Visit) -> Outcome {
    let id: ConnectionId = visit.id("id", "connection")?;
    let shared = match read(&visit) {
        Ok(selection) => {
            let node = visit.node();
            node.share_artifacts(&visit.caller, id, &selection).await
        }
        Err(error) => Err(error),
    };
    match shared {
        Ok(share) => {
            let words = shared_in_words(&share.in_words());
            visit.done(&back(id), format!("Shared: {words}."))
        }
        Err(error) if is_correctable(&error) => {
            let shown = Shown::of(&visit).await?;
            let body = sheet(&visit, &shown, Some(&error)).await?;
            visit.again(&error, &shown.page("Files"), &body)
        }
        Err(error) => Err(error),
    }
}

fn back(id: ConnectionId) -> String {
    format!("/console/connections/{id}/files")
}

fn read(visit: &Visit) -> Result<Selection, Error> {
    let form = &visit.form;
    match form.text("which") {
        "all" => Ok(Selection::All),
        "tags" => {
            let lines = form.text("tags").lines().map(str::trim);
            let tags: BTreeSet<String> = lines
                .filter(|line| !line.is_empty())
                .map(ToOwned::to_owned)
                .collect();
            Selection::tagged(tags).map_err(|error| Error::field("tags", error))
        }
        "within" => {
            let hours: u32 = form.required("hours")?;
            let window = Duration::from_secs(u64::from(hours).saturating_mul(HOUR));
            Selection::updated_within(window).map_err(|error| Error::field("hours", error))
        }
        _ => Err(Error::field("which", "all, tags or within")),
    }
}

async fn ask_unshare(visit: Visit) -> Outcome {
    let shown = Shown::of(&visit).await?;
    let body = confirm(
        &visit,
        visit.path(),
        "Share no files",
        &back(shown.connection().id),
        &html! {
            h1 { "Share no files with " (shown.peer()) "?" }
            p { "What will be lost: " strong { (shown.peer()) } " loses every copy of a file that it imported over this connection." }
            p { "Files here stay. Sharing them again sends them again." }
        },
    );
    visit.page(&shown.page("Share no files"), &body)
}

async fn unshare(visit: Visit) -> Outcome {
    let id: ConnectionId = visit.id("id", "connection")?;
    visit.node().unshare_artifacts(&visit.caller, id).await?;
    visit.done(&back(id), "No files are shared any more.")
}
