//! What is around every page: the head, where one can go, what was just done.

use http::StatusCode;
use maud::{DOCTYPE, Markup, html};
use peerd_core::authz::Action;
use peerd_core::reason::Code;
use peerd_node::Error;

use crate::assets;
use crate::parts::form_token;
use crate::visit::{Visit, html as answer};

/// The parts of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Connections,
    Network,
    Objects,
    Files,
    Control,
}

/// What a page says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Page<'a> {
    /// Its heading, and what the browser's tab says.
    pub(crate) title: &'a str,
    /// The part it belongs to.
    pub(crate) section: Section,
    /// The pages above it: paths and titles.
    pub(crate) above: Vec<(String, String)>,
    /// Where its live updates come from.
    pub(crate) live: Option<String>,
}

impl<'a> Page<'a> {
    pub(crate) fn new(section: Section, title: &'a str) -> Page<'a> {
        Page {
            title,
            section,
            above: Vec::new(),
            live: None,
        }
    }

    /// Below another page.
    pub(crate) fn below(mut self, path: impl Into<String>, title: impl Into<String>) -> Page<'a> {
        self.above.push((path.into(), title.into()));
        self
    }

    /// With live updates from there.
    pub(crate) fn live(mut self, from: impl Into<String>) -> Page<'a> {
        self.live = Some(from.into());
        self
    }
}

/// The parts with their first pages, and what a visitor must be able to do to be shown one.
const NAVIGATION: &[(Section, &str, &str, Option<Action>)] = &[
    (Section::Connections, "Connections", "/console/", None),
    (
        Section::Network,
        "Network",
        "/console/network",
        Some(Action::LinkList),
    ),
    (
        Section::Objects,
        "Objects",
        "/console/objects",
        Some(Action::ObjectList),
    ),
    (
        Section::Files,
        "Files",
        "/console/files",
        Some(Action::ArtifactList),
    ),
    (Section::Control, "Control Panel", "/console/control", None),
];

/// The pages of the Control Panel.
const CONTROL: &[(&str, &str, Action)] = &[
    ("/console/control", "Enrollment", Action::EnrollmentShow),
    ("/console/policies", "Policies", Action::PolicyList),
    ("/console/spaces", "Spaces", Action::SpaceList),
    ("/console/principals", "Principals", Action::PrincipalList),
    ("/console/security", "Markings and levels", Action::MarkingList),
    ("/console/audit", "Audit log", Action::AuditList),
];

/// A whole page.
pub(crate) fn page(visit: &Visit, page: &Page<'_>, body: &Markup) -> Markup {
    let enrollment = &visit.enrollment;
    let of = enrollment
        .title
        .as_ref()
        .map_or(enrollment.name.as_str(), |title| title.as_str());
    let inner = html! {
        header.top {
            a.brand href="/console/" { span.mark aria-hidden="true" {} span.of { (of) } }
            nav.main aria-label="Main" {
                @for (section, title, path, action) in NAVIGATION {
                    @if action.is_none_or(|it| visit.may(it)) {
                        a href=(path) aria-current=[(*section == page.section).then_some("page")] { (title) }
                    }
                }
            }
            form.who method="post" action="/console/sign-out" {
                (form_token(visit))
                span.name title=(visit.caller.principal().role.word()) { (visit.caller.principal().name) }
                button.quiet type="submit" { "Sign out" }
            }
        }
        @if page.section == Section::Control {
            nav.sub aria-label="Control Panel" {
                @for (path, title, action) in CONTROL {
                    @if visit.may(*action) {
                        a href=(path) aria-current=[visit.path().starts_with(path).then_some("page")] { (title) }
                    }
                }
            }
        }
        main #main tabindex="-1" data-live=[page.live.as_deref()] {
            @if !page.above.is_empty() {
                nav.above aria-label="Breadcrumb" {
                    ol {
                        @for (path, title) in &page.above { li { a href=(path) { (title) } } }
                        li aria-current="page" { (page.title) }
                    }
                }
            }
            div #notice role="status" aria-live="polite" {
                @if let Some(notice) = &visit.notice { p.notice { (notice) } }
            }
            (body)
        }
        footer {
            "peerd " (visit.console().about.version) " · " span.id title="Enrollment id" { (enrollment.id) }
            @if page.live.is_some() {
                " · " span #live-state { "Reload for news" }
            }
        }
    };
    document(&format!("{} · {of}", page.title), &inner)
}

