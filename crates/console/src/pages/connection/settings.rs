//! What can be changed about a connection.

use maud::{Markup, html};
use peerd_core::authz::Action;
use peerd_core::peering::{Decision, Flow, Halt, Remark, Side, Stage};
use peerd_core::{ChangeRequestId, ConnectionId};
use peerd_node::Error;

use super::Shown;
use crate::parts::{
    alert, button_form, data_types, data_types_fields, empty, form_token, known_security, security,
    security_fields, sentence, submit, text_field, when,
};
use crate::route::{Entry, get, post};
use crate::visit::{Outcome, Visit, is_correctable};

pub(super) fn routes() -> Vec<Entry> {
    vec![
        get("/console/connections/{id}/settings", Action::ConnectionShow, form),
        post(
            "/console/connections/{id}/disable",
            Action::ConnectionDisable,
            disable,
        ),
        post(
            "/console/connections/{id}/enable",
            Action::ConnectionEnable,
            enable,
        ),
        post("/console/connections/{id}/data", Action::ConnectionSet, set_data),
        post(
            "/console/connections/{id}/pass-on",
            Action::ConnectionSet,
            set_pass_on,
        ),
        post(
            "/console/connections/{id}/propose",
            Action::ConnectionProposeSecurity,
            propose,
        ),
        post(
            "/console/connections/{id}/change/approve",
            Action::ConnectionApproveSecurity,
            approve,
        ),
        post(
            "/console/connections/{id}/change/reject",
            Action::ConnectionRejectSecurity,
            reject,
        ),
    ]
}

async fn form(visit: Visit) -> Outcome {
    let (shown, body) = sheet(&visit, None).await?;
    visit.page(&shown.page("Settings"), &body)
}

async fn sheet(visit: &Visit, error: Option<&Error>) -> Result<(Shown, Markup), Error> {
    let shown = Shown::of(visit).await?;
    let connection = shown.connection();
    let joined = matches!(connection.stage, Stage::Active { .. } | Stage::Disabled { .. });
    let body = html! {
        (shown.head_at(visit, "/settings"))
        (alert(error))
        @if connection.stage.is_final() {
            (empty("This connection is over.", &html! { (sentence(&shown.view.stage_reason())) ". Its record stays as evidence." }))
        } @else { div.narrow {
            @if joined { (status(visit, &shown)) (data(visit, &shown)) (pass_on(visit, &shown)) (change(visit, &shown).await?) }
            @else { (empty("There is nothing to set before the connection is active.", &html! { a href=(shown.path()) { "The overview" } " says what comes next." })) }
            @if joined && shown.may(visit, Action::ConnectionVerify) {
                section.card aria-labelledby="verify" {
                    h2 #verify { "Verify" }
                    p { "Compares what both sides have, type by type. It reads everything that flows." }
                    (button_form(visit, &format!("{}/verify", shown.path()), "Verify now", ""))
                }
            }
            @if shown.may(visit, Action::ConnectionClose) {
                section.card aria-labelledby="close" {
                    h2 #close { "Close" }
                    p { "Ends the connection for both sides, for good. What was imported can be kept or removed." }
                    p.actions { a.button.danger href={ (shown.path()) "/close" } data-dialog { "Close connection" } }
                }
            }
        } }
    };
    Ok((shown, body))
}

fn status(visit: &Visit, shown: &Shown) -> Markup {
    let path = shown.path();
    let halted_here =
        matches!(&shown.connection().stage, Stage::Disabled { halt, .. } if halt.holds(Side::Here));
    let by_them = matches!(
        &shown.connection().stage,
        Stage::Disabled {
            halt: Halt::There(_),
            ..
        }
    );
    html! {
        section.card aria-labelledby="status" {
            h2 #status { "Status" }
            p { (sentence(&shown.view.stage_reason())) "." }
            @if by_them { p.hint { "Only the other side lifts its own stop." } }
            @if halted_here && shown.may(visit, Action::ConnectionEnable) {
                (button_form(visit, &format!("{path}/enable"), "Enable", "primary"))
            } @else if !halted_here && shown.may(visit, Action::ConnectionDisable) {
                p.hint { "Disabling stops all data both ways and keeps what was agreed and how far each type came." }
                (button_form(visit, &format!("{path}/disable"), "Disable", "danger"))
            }
        }
    }
}

fn data(visit: &Visit, shown: &Shown) -> Markup {
    let connection = shown.connection();
    let asked = connection.widening_asked();
    let waits = connection.ours.without(connection.theirs);
    html! {
        section.card aria-labelledby="data" {
            h2 #data { "Data types" }
            @if !asked.is_empty() {
                p { strong { (shown.peer()) } " would also let flow: export " (data_types(asked.exports)) ", import " (data_types(asked.imports)) "." }
            }
            @if !waits.is_empty() {
                p { "Waits for the other side: export " (data_types(waits.exports)) ", import " (data_types(waits.imports)) "." }
            }
            @if shown.may(visit, Action::ConnectionSet) {
                form method="post" action={ (shown.path()) "/data" } {
                    (form_token(visit))
                    (data_types_fields(connection.ours.exports, connection.ours.imports))
                    p.hint { "What is taken away stops at once. What is added flows once the other side allows it too." }
                    (submit("Set data types"))
                }
            } @else { p { "export " (data_types(connection.ours.exports)) ", import " (data_types(connection.ours.imports)) } }
        }
    }
}

