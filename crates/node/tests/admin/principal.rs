//! Who may call, and until when.

use peerd_core::Reason;
use peerd_core::authz::{Role, Token};

use crate::{Org, name, reason};

#[tokio::test]
async fn the_first_admin_is_made_once() {
    let org = Org::fresh().await;
    let node = org.node();
    let other = Token::from_bytes([8; 32]);
    node.bootstrap_admin(&other).await.unwrap();
    assert_eq!(
        reason(node.authenticate(&other.expose()).await),
        Reason::TokenInvalid
    );
    let (principals, _) = node.list_principals(&org.admin, None, 10).await.unwrap();
    assert_eq!(principals.len(), 1);
    assert_eq!(
        (principals[0].name.as_str(), principals[0].role),
        ("admin", Role::EnrollmentAdmin)
    );
}

#[tokio::test]
async fn a_revoked_first_admin_does_not_come_back() {
    let org = Org::fresh().await;
    let node = org.node();
    let second = org.caller("second", Role::EnrollmentAdmin).await;
    node.revoke_principal(&second, "admin").await.unwrap();
    let token = Token::from_bytes([7; 32]);
    node.bootstrap_admin(&token).await.unwrap();
    assert_eq!(
        reason(node.authenticate(&token.expose()).await),
        Reason::TokenInvalid
    );
}

#[tokio::test]
async fn the_last_admin_stays_even_when_two_revoke_each_other() {
    let org = Org::fresh().await;
    let node = org.node();
    assert_eq!(
        reason(node.revoke_principal(&org.admin, "admin").await),
        Reason::WrongStage
    );
    let second = org.caller("second", Role::EnrollmentAdmin).await;
    let (one, two) = tokio::join!(
        node.revoke_principal(&org.admin, "second"),
        node.revoke_principal(&second, "admin"),
    );
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let (principals, _) = node.list_principals(&org.admin, None, 10).await.unwrap();
    let left = principals
        .iter()
        .filter(|principal| principal.revoked_at.is_none());
    assert_eq!(left.count(), 1);
}

#[tokio::test]
async fn a_revoked_token_is_refused_and_the_name_is_free_again() {
    let org = Org::fresh().await;
    let node = org.node();
    let (mia, token) = org.principal("mia", Role::Viewer).await;
    assert!(node.authenticate(&token.expose()).await.is_ok());
    let again = node
        .create_principal(&org.admin, name("mia"), Role::Viewer, Some("flights"))
        .await;
    assert_eq!(again.unwrap_err().reason(), Reason::NameTaken);

    let revoked = node.revoke_principal(&org.admin, "mia").await.unwrap();
    assert_eq!(
        reason(node.authenticate(&token.expose()).await),
        Reason::TokenInvalid
    );
    for again in ["mia", &mia.id.to_string()] {
        assert_eq!(node.revoke_principal(&org.admin, again).await.unwrap(), revoked);
    }
    let (successor, _) = org.principal("mia", Role::Viewer).await;
    assert_ne!(successor.id, mia.id);
    assert_eq!(
        reason(node.revoke_principal(&org.admin, "nobody").await),
        Reason::NotFound
    );
}

#[tokio::test]
async fn a_role_of_one_space_has_one_and_the_others_have_none() {
    let org = Org::fresh().await;
    let node = org.node();
    node.create_space(&org.admin, name("flights"), None)
        .await
        .unwrap();
    for (role, space, expected) in [
        (Role::Viewer, None, Reason::FieldInvalid),
        (Role::SpaceManager, None, Reason::FieldInvalid),
        (Role::SecurityOfficer, Some("flights"), Reason::FieldInvalid),
        (Role::Editor, Some("nowhere"), Reason::NotFound),
    ] {
        let answer = node.create_principal(&org.admin, name("mia"), role, space).await;
        assert_eq!(answer.unwrap_err().reason(), expected, "{role}");
    }
}

#[tokio::test]
async fn b021_no_text_but_the_token_authenticates() {
    let org = Org::fresh().await;
    let (_, token) = org.principal("mia", Role::SecurityOfficer).await;
    let text = token.expose();
    for wrong in [
        "",
        " ",
        "peerd_",
        &text[..57],
        &format!("{} ", *text),
        &text.to_ascii_uppercase(),
    ] {
        assert_eq!(
            reason(org.node().authenticate(wrong).await),
            Reason::TokenInvalid,
            "{wrong:?}"
        );
    }
}
