//! The handshake by forms, on two consoles whose messages are carried by hand.

use std::sync::Arc;

use http::StatusCode;
use peerd_core::authz::Token;
use peerd_core::link::Direction;
use peerd_core::policy::Side;
use peerd_testkit::{Party, TestClock, carry};

use crate::{Desk, Reply, Visitor};

/// Two linked parties with their consoles and an admin at each.
pub(crate) struct Pair {
    pub(crate) a: Party,
    pub(crate) b: Party,
    pub(crate) at_a: (Desk, Visitor),
    at_b: (Desk, Visitor),
}

impl Pair {
    pub(crate) async fn linked() -> Pair {
        let clock = Arc::new(TestClock::default());
        let a = Party::founded("a", 1, Arc::clone(&clock)).await;
        let b = Party::founded("b", 2, clock).await;
        for side in [Side::Egress, Side::Ingress] {
            a.permit(side, b.id()).await;
            b.permit(side, a.id()).await;
        }
        let code = a
            .node()
            .invite_link(&a.admin, Direction::Bidirectional, None)
            .await;
        let name = "to-a".parse().unwrap();
        let accepted = b.node().accept_link(&b.admin, &code.unwrap().code, &name).await;
        accepted.unwrap();
        carry::enroll(&b, &a).await.unwrap();
        let (at_a, at_b) = (desk(&a, 1).await, desk(&b, 2).await);
        Pair { a, b, at_a, at_b }
    }

    /// a asks by the form; the code that is shown.
    pub(crate) async fn code(&self) -> String {
        let link = self.a.link_to(self.b.id()).await.unwrap().id;
        let fields = format!("space=main&link={link}&export=objects&import=objects&hours=72");
        let (desk, visitor) = &self.at_a;
        let sent = desk.post("/console/request", visitor, &fields).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
        let shown = desk.get(&location(&sent), Some(visitor)).await.body;
        assert!(shown.contains("<svg class=\"qr\""));
        let (_, code) = shown.split_once("aria-label=\"invite code\">").unwrap();
        code.split('<').next().unwrap().to_owned()
    }

    pub(crate) async fn at_b(&self, path: &str, fields: &str) -> Reply {
        let (desk, visitor) = &self.at_b;
        desk.post(path, visitor, fields).await
    }
}

/// The console of a party, with the admin that the kit gives it.
async fn desk(party: &Party, number: u8) -> (Desk, Visitor) {
    let desk = Desk::of(party.node(), false);
    let token = Token::from_bytes([number; 32]);
    let visitor = desk.sign_in(&token.expose()).await;
    (desk, visitor)
}

pub(crate) fn location(reply: &Reply) -> String {
    reply.headers["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_request_is_made_inspected_approved_and_activated() {
    let pair = Pair::linked().await;
    let code = pair.code().await;
    let details = pair.at_b("/console/invite", &format!("code={code}")).await;
    assert_eq!(details.status, StatusCode::OK);
    assert!(details.body.contains("a ltd") && details.body.contains("Nothing stands against approving it"));

    let approved = pair
        .at_b("/console/invite/approve", &format!("code={code}&space=main"))
        .await;
    assert_eq!(approved.status, StatusCode::SEE_OTHER, "{}", approved.body);
    let page = location(&approved);
    let early = pair.at_b(&format!("{page}/activate"), "").await;
    assert_eq!(early.status, StatusCode::FORBIDDEN);
    assert!(early.body.contains("NOT_ORIGINATOR"));

    carry::carry_all(&pair.a, &pair.b).await;
    let (desk, visitor) = &pair.at_a;
    let home = desk.get("/console/", Some(visitor)).await.body;
    assert!(home.contains("Review and activate"));
    let shown = desk.get(&page, Some(visitor)).await.body;
    assert!(shown.contains("approved your request"));
    let activated = desk.post(&format!("{page}/activate"), visitor, "").await;
    assert_eq!(activated.status, StatusCode::SEE_OTHER);
    carry::carry_all(&pair.a, &pair.b).await;
    let (desk, visitor) = &pair.at_b;
    let there = desk.get(&page, Some(visitor)).await.body;
    assert!(there.contains("class=\"stage active\""));
}

#[tokio::test]
async fn the_dry_run_says_what_is_missing_and_leads_to_a_proposal_for_it() {
    let pair = Pair::linked().await;
    let code = pair.code().await;
    pair.b.forbid(Side::Ingress, pair.a.id()).await;
    let details = pair.at_b("/console/invite", &format!("code={code}")).await;
    assert!(details.body.contains("INGRESS_DENIED"));
    let proposal = format!(
        "/console/policies/propose?side=ingress&amp;enrollments={}",
        pair.a.id()
    );
    assert!(details.body.contains(&proposal));
    let (desk, visitor) = &pair.at_b;
    let form = desk
        .get(&proposal.replace("&amp;", "&"), Some(visitor))
        .await
        .body;
    assert!(form.contains(&pair.a.id().to_string()));
    assert!(form.contains("<option value=\"ingress\" selected>"));

    let refused = pair
        .at_b("/console/invite/approve", &format!("code={code}&space=main"))
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(pair.b.connections().await.is_empty(), "nothing was done");
}

#[tokio::test]
async fn a_rejection_needs_a_reason_which_reaches_the_other_side() {
    let pair = Pair::linked().await;
    let code = pair.code().await;
    let empty = pair
        .at_b("/console/invite/reject", &format!("code={code}&reason="))
        .await;
    assert_eq!(empty.status, StatusCode::BAD_REQUEST);
    assert!(empty.body.contains(&code), "the code need not be entered again");
    let fields = format!("code={code}&reason=not+this+year");
    let rejected = pair.at_b("/console/invite/reject", &fields).await;
    assert_eq!(rejected.status, StatusCode::SEE_OTHER);
    carry::carry_all(&pair.a, &pair.b).await;
    let (desk, visitor) = &pair.at_a;
    let ended = desk.get("/console/?show=ended", Some(visitor)).await.body;
    assert!(ended.contains("not this year"));
}

#[tokio::test]
async fn a_connection_of_another_space_is_not_there() {
    let pair = Pair::linked().await;
    pair.code().await;
    let id = pair.a.connections().await[0].id;
    let (desk, admin) = &pair.at_a;
    let name = "name=zoe&role=space-manager&space=other";
    let made = desk.post("/console/principals", admin, name).await;
    let shown = desk.get(&location(&made), Some(admin)).await.body;
    let (_, token) = shown.split_once("peerd_").unwrap();
    let other = desk.sign_in(&format!("peerd_{}", &token[..52])).await;
    for below in [
        "",
        "/ontology",
        "/settings",
        "/close",
        "/parked",
        "/files",
        "/mapping",
    ] {
        let path = format!("/console/connections/{id}{below}");
        assert_eq!(
            desk.get(&path, Some(&other)).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    for below in ["", "/files", "/parked"] {
        let stream = format!("/console/events/connection/{id}{below}");
        assert_eq!(
            desk.get(&stream, Some(&other)).await.status,
            StatusCode::NOT_FOUND,
            "{stream}"
        );
    }
    let home = desk.get("/console/", Some(&other)).await.body;
    assert!(!home.contains(&id.to_string()));
}
