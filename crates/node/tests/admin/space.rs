//! Spaces, markings, levels, the title.

use peerd_core::Reason;
use peerd_core::authz::{Action, Role};
use peerd_core::security::Levels;

use crate::{Org, name, reason};

#[tokio::test]
async fn a_caller_sees_the_spaces_of_its_role_and_those_it_manages() {
    let org = Org::fresh().await;
    let node = org.node();
    let viewer = org.caller("vera", Role::Viewer).await;
    for space in ["weather", "hotels"] {
        node.create_space(&org.admin, name(space), Some("A Title".parse().unwrap()))
            .await
            .unwrap();
    }
    let seen = async || {
        let (spaces, _) = node.list_spaces(&viewer, None, 100).await.unwrap();
        // The clock stands still, so the ids' order is chance.
        let names = spaces.into_iter().map(|space| space.name.to_string());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let these = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    assert_eq!(seen().await, these(&["flights"]));
    assert_eq!(
        reason(node.admit_call(&viewer, Action::ConnectionRequest).await),
        Reason::RoleInsufficient
    );

    let managed = node
        .add_space_manager(&org.admin, "hotels", "vera")
        .await
        .unwrap();
    assert_eq!(
        managed,
        node.add_space_manager(&org.admin, "hotels", "vera")
            .await
            .unwrap()
    );
    assert_eq!(seen().await, these(&["flights", "hotels"]));
    node.admit_call(&viewer, Action::ConnectionRequest).await.unwrap();
    assert_eq!(
        reason(node.admit_call(&viewer, Action::PolicyApprove).await),
        Reason::RoleInsufficient
    );

    node.remove_space_manager(&org.admin, "hotels", "vera")
        .await
        .unwrap();
    assert_eq!(seen().await, these(&["flights"]));
    assert_eq!(
        reason(node.add_space_manager(&org.admin, "hotels", "nobody").await),
        Reason::NotFound
    );
    assert_eq!(
        reason(node.add_space_manager(&org.admin, "nowhere", "vera").await),
        Reason::NotFound
    );
    assert_eq!(
        reason(node.add_space_manager(&viewer, "hotels", "vera").await),
        Reason::RoleInsufficient
    );
}

#[tokio::test]
async fn pages_of_spaces_join_to_the_whole_list() {
    let org = Org::fresh().await;
    let node = org.node();
    for n in 0..5 {
        node.create_space(&org.admin, name(&format!("space-{n}")), None)
            .await
            .unwrap();
    }
    assert_eq!(
        reason(node.create_space(&org.admin, name("space-0"), None).await),
        Reason::NameTaken
    );
    let (mut after, mut names) = (None, Vec::new());
    loop {
        let (page, next) = node.list_spaces(&org.admin, after, 2).await.unwrap();
        assert!(page.len() <= 2);
        names.extend(page.into_iter().map(|space| space.name.to_string()));
        after = next;
        if after.is_none() {
            break;
        }
    }
    names.sort();
    assert_eq!(names, ["space-0", "space-1", "space-2", "space-3", "space-4"]);
}

#[tokio::test]
async fn a_marking_starts_with_nobody_admins_included() {
    let org = Org::fresh().await;
    let node = org.node();
    let (vera, _) = org.principal("vera", Role::Viewer).await;
    let marking = node.create_marking(&org.admin, name("medical")).await.unwrap();
    assert!(marking.members.is_empty());
    assert_eq!(
        reason(node.create_marking(&org.admin, name("medical")).await),
        Reason::NameTaken
    );
    let granted = node
        .grant_marking(&org.admin, &name("medical"), "vera")
        .await
        .unwrap();
    assert_eq!(granted.members, [vera.id].into());
    assert_eq!(
        node.grant_marking(&org.admin, &name("medical"), "vera")
            .await
            .unwrap(),
        granted
    );
    assert_eq!(
        reason(node.grant_marking(&org.admin, &name("secret"), "vera").await),
        Reason::NotFound
    );
    let (listed, next) = node.list_markings(&org.admin, None, 10).await.unwrap();
    assert_eq!((listed, next), (vec![granted], None));
}

#[tokio::test]
async fn levels_keep_their_order() {
    let org = Org::fresh().await;
    let levels = Levels::new(["open", "restricted", "secret"].map(name).to_vec()).unwrap();
    assert_eq!(
        org.node().show_levels(&org.admin).await.unwrap(),
        Levels::default()
    );
    org.node().set_levels(&org.admin, levels.clone()).await.unwrap();
    let viewer = org.caller("vera", Role::Viewer).await;
    assert_eq!(org.node().show_levels(&viewer).await.unwrap(), levels);
    assert_eq!(
        reason(org.node().set_levels(&viewer, levels).await),
        Reason::RoleInsufficient
    );
}

#[tokio::test]
async fn the_title_of_the_configuration_is_only_the_first_one() {
    let org = Org::fresh().await;
    let node = org.node();
    node.set_initial_title(&"First".parse().unwrap()).await.unwrap();
    node.set_title(&org.admin, "Second".parse().unwrap())
        .await
        .unwrap();
    node.set_initial_title(&"First".parse().unwrap()).await.unwrap();
    let enrollment = node.show_enrollment(&org.admin).await.unwrap();
    assert_eq!(enrollment.title, Some("Second".parse().unwrap()));
    assert_eq!(enrollment.id, node.enrollment_id());
    let status = node.status(&org.admin).await.unwrap();
    assert_eq!(
        (
            status.health.as_str(),
            status.links.len(),
            status.connections.len()
        ),
        ("ok", 0, 0)
    );
}