/// A page for somebody who is not signed in.
pub(crate) fn outside(title: &str, body: &Markup) -> Markup {
    let inner = html! {
        main.outside #main tabindex="-1" { (body) }
    };
    document(title, &inner)
}

fn document(title: &str, inner: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="stylesheet" href=(assets::path("console.css"));
                link rel="icon" href=(assets::path("icon.svg"));
                script type="module" src=(assets::path("console.js")) {}
            }
            body {
                a.skip href="#main" { "Skip to content" }
                (inner)
            }
        }
    }
}

/// What a failure is called.
fn heading(code: Code) -> &'static str {
    match code {
        Code::Invalid => "That cannot be read",
        Code::Unauthenticated => "Sign in first",
        Code::Denied => "Not allowed",
        Code::NotFound => "Not found",
        Code::Exists => "It exists already",
        Code::Conflict => "Not possible now",
        Code::Exhausted => "Too much",
        Code::Unavailable => "Not available now",
        Code::Timeout => "It took too long",
        Code::Unsupported => "Not offered",
        Code::Internal => "A fault of this daemon",
    }
}

/// The page that says how something failed, for somebody of whom no more is known than whether they have a session.
pub(crate) fn failure(
    error: &Error,
    back: &str,
    request_id: &str,
    signed_in: bool,
) -> axum::response::Response {
    let code = error.reason().code();
    let body = html! {
        h1 { (heading(code)) }
        (why(error, request_id))
        p {
            @if signed_in && code != Code::Unauthenticated {
                a.button href=(back) { "Go back" }
            } @else {
                a.button href="/console/sign-in" { "Sign in" }
            }
        }
    };
    answer(status(code), outside(heading(code), &body))
}

/// The same for a visitor, with everything around it.
pub(crate) fn failed(visit: &Visit, error: &Error, back: &str, request_id: &str) -> axum::response::Response {
    let code = error.reason().code();
    let section = section_of(visit.path());
    let body = html! {
        h1 { (heading(code)) }
        section.card.step.refused {
            (why(error, request_id))
            p { a.button href=(back) { "Go back" } }
        }
    };
    answer(
        status(code),
        page(visit, &Page::new(section, heading(code)), &body),
    )
}

/// The part of the console that a path belongs to.
fn section_of(path: &str) -> Section {
    let any = |prefixes: &[&str]| prefixes.iter().any(|prefix| path.starts_with(prefix));
    if any(&["/console/network", "/console/link-code"]) {
        Section::Network
    } else if any(&["/console/objects", "/console/ontology"]) {
        Section::Objects
    } else if any(&["/console/files"]) {
        Section::Files
    } else if CONTROL.iter().any(|(page, ..)| path.starts_with(page)) {
        Section::Control
    } else {
        Section::Connections
    }
}

fn status(code: Code) -> StatusCode {
    StatusCode::from_u16(code.http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// What failed and why. A fault of ours says no more than where the log has it.
fn why(error: &Error, request_id: &str) -> Markup {
    let reason = error.reason();
    let explanation = reason.explanation().trim();
    html! {
        @if reason.code() == Code::Internal {
            p { "Request " code { (request_id) } " finds it in the log." }
        } @else {
            p.told { (error.told()) }
            @if explanation != error.told() { p { (explanation) } }
        }
        p.reason { "Reason " code { (reason.word()) } }
    }
}