fn pass_on(visit: &Visit, shown: &Shown) -> Markup {
    let allowed = shown.connection().re_export;
    html! {
        @if shown.may(visit, Action::ConnectionSet) {
            section.card aria-labelledby="pass-on" {
                h2 #pass-on { "Passing on" }
                p {
                    @if allowed { "Objects that came over other connections go out on this one too." }
                    @else { "Objects that came over other connections do not go out on this one." }
                }
                form.inline method="post" action={ (shown.path()) "/pass-on" } {
                    (form_token(visit))
                    @if !allowed { input type="hidden" name="allowed" value="yes"; }
                    button type="submit" { @if allowed { "Stop passing on, and take back what went out" } @else { "Pass on" } }
                }
            }
        }
    }
}

async fn change(visit: &Visit, shown: &Shown) -> Result<Markup, Error> {
    let connection = shown.connection();
    let (levels, markings) = known_security(visit).await?;
    let path = shown.path();
    Ok(html! {
        section.card aria-labelledby="change" {
            h2 #change { "Security" }
            p { "Now: " (security(visit, &connection.security)) }
            @if let Some(change) = &connection.change {
                p {
                    @if change.by == Side::Here { "Proposed by this side: " } @else { strong { (shown.peer()) } " proposes: " }
                    (security(visit, &change.security)) ", " (when(change.at)) "."
                }
                @if change.by == Side::Here { p.hint { "It takes effect on both sides once the other side approves it." } }
                @else if shown.may(visit, Action::ConnectionApproveSecurity) {
                    form.inline method="post" action={ (path) "/change/approve" } {
                        (form_token(visit))
                        input type="hidden" name="change" value=(change.id);
                        button.primary type="submit" { "Approve change" }
                    }
                    form method="post" action={ (path) "/change/reject" } {
                        (form_token(visit))
                        input type="hidden" name="change" value=(change.id);
                        (text_field(&visit.form, "reason", "Reason for a rejection", "The other side reads it."))
                        p.actions { button.danger type="submit" { "Reject change" } }
                    }
                }
            } @else if shown.may(visit, Action::ConnectionProposeSecurity) {
                form method="post" action={ (path) "/propose" } {
                    (form_token(visit))
                    (security_fields(levels.as_slice(), &markings, &connection.security))
                    p.hint { "The other side approves it; until then nothing changes. Objects that no longer fit are taken back." }
                    (submit("Propose change"))
                }
            }
        }
    })
}

fn back(id: ConnectionId) -> String {
    format!("/console/connections/{id}/settings")
}

async fn disable(visit: Visit) -> Outcome {
    let id = visit.id("id", "connection")?;
    visit.node().disable_connection(&visit.caller, id).await?;
    visit.done(
        &back(id),
        "Disabled. No data flows until this side enables it again.",
    )
}

async fn enable(visit: Visit) -> Outcome {
    let id = visit.id("id", "connection")?;
    visit.node().enable_connection(&visit.caller, id).await?;
    visit.done(&back(id), "Enabled.")
}

async fn set_data(visit: Visit) -> Outcome {
    let id = visit.id("id", "connection")?;
    let flow = Flow {
        exports: visit.form.data_types("export"),
        imports: visit.form.data_types("import"),
    };
    let set = visit
        .node()
        .set_data_types(&visit.caller, id, move |_| flow)
        .await?;
    let waits = set.connection.ours.without(set.connection.theirs);
    let notice = if waits.is_empty() {
        "Data types set."
    } else {
        "Data types set. What is new flows once the other side allows it too."
    };
    visit.done(&back(id), notice)
}

async fn set_pass_on(visit: Visit) -> Outcome {
    let id = visit.id("id", "connection")?;
    let allowed = visit.form.has("allowed", "yes");
    visit.node().set_re_export(&visit.caller, id, allowed).await?;
    visit.done(&back(id), "Set.")
}

async fn propose(visit: Visit) -> Outcome {
    let id: ConnectionId = visit.id("id", "connection")?;
    let proposed = match visit.form.security() {
        Ok(security) => visit.node().propose_security(&visit.caller, id, security).await,
        Err(error) => Err(error),
    };
    match proposed {
        Ok(_) => visit.done(&back(id), "Proposed. The other side decides."),
        Err(error) => again(&visit, error).await,
    }
}

async fn approve(visit: Visit) -> Outcome {
    let id = visit.id("id", "connection")?;
    let change: ChangeRequestId = visit.form.required("change")?;
    let decided = visit
        .node()
        .decide_security(&visit.caller, change, Decision::Approve);
    decided.await?;
    visit.done(&back(id), "Approved. The new security is in force.")
}

async fn reject(visit: Visit) -> Outcome {
    let id = visit.id("id", "connection")?;
    let change: ChangeRequestId = visit.form.required("change")?;
    let decided = match visit.form.required::<Remark>("reason") {
        Ok(remark) => {
            let decision = Decision::Reject { remark };
            visit
                .node()
                .decide_security(&visit.caller, change, decision)
                .await
        }
        Err(error) => Err(error),
    };
    match decided {
        Ok(_) => visit.done(&back(id), "Rejected. The security stays as it was."),
        Err(error) => again(&visit, error).await,
    }
}

async fn again(visit: &Visit, error: Error) -> Outcome {
    if !is_correctable(&error) {
        return Err(error);
    }
    let (shown, body) = sheet(visit, Some(&error)).await?;
    visit.again(&error, &shown.page("Settings"), &body)
}
