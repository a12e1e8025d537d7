//! Links: one code or two, used once, by whom they are for.

use std::time::Duration;

use peerd_core::link::{Direction, Stage};
use peerd_core::{LinkId, Reason};
use peerd_node::link::EnrollAttempt;
use peerd_node::peer::Recognised;
use peerd_testkit::{Party, carry};

use crate::pair::{Pair, reason};

async fn accept(party: &Party, code: &str, name: &str) -> Result<LinkId, peerd_node::Error> {
    let name = name.parse().expect("a name");
    let accepted = party.node().accept_link(&party.admin, code, &name).await?;
    Ok(accepted.link.link.id)
}

async fn established(party: &Party, other: &Party) -> bool {
    let links = party.links().await;
    let [link] = links.as_slice() else {
        panic!("one link, not {links:?}")
    };
    let remote = link.remote.as_ref().expect("a pinned enrollment");
    assert_eq!(remote.enrollment, other.id());
    assert!(remote.has_key(&other.node().public_key()));
    matches!(link.stage, Stage::Established { .. })
}

#[tokio::test]
async fn one_code_completes_a_bidirectional_link() {
    let pair = Pair::permitted().await;
    let code = pair.code(Direction::Bidirectional).await;
    accept(&pair.b, &code, "to-a").await.expect("a link");
    assert!(
        !established(&pair.b, &pair.a).await,
        "entering a code proves nothing yet"
    );
    let stranger = pair.a.node().recognise(&pair.b.presented()).await;
    assert_eq!(stranger.expect("a lookup"), Recognised::Stranger);

    carry::enroll(&pair.b, &pair.a).await.expect("an enrollment");
    assert!(established(&pair.a, &pair.b).await && established(&pair.b, &pair.a).await);
    let link = pair.b.link_to(pair.a.id()).await.expect("a link");
    let title = link.remote.and_then(|remote| remote.title).expect("a title");
    assert_eq!(title.to_string(), "a ltd");
    let peer = pair.a.node().recognise(&pair.b.presented()).await;
    assert!(matches!(peer, Ok(Recognised::Peer(peer)) if peer.enrollment() == pair.b.id()));
}

#[tokio::test]
async fn two_codes_complete_a_link_that_the_issuer_alone_may_dial() {
    let pair = Pair::permitted().await;
    let first = pair
        .a
        .node()
        .invite_link(&pair.a.admin, Direction::EgressOnly, None)
        .await;
    let first = first.expect("a code");
    let name = "to-a".parse().expect("a name");
    let accepted = pair.b.node().accept_link(&pair.b.admin, &first.code, &name).await;
    assert!(
        accepted.expect("a link").needs_own_code,
        "b may not dial, so a needs a code of b's"
    );
    assert_eq!(reason(carry::enroll(&pair.b, &pair.a).await), Reason::LinkMissing);

    let second = pair
        .b
        .node()
        .invite_link(&pair.b.admin, Direction::IngressOnly, None)
        .await;
    let second = second.expect("a code");
    accept(&pair.a, &second.code, "to-b").await.expect("a link");
    carry::enroll(&pair.a, &pair.b).await.expect("an enrollment");
    assert!(established(&pair.a, &pair.b).await && established(&pair.b, &pair.a).await);

    // What was given out for the two codes still finds the link they became.
    let kept = pair.a.link_to(pair.b.id()).await.expect("a link").id;
    let alias = pair
        .a
        .node()
        .show_link(&pair.a.admin, &first.id.to_string())
        .await;
    assert_eq!(alias.expect("the link").link.id, kept);
    let kept = pair.b.link_to(pair.a.id()).await.expect("a link").id;
    let alias = pair
        .b
        .node()
        .show_link(&pair.b.admin, &second.id.to_string())
        .await;
    assert_eq!(alias.expect("the link").link.id, kept);
}

#[tokio::test]
async fn b003_a_link_code_is_used_once() {
    let pair = Pair::permitted().await;
    let c = Party::founded("c", 3, pair.clock.clone()).await;
    for side in [
        peerd_core::policy::Side::Egress,
        peerd_core::policy::Side::Ingress,
    ] {
        c.permit(side, pair.a.id()).await;
        pair.a.permit(side, c.id()).await;
    }
    let code = pair.code(Direction::Bidirectional).await;
    accept(&pair.b, &code, "to-a").await.expect("a link");
    accept(&c, &code, "to-a").await.expect("a link");
    carry::enroll(&pair.b, &pair.a).await.expect("an enrollment");
    assert_eq!(reason(carry::enroll(&c, &pair.a).await), Reason::ProofInvalid);
    assert!(established(&pair.a, &pair.b).await, "the first stays");
    let knocks = pair.a.node().list_knocks(&pair.a.admin).await.expect("knocks");
    assert!(knocks.iter().any(|knock| knock.enrollment == Some(c.id())));
}

