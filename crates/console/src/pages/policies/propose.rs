//! Proposing a policy.

use std::collections::BTreeSet;

use maud::{Markup, html};
use peerd_core::address::Cidr;
use peerd_core::authz::Action;
use peerd_core::policy::{Enrollments, Justification, Rule};
use peerd_node::Error;
use peerd_node::policy::PolicyView;

use crate::fields::Fields;
use crate::layout::{Page, Section};
use crate::parts::{alert, form_token, hours_field, select_field, text_area, text_field};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit, is_correctable};

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get("/console/policies/propose", Action::PolicyPropose, form),
        post("/console/policies/propose", Action::PolicyPropose, propose),
    ]
}

fn page() -> Page<'static> {
    Page::new(Section::Control, "Propose a policy").below("/console/policies", "Policies")
}

async fn form(visit: Visit) -> Outcome {
    let body = sheet(&visit, &visit.query, None);
    visit.page(&page(), &body)
}

fn sheet(visit: &Visit, fields: &Fields, error: Option<&Error>) -> Markup {
    let sides = [
        ("egress", "Egress: what may go out"),
        ("ingress", "Ingress: what may come in"),
    ]
    .map(|(value, title)| (value.to_owned(), title.to_owned()));
    html! {
        h1 { "Propose a policy" }
        (alert(error))
        form.card method="post" action="/console/policies/propose" {
            (form_token(visit))
            (select_field(fields, "side", "Direction", "", &sides))
            fieldset {
                legend { "Egress" }
                div.pair {
                    (text_field(fields, "destination", "Destination", "A host name, *.name, an IP address or a network"))
                    (text_field(fields, "ports", "Ports", "One, or two with a hyphen between"))
                }
            }
            fieldset {
                legend { "Ingress" }
                (text_field(fields, "sources", "Sources", "Networks such as 192.0.2.0/24, with spaces between"))
            }
            (text_area(fields, "enrollments", "Enrollments", "Ids, one a line, or any", 2))
            (text_field(fields, "justification", "Justification", "Whoever decides reads it."))
            (hours_field(fields, "hours", "Expires after", Some("never")))
            p.actions {
                button.primary type="submit" { "Propose" }
                @if visit.may(Action::PolicyApprove) {
                    " "
                    button type="submit" name="approve" value="yes" { "Propose and approve" }
                }
            }
        }
    }
}

async fn propose(visit: Visit) -> Outcome {
    match proposed(&visit).await {
        Ok(view) => {
            let to = if visit.may(Action::PolicyShow) {
                format!("/console/policies/{}", view.policy.id())
            } else {
                "/console/".to_owned()
            };
            visit.done(&to, format!("Proposed. The policy is {}.", view.standing))
        }
        Err(error) if is_correctable(&error) => {
            let body = sheet(&visit, &visit.form, Some(&error));
            visit.again(&error, &page(), &body)
        }
        Err(error) => Err(error),
    }
}

async fn proposed(visit: &Visit) -> Result<PolicyView, Error> {
    let form = &visit.form;
    let why: Justification = form.required("justification")?;
    let (rule, lifetime) = (rule(form)?, form.hours("hours")?);
    let approve = form.has("approve", "yes");
    visit
        .node()
        .propose_policy(&visit.caller, rule, why, lifetime, approve)
        .await
}

fn rule(form: &Fields) -> Result<Rule, Error> {
    let words = |name| {
        form.text(name)
            .split([' ', ',', '\n', '\r', '\t'])
            .filter(|text| !text.is_empty())
    };
    let enrollments = Enrollments::from_texts(words("enrollments"));
    let enrollments = enrollments.map_err(|problem| Error::field("enrollments", problem))?;
    match form.text("side") {
        "egress" => Ok(Rule::Egress {
            destination: form.required("destination")?,
            ports: form.required("ports")?,
            enrollments,
        }),
        "ingress" => {
            let sources = words("sources").map(|text| {
                let source: Result<Cidr, _> = text.parse();
                source.map_err(|problem| Error::field("sources", problem))
            });
            Ok(Rule::Ingress {
                sources: sources.collect::<Result<BTreeSet<_>, Error>>()?,
                enrollments,
            })
        }
        _ => Err(Error::field("side", "egress or ingress")),
    }
}
