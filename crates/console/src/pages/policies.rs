//! Ingress and egress policies: proposals, decisions, and the dry run.

use maud::{Markup, html};
use peerd_core::PolicyId;
use peerd_core::authz::Action;
use peerd_core::policy::{Enrollments, Rule, Side, Standing};
use peerd_node::policy::{PolicyDecision, PolicyView};

use crate::layout::{Page, Section};
use crate::parts::{button_form, confirm, empty, facts, id, more, when, when_known};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit, segment};

mod check;
mod propose;

/// How many policies one page shows.
const ROWS: usize = 100;

pub(crate) fn routes() -> Vec<Entry> {
    let mut routes = vec![
        get("/console/policies", Action::PolicyList, list),
        get("/console/policies/{policy}", Action::PolicyShow, show),
        post(
            "/console/policies/{policy}/approve",
            Action::PolicyApprove,
            approve,
        ),
        post("/console/policies/{policy}/pause", Action::PolicyPause, pause),
        post("/console/policies/{policy}/resume", Action::PolicyResume, resume),
        get(
            "/console/policies/{policy}/revoke",
            Action::PolicyRevoke,
            ask_revoke,
        ),
        post("/console/policies/{policy}/revoke", Action::PolicyRevoke, revoke),
    ];
    routes.extend(propose::routes());
    routes.extend(check::routes());
    routes
}

async fn list(visit: Visit) -> Outcome {
    let side = match visit.query.text("side") {
        "egress" => Some(Side::Egress),
        "ingress" => Some(Side::Ingress),
        _ => None,
    };
    let after = visit.query.optional("after")?;
    let listed = visit.node().list_policies(&visit.caller, side, after, ROWS).await;
    let (policies, next) = listed?;
    let here = match side {
        None => "/console/policies".to_owned(),
        Some(side) => format!("/console/policies?side={side}"),
    };
    let filter = |to: &str, of: Option<Side>, title: &str| {
        html! { a href=(to) aria-current=[(side == of).then_some("page")] { (title) } }
    };
    let body = html! {
        div.head {
            h1 { "Policies" }
            div.buttons {
                a.button.primary href="/console/policies/propose" { "Propose a policy" }
                @if visit.may(Action::PolicyCheck) { a.button href="/console/policies/check" { "Dry run" } }
            }
        }
        nav.filter aria-label="Which policies" {
            (filter("/console/policies", None, "All"))
            (filter("/console/policies?side=egress", Some(Side::Egress), "Egress"))
            (filter("/console/policies?side=ingress", Some(Side::Ingress), "Ingress"))
        }
        @if policies.is_empty() {
            (empty("There is no policy.", &html! { "Whatever no active policy allows is denied: nothing goes out and nothing comes in." }))
        } @else {
            (table(&visit, &policies))
            (more(&here, next.map(|id| id.to_string())))
        }
    };
    visit.page(&Page::new(Section::Control, "Policies"), &body)
}

fn table(visit: &Visit, policies: &[PolicyView]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Policies" {
            table {
                thead { tr {
                    th scope="col" { "Direction" } th scope="col" { "Admits" } th scope="col" { "Enrollments" }
                    th scope="col" { "State" } th scope="col" { "Justification" } th scope="col" { "Proposed" }
                    th scope="col" { span.hidden { "What to do" } }
                } }
                tbody { @for view in policies {
                    tr {
                        th scope="row" { a href={ "/console/policies/" (view.policy.id()) } { (view.policy.rule().side()) } }
                        td { (admits(view.policy.rule())) }
                        td { (enrollments(view.policy.rule())) }
                        td { (standing(view.standing)) }
                        td { (view.policy.justification()) }
                        td { (view.proposed_by) ", " (when(view.policy.proposed().at)) }
                        td.buttons { (buttons(visit, view)) }
                    }
                } }
            }
        }
    }
}

fn standing(standing: Standing) -> Markup {
    let class = match standing {
        Standing::Active => "healthy",
        Standing::Pending => "pending",
        Standing::Paused => "degraded",
        Standing::Revoked | Standing::Expired => "ended",
    };
    html! { span class={ "badge " (class) } { (standing) } }
}

fn admits(rule: &Rule) -> Markup {
    html! {
        @match rule {
            Rule::Egress { destination, ports, .. } => { span.address { (destination) " : " (ports) } }
            Rule::Ingress { sources, .. } => { @for source in sources { span.address { (source) } " " } }
        }
    }
}