#[tokio::test]
async fn b003_two_enrollments_race_for_one_link_code() {
    let pair = Pair::permitted().await;
    let c = Party::founded("c", 3, pair.clock.clone()).await;
    c.permit(peerd_core::policy::Side::Egress, pair.a.id()).await;
    pair.a.permit(peerd_core::policy::Side::Ingress, c.id()).await;
    let code = pair.code(Direction::Bidirectional).await;
    accept(&pair.b, &code, "to-a").await.expect("a link");
    accept(&c, &code, "to-a").await.expect("a link");
    let (b, c) = tokio::join!(carry::enroll(&pair.b, &pair.a), carry::enroll(&c, &pair.a));
    assert_eq!([b.is_ok(), c.is_ok()].iter().filter(|won| **won).count(), 1);
}

#[tokio::test]
async fn b004_an_expired_link_code_is_refused_at_both_ends() {
    let pair = Pair::permitted().await;
    let early = pair.code(Direction::Bidirectional).await;
    accept(&pair.b, &early, "to-a").await.expect("a link");
    pair.clock.advance(Duration::from_hours(72));
    assert_eq!(
        reason(carry::enroll(&pair.b, &pair.a).await),
        Reason::ProofInvalid
    );
    let c = Party::founded("c", 3, pair.clock.clone()).await;
    assert_eq!(reason(accept(&c, &early, "to-a").await), Reason::CodeExpired);
}

#[tokio::test]
async fn b005_a_revoked_link_code_is_refused() {
    let pair = Pair::permitted().await;
    let invited = pair
        .a
        .node()
        .invite_link(&pair.a.admin, Direction::Bidirectional, None)
        .await;
    let invited = invited.expect("a code");
    accept(&pair.b, &invited.code, "to-a").await.expect("a link");
    let removed = pair
        .a
        .node()
        .remove_link(&pair.a.admin, &invited.id.to_string())
        .await;
    removed.expect("a revoked code");
    assert_eq!(
        reason(carry::enroll(&pair.b, &pair.a).await),
        Reason::ProofInvalid
    );
    assert!(pair.a.links().await.is_empty());
}

#[tokio::test]
async fn b010_the_own_link_code_is_refused() {
    let pair = Pair::permitted().await;
    let code = pair.code(Direction::Bidirectional).await;
    assert_eq!(reason(accept(&pair.a, &code, "to-self").await), Reason::CodeOwn);
    let (_, problems) = pair
        .a
        .node()
        .inspect_link_code(&pair.a.admin, &code)
        .await
        .expect("a code");
    assert!(problems.iter().any(|problem| problem.reason == Reason::CodeOwn));
}

#[tokio::test]
async fn b013_a_proof_is_for_one_link_and_one_session() {
    let pair = Pair::permitted().await;
    let code = pair.code(Direction::Bidirectional).await;
    let other = pair
        .a
        .node()
        .invite_link(&pair.a.admin, Direction::Bidirectional, None)
        .await;
    let other = other.expect("a code").id;
    let link = accept(&pair.b, &code, "to-a").await.expect("a link");
    let due = pair
        .b
        .node()
        .enrollment_due(link, &[1; 32])
        .await
        .expect("a link")
        .expect("a proof");
    let attempt = |link, binding| EnrollAttempt {
        link,
        proof: due.proof,
        binding,
        title: None,
        addresses: Vec::new(),
    };
    let who = pair.b.presented();
    for wrong in [attempt(due.link, [2; 32]), attempt(other, [1; 32])] {
        assert_eq!(
            reason(pair.a.node().enroll(&who, wrong).await),
            Reason::ProofInvalid
        );
    }
    let unknown = attempt(link, [1; 32]);
    assert_eq!(
        reason(pair.a.node().enroll(&who, unknown).await),
        Reason::ProofInvalid
    );
    let right = pair.a.node().enroll(&who, attempt(due.link, [1; 32])).await;
    right.expect("the right proof still works");
}

#[tokio::test]
async fn b023_a_lost_answer_to_the_proof_is_asked_for_again() {
    let pair = Pair::permitted().await;
    let code = pair.code(Direction::Bidirectional).await;
    accept(&pair.b, &code, "to-a").await.expect("a link");
    let (_, answer) = carry::show_proof(&pair.b, &pair.a, [1; 32])
        .await
        .expect("a proof is due");
    answer.expect("the proof is taken");
    assert!(established(&pair.a, &pair.b).await && !established(&pair.b, &pair.a).await);
    carry::enroll(&pair.b, &pair.a)
        .await
        .expect("the same enrollment repeats it");
    assert!(established(&pair.b, &pair.a).await);
}

