//! Fields of forms. Every one has a label, and what is wrong or needed is said beside it.

use maud::{Markup, html};
use peerd_core::name::Name;
use peerd_core::peering::DataTypes;
use peerd_core::security::{Levels, Security};
use peerd_node::Error;

use super::form_token;
use crate::fields::Fields;
use crate::visit::Visit;

/// One line of text.
pub(crate) fn text_field(fields: &Fields, name: &str, label: &str, hint: &str) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            input id=(name) name=(name) value=(fields.text(name)) autocomplete="off" spellcheck="false"
                aria-describedby=[(!hint.is_empty()).then(|| format!("{name}-hint"))];
            @if !hint.is_empty() { p.hint id={ (name) "-hint" } { (hint) } }
        }
    }
}

/// Several lines of text.
pub(crate) fn text_area(fields: &Fields, name: &str, label: &str, hint: &str, rows: u32) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            textarea id=(name) name=(name) rows=(rows) spellcheck="false"
                aria-describedby=[(!hint.is_empty()).then(|| format!("{name}-hint"))] { (fields.text(name)) }
            @if !hint.is_empty() { p.hint id={ (name) "-hint" } { (hint) } }
        }
    }
}

/// One of several.
pub(crate) fn select_field(
    fields: &Fields,
    name: &str,
    label: &str,
    hint: &str,
    options: &[(String, String)],
) -> Markup {
    let chosen = fields.text(name);
    html! {
        div.field {
            label for=(name) { (label) }
            select id=(name) name=(name) aria-describedby=[(!hint.is_empty()).then(|| format!("{name}-hint"))] {
                @for (value, title) in options {
                    option value=(value) selected[value == chosen] { (title) }
                }
            }
            @if !hint.is_empty() { p.hint id={ (name) "-hint" } { (hint) } }
        }
    }
}

/// How long something is valid.
pub(crate) fn hours_field(fields: &Fields, name: &str, label: &str, none: Option<&str>) -> Markup {
    let mut options: Vec<(String, String)> = none
        .into_iter()
        .map(|none| (String::new(), none.to_owned()))
        .collect();
    let spans = [
        ("1", "1 hour"),
        ("8", "8 hours"),
        ("24", "1 day"),
        ("72", "3 days"),
        ("168", "7 days"),
        ("720", "30 days"),
    ];
    options.extend(spans.map(|(hours, title)| (hours.to_owned(), title.to_owned())));
    select_field(fields, name, label, "", &options)
}

/// Several boxes that belong together.
#[derive(Debug)]
pub(crate) struct Choices<'a> {
    pub(crate) name: &'a str,
    pub(crate) legend: &'a str,
    pub(crate) hint: &'a str,
    /// Values, titles, and whether they are ticked.
    pub(crate) boxes: Vec<(String, String, bool)>,
}

/// The boxes.
pub(crate) fn choices(of: &Choices<'_>) -> Markup {
    let Choices {
        name,
        legend,
        hint,
        boxes,
    } = of;
    html! {
        fieldset.choices {
            legend { (legend) }
            @if !hint.is_empty() { p.hint { (hint) } }
            div.boxes {
                @for (value, title, ticked) in boxes {
                    label { input type="checkbox" name=(name) value=(value) checked[*ticked]; " " (title) }
                }
            }
        }
    }
}

/// What goes out and what comes in.
pub(crate) fn data_types_fields(exports: DataTypes, imports: DataTypes) -> Markup {
    html! {
        div.pair {
            (data_type_boxes("export", "Export, from here to there", exports))
            (data_type_boxes("import", "Import, from there to here", imports))
        }
    }
}

/// Kinds of data one way.
fn data_type_boxes(name: &str, legend: &str, types: DataTypes) -> Markup {
    choices(&Choices {
        name,
        legend,
        hint: "",
        boxes: vec![
            ("objects".into(), "Objects".into(), types.objects),
            ("artifacts".into(), "Artifacts".into(), types.artifacts),
        ],
    })
}

/// The levels and markings that the visitor can choose among.
pub(crate) async fn known_security(visit: &Visit) -> Result<(Levels, Vec<Name>), Error> {
    let levels = visit.node().show_levels(&visit.caller).await?;
    if !visit.may(peerd_core::authz::Action::MarkingList) {
        return Ok((levels, Vec::new()));
    }
    let (markings, _) = visit.node().list_markings(&visit.caller, None, 1_000).await?;
    Ok((levels, markings.into_iter().map(|marking| marking.name).collect()))
}

/// The classification and markings of a connection to choose.
pub(crate) fn security_fields(levels: &[Name], markings: &[Name], chosen: &Security) -> Markup {
    let hint = "Data crosses only if its level is at most this one and each of its markings is ticked.";
    security_choice(levels, markings, chosen, ("Highest classification", hint))
}

/// The classification and markings of something that may cross to choose.
pub(crate) fn own_security_fields(levels: &[Name], markings: &[Name], chosen: &Security) -> Markup {
    let hint = "It crosses only connections that reach this level and have each of its markings.";
    security_choice(levels, markings, chosen, ("Classification", hint))
}

fn security_choice(
    levels: &[Name],
    markings: &[Name],
    chosen: &Security,
    (label, hint): (&str, &str),
) -> Markup {
    let mut options = vec![(String::new(), "unclassified".to_owned())];
    options.extend(levels.iter().map(|level| (level.to_string(), level.to_string())));
    let level = chosen.classification.as_ref().map_or("", Name::as_str);
    html! {
        fieldset.security {
            legend { "Security" }
            p.hint { (hint) }
            div.field {
                label for="classification" { (label) }
                select #classification name="classification" {
                    @for (value, title) in &options {
                        option value=(value) selected[value == level] { (title) }
                    }
                }
            }
            @if markings.is_empty() {
                p.none { "No markings." }
            } @else {
                (choices(&Choices {
                    name: "marking",
                    legend: "Markings",
                    hint: "",
                    boxes: markings
                        .iter()
                        .map(|name| (name.to_string(), name.to_string(), chosen.markings.contains(name)))
                        .collect(),
                }))
            }
        }
    }
}

/// The button that sends a form.
pub(crate) fn submit(label: &str) -> Markup {
    html! { p.actions { button.primary type="submit" { (label) } } }
}

/// A form that asks once more before something is lost.
pub(crate) fn confirm(visit: &Visit, action: &str, label: &str, back: &str, body: &Markup) -> Markup {
    html! {
        form.card.confirm method="post" action=(action) {
            (form_token(visit))
            (body)
            p.actions {
                button.danger type="submit" { (label) }
                " "
                a.button href=(back) data-close { "Cancel" }
            }
        }
    }
}
