//! Asking for a connection, and looking at the code without using it.

use std::time::Duration;

use peerd_core::Reason;
use peerd_core::link::Direction;
use peerd_core::peering::Flow;
use peerd_core::policy::Side;
use peerd_store::Table;
use peerd_testkit::{Party, carry};

use crate::pair::{OBJECTS, Pair, ask_over, objects, reason, up_to};

#[tokio::test]
async fn b001_a_request_is_pending_and_gives_its_code_once() {
    let pair = Pair::linked().await;
    let invitation = pair.request().await;
    assert_eq!(pair.stages(invitation.id).await, ("requested", "none"));
    let (_, secret) = invitation.code.split_at(invitation.code.len() / 2);
    for (table, _, value) in pair.a.contents(Table::ALL).await {
        let kept = value.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!kept, "the code is in table {}", table.name());
    }
}

#[tokio::test]
async fn a_request_needs_a_platform_title() {
    let clock = std::sync::Arc::default();
    let a = Party::untitled("a", 1, std::sync::Arc::clone(&clock)).await;
    let b = Party::founded("b", 2, clock.clone()).await;
    for side in [Side::Egress, Side::Ingress] {
        a.permit(side, b.id()).await;
        b.permit(side, a.id()).await;
    }
    let pair = Pair { a, b, clock };
    pair.link().await;
    let refused = pair
        .a
        .node()
        .request_connection(&pair.a.manager, pair.ask(OBJECTS).await)
        .await;
    assert_eq!(reason(refused), Reason::TitleMissing);
}

#[tokio::test]
async fn b049_only_managers_of_the_space_ask_and_answer() {
    let pair = Pair::linked().await;
    let (a, b) = (&pair.a, &pair.b);
    for (caller, word) in [
        (&a.other_manager, Reason::NotSpaceManager),
        (&a.viewer, Reason::RoleInsufficient),
    ] {
        let refused = a.node().request_connection(caller, pair.ask(OBJECTS).await).await;
        assert_eq!(reason(refused), word);
    }
    let invitation = pair.request().await;
    for (caller, word) in [
        (&b.other_manager, Reason::NotSpaceManager),
        (&b.viewer, Reason::RoleInsufficient),
    ] {
        let refused = b
            .node()
            .approve_connection(caller, &invitation.code, "main", None)
            .await;
        assert_eq!(reason(refused), word);
    }
    let why = "no".parse().expect("a remark");
    let refused = b
        .node()
        .reject_connection(&b.viewer, &invitation.code, &why)
        .await;
    assert_eq!(reason(refused), Reason::RoleInsufficient);
    assert_eq!(pair.stages(invitation.id).await, ("requested", "none"));
}

#[tokio::test]
async fn a_request_needs_a_complete_link() {
    let pair = Pair::permitted().await;
    let code = pair.code(Direction::Bidirectional).await;
    let name = "to-a".parse().expect("a name");
    let link = pair.b.node().accept_link(&pair.b.admin, &code, &name).await;
    link.expect("a link that is not complete");
    let mut ask = ask_over("to-a", OBJECTS);
    let refused = pair
        .b
        .node()
        .request_connection(&pair.b.manager, ask.clone())
        .await;
    assert_eq!(reason(refused), Reason::LinkMissing);
    ask.link = "nowhere".into();
    let refused = pair.b.node().request_connection(&pair.b.manager, ask).await;
    assert_eq!(reason(refused), Reason::NotFound);
}

#[tokio::test]
async fn b103_data_goes_out_only_where_both_policies_allow_it() {
    let exports = Flow {
        exports: objects(true),
        imports: objects(false),
    };
    for (out, into) in [(true, true), (true, false), (false, true), (false, false)] {
        let pair = Pair::linked().await;
        let invitation = pair.request_for(exports).await.expect("both allow it so far");
        // The other direction stays allowed: the two can still reach each other.
        if !into {
            pair.b.forbid(Side::Ingress, pair.a.id()).await;
        }
        match (pair.approve(&invitation.code).await, into) {
            (Ok(_), true) => {}
            (Err(error), false) if error.reason() == Reason::IngressDenied => {}
            (outcome, _) => panic!("egress {out}, ingress {into}: {outcome:?}"),
        }
        if !out {
            pair.a.forbid(Side::Egress, pair.b.id()).await;
            let refused = pair.request_for(exports).await;
            assert_eq!(reason(refused), Reason::EgressDenied);
        }
        carry::carry_all(&pair.a, &pair.b).await;
        let expected = match (out, into) {
            (true, true) => ("approved", "approved"),
            (false, true) => ("requested", "approved"),
            (_, false) => ("requested", "none"),
        };
        assert_eq!(pair.stages(invitation.id).await, expected);
    }
}

#[tokio::test]
async fn b103_data_comes_in_only_where_both_policies_allow_it() {
    let imports = Flow {
        exports: objects(false),
        imports: objects(true),
    };
    let pair = Pair::linked().await;
    let invitation = pair.request_for(imports).await.expect("both allow it so far");
    pair.b.forbid(Side::Egress, pair.a.id()).await;
    assert_eq!(reason(pair.approve(&invitation.code).await), Reason::EgressDenied);
    pair.a.forbid(Side::Ingress, pair.b.id()).await;
    assert_eq!(reason(pair.request_for(imports).await), Reason::IngressDenied);
}

#[tokio::test]
async fn b011_a_preview_shows_the_request_and_touches_nothing() {
    let pair = Pair::linked().await;
    let invitation = pair.request_with(up_to("secret")).await;
    let before = (
        pair.a.contents(Table::ALL).await,
        pair.b.contents(Table::ALL).await,
    );
    let shown = pair
        .b
        .node()
        .inspect_invite(&pair.b.manager, &invitation.code)
        .await;
    let shown = shown.expect("a preview");
    assert_eq!(
        (shown.code.connection, shown.code.originator),
        (invitation.id, pair.a.id())
    );
    assert_eq!((shown.code.flow, shown.code.security), (OBJECTS, up_to("secret")));
    assert_eq!(shown.code.expires_at, invitation.expires_at);
    assert_eq!(shown.code.title.to_string(), "a ltd");
    assert!(shown.problems.is_empty(), "{:?}", shown.problems);
    let after = (
        pair.a.contents(Table::ALL).await,
        pair.b.contents(Table::ALL).await,
    );
    assert!(before == after, "a preview wrote something");
}

#[tokio::test]
async fn b011_a_preview_says_what_stands_against_the_code() {
    let pair = Pair::linked().await;
    let invitation = pair.request().await;
    let problems = async |party: &Party| {
        let shown = party
            .node()
            .inspect_invite(&party.manager, &invitation.code)
            .await;
        let problems = shown.expect("a preview").problems;
        problems
            .into_iter()
            .map(|problem| problem.reason)
            .collect::<Vec<_>>()
    };
    let c = Party::founded("c", 3, pair.clock.clone()).await;
    assert!(problems(&c).await.contains(&Reason::CodeNotForUs));
    assert!(problems(&c).await.contains(&Reason::LinkMissing));
    assert!(problems(&pair.a).await.contains(&Reason::CodeOwn));
    pair.b.forbid(Side::Ingress, pair.a.id()).await;
    assert_eq!(problems(&pair.b).await, [Reason::IngressDenied]);
    pair.b.permit(Side::Ingress, pair.a.id()).await;
    pair.approve(&invitation.code).await.expect("an approval");
    assert_eq!(problems(&pair.b).await, [Reason::CodeUsed]);
    pair.clock.advance(Duration::from_hours(72));
    assert!(problems(&pair.b).await.contains(&Reason::CodeExpired));
}