#[tokio::test]
async fn b023_a_lost_answer_to_the_proof_is_made_good_by_the_other_sides_hello() {
    let pair = Pair::permitted().await;
    let code = pair.code(Direction::Bidirectional).await;
    accept(&pair.b, &code, "to-a").await.expect("a link");
    let (_, answer) = carry::show_proof(&pair.b, &pair.a, [1; 32])
        .await
        .expect("a proof is due");
    answer.expect("the proof is taken");
    // The other side dials first, and with a session there is no reason to dial and to ask again.
    let peer = carry::peer(&pair.b, &pair.a).await.expect("pinned");
    let hello = pair.a.node().greeting().await.expect("a greeting");
    pair.b.node().greeted(&peer, hello).await.expect("it is known");
    assert!(established(&pair.a, &pair.b).await && established(&pair.b, &pair.a).await);
}

#[tokio::test]
async fn b044_a_link_name_is_taken_once() {
    let pair = Pair::permitted().await;
    let c = Party::founded("c", 3, pair.clock.clone()).await;
    let first = pair.code(Direction::Bidirectional).await;
    let second = c
        .node()
        .invite_link(&c.admin, Direction::Bidirectional, None)
        .await;
    accept(&pair.b, &first, "partner").await.expect("a link");
    let taken = accept(&pair.b, &second.expect("a code").code, "partner").await;
    assert_eq!(reason(taken), Reason::NameTaken);
}

#[tokio::test]
async fn a_complete_link_has_no_use_for_another_code() {
    let pair = Pair::linked().await;
    let again = pair.code(Direction::Bidirectional).await;
    assert_eq!(
        reason(accept(&pair.b, &again, "to-a-again").await),
        Reason::LinkExists
    );
    let (_, problems) = pair
        .b
        .node()
        .inspect_link_code(&pair.b.admin, &again)
        .await
        .expect("a code");
    assert!(
        problems
            .iter()
            .any(|problem| problem.reason == Reason::LinkExists)
    );
}

#[tokio::test]
async fn a_link_in_use_is_not_removed() {
    let pair = Pair::linked().await;
    let invitation = pair.request().await;
    let link = pair.a.link_to(pair.b.id()).await.expect("a link").id.to_string();
    let refused = pair.a.node().remove_link(&pair.a.admin, &link).await;
    assert_eq!(reason(refused), Reason::LinkInUse);
    let revoked = pair
        .a
        .node()
        .revoke_connection(&pair.a.manager, invitation.id)
        .await;
    revoked.expect("a revoked request");
    let removed = pair.a.node().remove_link(&pair.a.admin, &link).await;
    removed.expect("nothing needs the link any more");
}

#[tokio::test]
async fn b117_a_removed_peer_is_a_stranger_until_a_new_code() {
    let pair = Pair::linked().await;
    let link = pair.a.link_to(pair.b.id()).await.expect("a link").id.to_string();
    let removed = pair.a.node().remove_link(&pair.a.admin, &link).await;
    removed.expect("a removed link");
    let stranger = pair.a.node().recognise(&pair.b.presented()).await;
    assert_eq!(stranger.expect("a lookup"), Recognised::Stranger);
    // The code that made the link does not make it again.
    assert!(carry::show_proof(&pair.b, &pair.a, [1; 32]).await.is_none());

    let link = pair.b.link_to(pair.a.id()).await.expect("a link").id.to_string();
    let removed = pair.b.node().remove_link(&pair.b.admin, &link).await;
    removed.expect("a removed link");
    pair.link().await;
    assert!(established(&pair.a, &pair.b).await && established(&pair.b, &pair.a).await);
}

#[tokio::test]
async fn b049_links_are_the_admins_and_officers_business() {
    let pair = Pair::linked().await;
    let node = pair.a.node();
    for caller in [&pair.a.viewer, &pair.a.manager] {
        let invited = node.invite_link(caller, Direction::Bidirectional, None).await;
        assert_eq!(reason(invited), Reason::RoleInsufficient);
        let accepted = node
            .accept_link(caller, "peerd", &"x".parse().expect("a name"))
            .await;
        assert_eq!(reason(accepted), Reason::RoleInsufficient);
        assert_eq!(
            reason(node.remove_link(caller, "x").await),
            Reason::RoleInsufficient
        );
    }
}
