//! The audit log: reading, searching, verifying.

use data_encoding::HEXLOWER;
use maud::{Markup, html};
use peerd_core::audit::{Actor, Outcome as Ending};
use peerd_core::authz::Action;
use peerd_node::Error;
use peerd_node::audit::AuditRecord;

use crate::layout::{Page, Section};
use crate::parts::{button_form, empty, facts, id, select_field, text_field, when};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit};

/// How many records one page shows.
const ROWS: usize = 100;
/// How many records one search reads before it offers to go on.
const SEARCHED_MAX: usize = 5_000;
/// How many records one read asks for.
const CHUNK: usize = 500;

pub(crate) fn routes() -> Vec<Entry> {
    vec![
        get("/console/audit", Action::AuditList, list),
        post("/console/audit/verify", Action::AuditVerify, verify),
    ]
}

/// What was found, and the number to go on before.
struct Found {
    records: Vec<AuditRecord>,
    next: Option<u64>,
}

async fn list(visit: Visit) -> Outcome {
    let found = search(&visit).await?;
    let outcomes = [
        ("", "any"),
        ("done", "done"),
        ("refused", "refused"),
        ("denied", "denied"),
    ]
    .map(|(value, title)| (value.to_owned(), title.to_owned()));
    let body = html! {
        div.head {
            h1 { "Audit log" }
            div.buttons { (button_form(&visit, "/console/audit/verify", "Verify the chain", "")) }
        }
        form.search method="get" action="/console/audit" role="search" {
            (text_field(&visit.query, "text", "Search", "In action, actor, subject, reason and details"))
            (select_field(&visit.query, "outcome", "Outcome", "", &outcomes))
            (select_field(&visit.query, "hours", "Since", "", &since_options()))
            p.actions { button type="submit" { "Search" } }
        }
        @if found.records.is_empty() { (empty("No record fits.", &html! { "Everything that is done, refused or denied here is recorded." })) }
        @else { (table(&found.records)) }
        @if let Some(next) = found.next { (go_on(&visit, next)) }
    };
    visit.page(&Page::new(Section::Control, "Audit log"), &body)
}

fn since_options() -> Vec<(String, String)> {
    [
        ("", "the beginning"),
        ("1", "an hour ago"),
        ("24", "a day ago"),
        ("168", "a week ago"),
        ("720", "30 days ago"),
    ]
    .map(|(value, title)| (value.to_owned(), title.to_owned()))
    .to_vec()
}

async fn search(visit: &Visit) -> Result<Found, Error> {
    let query = &visit.query;
    let since = query.hours("hours")?.map(|span| visit.node().now().minus(span));
    let mut before: Option<u64> = query.optional("after")?;
    let (mut records, mut read) = (Vec::new(), 0);
    loop {
        let listed = visit.node().list_audit_back(&visit.caller, before, CHUNK).await;
        let (page, next) = listed?;
        read += page.len();
        for record in page {
            let number = record.number;
            // Clocks are set back at times, so that an early record does not end the search.
            let late = since.is_none_or(|since| record.fact.at() >= since);
            if late && fits(&record, query.text("text").trim(), query.text("outcome")) {
                records.push(record);
            }
            if records.len() == ROWS {
                let next = (number > 1).then_some(number);
                return Ok(Found { records, next });
            }
        }
        if next.is_none() || read >= SEARCHED_MAX {
            return Ok(Found { records, next });
        }
        before = next;
    }
}

fn fits(record: &AuditRecord, text: &str, outcome: &str) -> bool {
    let fact = &record.fact;
    let (word, reason) = ending(fact.outcome());
    if !outcome.is_empty() && outcome != word {
        return false;
    }
    let has = |part: &str| part.to_lowercase().contains(&text.to_lowercase());
    text.is_empty()
        || has(fact.action())
        || has(&actor(fact.actor()))
        || has(reason)
        || fact.subjects().iter().any(|subject| has(subject))
        || fact.details().iter().any(|(key, value)| has(key) || has(value))
}

fn ending(outcome: Ending) -> (&'static str, &'static str) {
    match outcome {
        Ending::Done => ("done", ""),
        Ending::Refused { reason } => ("refused", reason.word()),
        Ending::Denied { reason } => ("denied", reason.word()),
    }
}

fn actor(actor: &Actor) -> String {
    match actor {
        Actor::Principal { name, .. } => name.to_string(),
        Actor::Peer(enrollment) => format!("peer {enrollment}"),
        Actor::System => "system".to_owned(),
    }
}

fn table(records: &[AuditRecord]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Audit records" {
            table {
                thead { tr {
                    th.number scope="col" { "No." } th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "What" }
                    th scope="col" { "On" } th scope="col" { "Outcome" } th scope="col" { "Details" }
                } }
                tbody { @for record in records { (row(record)) } }
            }
        }
    }
}

fn row(record: &AuditRecord) -> Markup {
    let fact = &record.fact;
    let (word, reason) = ending(fact.outcome());
    let class = match word {
        "done" => "healthy",
        "refused" => "degraded",
        _ => "down",
    };
    html! {
        tr {
            td.number { (record.number) }
            td { (when(fact.at())) }
            td { (id(actor(fact.actor()))) }
            td { (fact.action()) }
            td { @for subject in fact.subjects() { (id(subject)) " " } }
            td { span class={ "badge " (class) } { (word) } @if !reason.is_empty() { " " code { (reason) } } }
            td {
                @for (key, value) in fact.details() { span.detail { (key) " " (value) } " " }
                @if let Some(policy) = fact.policy() { a href={ "/console/policies/" (policy) } { "policy" } }
            }
        }
    }
}

fn go_on(visit: &Visit, after: u64) -> Markup {
    let query = &visit.query;
    let encode = |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let path = format!(
        "/console/audit?text={}&outcome={}&hours={}&after={after}",
        encode(query.text("text")),
        encode(query.text("outcome")),
        encode(query.text("hours")),
    );
    html! { nav.more aria-label="Pages" { a.button href=(path) { "Go on" } } }
}

/// Changes nothing, so that its answer comes at once; a reload verifies again.
async fn verify(visit: Visit) -> Outcome {
    let report = visit.node().verify_audit(&visit.caller).await?;
    let body = html! {
        h1 { @if report.ok { "The chain is whole" } @else { "The chain is broken" } }
        section.card {
            (facts(vec![
                ("Records", html! { (report.records) }),
                ("Head", html! { code.whole { (HEXLOWER.encode(&report.head)) } }),
                ("First that does not fit", html! { @if let Some(bad) = report.first_bad { (bad) } @else { span.none { "none" } } }),
            ]))
            p.hint { "That the newest records were cut off, the chain alone cannot tell: compare the head with one that was noted elsewhere." }
            p.actions { a.button href="/console/audit" { "Audit log" } }
        }
    };
    visit.page(
        &Page::new(Section::Control, "Verification").below("/console/audit", "Audit log"),
        &body,
    )
}