fn enrollments(rule: &Rule) -> Markup {
    let (Rule::Egress { enrollments, .. } | Rule::Ingress { enrollments, .. }) = rule;
    html! {
        @match enrollments {
            Enrollments::Any => "any",
            Enrollments::Only(ids) => { @for one in ids { (id(one)) " " } }
        }
    }
}

fn buttons(visit: &Visit, view: &PolicyView) -> Markup {
    let path = format!("/console/policies/{}", view.policy.id());
    let may = |action| visit.may(action);
    html! {
        @match view.standing {
            Standing::Pending => @if may(Action::PolicyApprove) { (button_form(visit, &format!("{path}/approve"), "Approve", "primary")) },
            Standing::Active => @if may(Action::PolicyPause) { (button_form(visit, &format!("{path}/pause"), "Pause", "")) },
            Standing::Paused => @if may(Action::PolicyResume) { (button_form(visit, &format!("{path}/resume"), "Resume", "")) },
            Standing::Revoked | Standing::Expired => {}
        }
        @if may(Action::PolicyRevoke) && !matches!(view.standing, Standing::Revoked | Standing::Expired) {
            a.button href={ (path) "/revoke" } data-dialog { "Revoke" }
        }
    }
}

async fn show(visit: Visit) -> Outcome {
    let policy: PolicyId = visit.id("policy", "policy")?;
    let view = visit.node().show_policy(&visit.caller, policy).await?;
    let title = format!("{} policy", view.policy.rule().side());
    let decided = view.policy.decided();
    let body = html! {
        div.head { h1 { (title) } p.state { (standing(view.standing)) } }
        section.card {
            (facts(vec![
                ("Admits", admits(view.policy.rule())),
                ("Enrollments", enrollments(view.policy.rule())),
                ("Justification", html! { (view.policy.justification()) }),
                ("Proposed", html! { (view.proposed_by) ", " (when(view.policy.proposed().at)) }),
                ("Last decision", html! {
                    @if let (Some(by), Some(decided)) = (&view.decided_by, decided) { (by) ", " (when(decided.at)) } @else { span.none { "none" } }
                }),
                ("Expires", when_known(view.policy.expires_at())),
                ("Policy", id(view.policy.id())),
            ]))
            p.hint { "A policy never changes and is never deleted: its history is evidence." }
            div.actions { (buttons(&visit, &view)) }
        }
    };
    visit.page(
        &Page::new(Section::Control, &title).below("/console/policies", "Policies"),
        &body,
    )
}

async fn decide(visit: Visit, decision: PolicyDecision, notice: &str) -> Outcome {
    let policy: PolicyId = visit.id("policy", "policy")?;
    visit
        .node()
        .decide_policy(&visit.caller, policy, decision)
        .await?;
    visit.done("/console/policies", notice)
}

async fn approve(visit: Visit) -> Outcome {
    decide(visit, PolicyDecision::Approve, "Approved. It is in force.").await
}

async fn pause(visit: Visit) -> Outcome {
    decide(
        visit,
        PolicyDecision::Pause,
        "Paused. What it alone allowed has stopped.",
    )
    .await
}

async fn resume(visit: Visit) -> Outcome {
    decide(visit, PolicyDecision::Resume, "Resumed. It is in force again.").await
}

async fn ask_revoke(visit: Visit) -> Outcome {
    let policy: PolicyId = visit.id("policy", "policy")?;
    let view = visit.node().show_policy(&visit.caller, policy).await?;
    let back = format!("/console/policies/{}", segment(policy));
    let body = confirm(
        &visit,
        visit.path(),
        "Revoke",
        &back,
        &html! {
            h1 { "Revoke this policy for good?" }
            p { (view.policy.rule().side()) " " (admits(view.policy.rule())) " for " (enrollments(view.policy.rule())) }
            p { "Dials, sessions and data that it alone allows stop within a second. It cannot be resumed; a new one would have to be proposed and approved." }
        },
    );
    visit.page(
        &Page::new(Section::Control, "Revoke").below("/console/policies", "Policies"),
        &body,
    )
}

async fn revoke(visit: Visit) -> Outcome {
    decide(visit, PolicyDecision::Revoke, "Revoked.").await
}
