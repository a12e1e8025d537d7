//! The dry run: what the policies would answer.

use maud::{Markup, html};
use peerd_core::authz::Action;
use peerd_core::policy::{DataType, Side, Verdict};
use peerd_node::Error;
use peerd_node::policy::{Asked, question};

use crate::layout::{Page, Section};
use crate::parts::{alert, select_field, text_field};
use crate::route::{Entry, get};
use crate::visit::{Outcome, Visit, is_correctable};

pub(super) fn routes() -> Vec<Entry> {
    vec![get("/console/policies/check", Action::PolicyCheck, check)]
}

/// A question changes nothing, so it is asked by GET and can be kept as an address.
async fn check(visit: Visit) -> Outcome {
    let page = Page::new(Section::Control, "Dry run").below("/console/policies", "Policies");
    if visit.query.text("side").is_empty() {
        return visit.page(&page, &sheet(&visit, None, None));
    }
    match asked(&visit).await {
        Ok(verdict) => visit.page(&page, &sheet(&visit, None, Some(&verdict))),
        Err(error) if is_correctable(&error) => {
            let body = sheet(&visit, Some(&error), None);
            visit.again(&error, &page, &body)
        }
        Err(error) => Err(error),
    }
}

async fn asked(visit: &Visit) -> Result<Verdict, Error> {
    let query = &visit.query;
    let asked = Asked {
        side: match query.text("side") {
            "egress" => Side::Egress,
            "ingress" => Side::Ingress,
            _ => return Err(Error::field("side", "egress or ingress")),
        },
        enrollment: query.required("enrollment")?,
        address: query.text("address").trim(),
        data: match query.text("data") {
            "artifacts" => DataType::Artifacts,
            _ => DataType::Objects,
        },
    };
    visit.node().check_policy(&visit.caller, question(&asked)?).await
}

fn sheet(visit: &Visit, error: Option<&Error>, verdict: Option<&Verdict>) -> Markup {
    let fields = &visit.query;
    let owned = |options: &[(&str, &str)]| -> Vec<(String, String)> {
        let owned = |(value, title): &(&str, &str)| ((*value).to_owned(), (*title).to_owned());
        options.iter().map(owned).collect()
    };
    html! {
        h1 { "Dry run" }
        (alert(error))
        @if let Some(verdict) = verdict { (answer(verdict)) }
        form.card method="get" action="/console/policies/check" {
            (select_field(fields, "side", "Direction", "", &owned(&[("egress", "Egress: out"), ("ingress", "Ingress: in")])))
            (text_field(fields, "enrollment", "Enrollment", "The other enrollment's id"))
            (text_field(fields, "address", "Address", "Egress: host:port to dial. Ingress: the source's IP address. Empty asks whether data may flow."))
            (select_field(fields, "data", "Data", "Where no address is given", &owned(&[("objects", "Objects"), ("artifacts", "Artifacts")])))
            p.actions { button.primary type="submit" { "Ask" } }
        }
    }
}

fn answer(verdict: &Verdict) -> Markup {
    let allowed = verdict.is_allowed();
    html! {
        section.card role="status" {
            h2 { @if allowed { "Allowed" } @else { "Denied" } }
            p { (verdict.why) }
            @if !allowed { p.reason { "Reason " code { (verdict.reason_word()) } } }
            @if let Some(policy) = verdict.policy { p { a href={ "/console/policies/" (policy) } { "The policy that decides" } } }
        }
    }
}
