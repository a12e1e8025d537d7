//! What pages are made of.

use maud::{Markup, html};
use peerd_core::Time;
use peerd_core::authz::Action;
use peerd_core::link::Status;
use peerd_core::name::Name;
use peerd_core::peering::{DataTypes, Flow, Stage};
use peerd_core::security::Security;
use peerd_node::Error;

use crate::guard::FORM_TOKEN;
use crate::visit::Visit;

mod amount;
mod form;
mod name;
mod remedy;

pub(crate) use amount::{grouped, rate_in_words, size, size_in_words, sparkline};
pub(crate) use form::{
    Choices, choices, confirm, data_types_fields, hours_field, known_security, own_security_fields,
    security_fields, select_field, submit, text_area, text_field,
};
pub(crate) use name::{disposition, file_name};
pub(crate) use remedy::remedy;

/// The hidden field that every form carries.
pub(crate) fn form_token(visit: &Visit) -> Markup {
    html! { input type="hidden" name=(FORM_TOKEN) value=(visit.form_token); }
}

/// A form of one button.
pub(crate) fn button_form(visit: &Visit, action: &str, label: &str, class: &str) -> Markup {
    html! {
        form.inline method="post" action=(action) {
            (form_token(visit))
            button class=(class) type="submit" { (label) }
        }
    }
}

/// A point in time, in UTC; a script shows it in the viewer's zone and leaves the exact one to be seen.
pub(crate) fn when(time: Time) -> Markup {
    written(&time.to_string())
}

fn written(exact: &str) -> Markup {
    let minute = exact.get(..16).filter(|_| exact.ends_with('Z'));
    let short = minute.map(|minute| format!("{} UTC", minute.replace('T', " ")));
    let short = short.as_deref().unwrap_or(exact);
    html! { time datetime=(exact) title=(exact) { (short) } }
}

/// A sentence of the node, with the times in it as times.
pub(crate) fn sentence(text: &str) -> Markup {
    let is_time =
        |word: &str| word.len() >= 20 && word.ends_with('Z') && word.as_bytes().get(10) == Some(&b'T');
    html! {
        @for (place, word) in text.split(' ').enumerate() {
            @if place > 0 { " " }
            @if is_time(word) { (written(word)) } @else { (word) }
        }
    }
}

/// A point in time that may not have come.
pub(crate) fn when_known(time: Option<Time>) -> Markup {
    if let Some(time) = time {
        when(time)
    } else {
        html! { span.none { "never" } }
    }
}

/// A status with a shape beside its word, so that colour is never all that tells.
pub(crate) fn badge(status: Status) -> Markup {
    html! { span class={ "badge " (status.as_str()) } { (status.as_str()) } }
}

/// A stage.
pub(crate) fn stage(stage: &Stage) -> Markup {
    html! { span class={ "stage " (stage.name()) } { (stage.name()) } }
}

/// A text that is long, cut in the middle of a table and whole on hover.
#[expect(clippy::needless_pass_by_value, reason = "ids are small and made on the spot")]
pub(crate) fn id(text: impl ToString) -> Markup {
    let text = text.to_string();
    html! { span.id title=(text) { (text) } }
}

/// Kinds of data in words.
pub(crate) fn data_types(types: DataTypes) -> &'static str {
    match (types.objects, types.artifacts) {
        (true, true) => "objects, artifacts",
        (true, false) => "objects",
        (false, true) => "artifacts",
        (false, false) => "nothing",
    }
}

/// What flows which way, in words.
pub(crate) fn flow(flow: Flow) -> Markup {
    html! {
        @if flow.is_empty() { span.none { "nothing" } }
        @if !flow.exports.is_empty() { span.way { "export " (data_types(flow.exports)) } }
        @if !flow.imports.is_empty() { span.way { "import " (data_types(flow.imports)) } }
    }
}

/// A classification and markings. A marking that the viewer may not know of is `Unknown`.
pub(crate) fn security(visit: &Visit, security: &Security) -> Markup {
    let named = visit.may(Action::MarkingList);
    html! {
        span.level { (security.classification.as_ref().map_or("unclassified", Name::as_str)) }
        @for marking in &security.markings {
            " "
            span.marking { @if named { (marking) } @else { "Unknown" } }
        }
    }
}

/// An error on the page it belongs to.
pub(crate) fn alert(error: Option<&Error>) -> Markup {
    html! {
        @if let Some(error) = error {
            div.alert role="alert" {
                p { (error.told()) }
                p.reason { "Reason " code { (error.reason().word()) } }
            }
        }
    }
}

/// Nothing to show, and what to do about it.
pub(crate) fn empty(what: &str, next: &Markup) -> Markup {
    html! { div.empty { p.what { (what) } p { (next) } } }
}

/// Terms and what they are.
pub(crate) fn facts(rows: Vec<(&str, Markup)>) -> Markup {
    html! {
        dl.facts {
            @for (term, value) in rows { div { dt { (term) } dd { (value) } } }
        }
    }
}

/// A way to the next page of a list.
pub(crate) fn more(path: &str, after: Option<String>) -> Markup {
    html! {
        @if let Some(after) = after {
            @let after: String = form_urlencoded::byte_serialize(after.as_bytes()).collect();
            @let join = if path.contains('?') { "&" } else { "?" };
            nav.more aria-label="Pages" { a.button href={ (path) (join) "after=" (after) } { "Next page" } }
        }
    }
}

/// A text that can be copied with one button, where scripts run.
pub(crate) fn copyable(label: &str, text: &str) -> Markup {
    html! {
        div.copyable {
            textarea #code readonly rows="5" spellcheck="false" aria-label=(label) { (text) }
            button.primary type="button" data-copy="code" hidden { "Copy " (label) }
        }
    }
}

/// A short text with a small button that copies it, where scripts run.
pub(crate) fn copyable_line(name: &str, label: &str, text: &str) -> Markup {
    html! {
        span.copyable-line {
            code.whole id=(name) { (text) }
            " "
            button.quiet type="button" data-copy=(name) hidden { "Copy" span.hidden { " " (label) } }
        }
    }
}
