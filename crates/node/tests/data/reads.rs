use peerd_core::Reason;
use peerd_core::authz::Role;
use peerd_node::object::Edits;

use crate::world::{SPACE, World, airport, marked, texts};

#[tokio::test]
async fn pages_give_every_live_object_once_in_the_order_of_keys() {
    let world = World::new().await;
    let keys: Vec<String> = (0..300).map(|n| format!("k{n:03}")).collect();
    let rows: Vec<[&str; 1]> = keys.iter().map(|key| [key.as_str()]).collect();
    let rows: Vec<&[&str]> = rows.iter().map(<[&str; 1]>::as_slice).collect();
    world.load(&["faa"], &rows).await;
    world
        .it
        .node
        .delete_object(&world.admin, &airport("k007"))
        .await
        .unwrap();
    let (mut seen, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = world
            .it
            .node
            .list_objects(&world.admin, SPACE, "airport", after.as_deref(), 90)
            .await
            .unwrap();
        assert!(page.objects.len() <= 90);
        seen.extend(page.objects.iter().map(|it| it.key.primary_key().to_owned()));
        after = page.next;
        pages += 1;
        if after.is_none() {
            break;
        }
    }
    let live: Vec<String> = keys.into_iter().filter(|key| key != "k007").collect();
    assert_eq!(seen, live);
    assert_eq!(pages, 4);
    assert_eq!(world.count(&world.admin).await, 299);
}

#[tokio::test]
async fn a_page_of_huge_objects_ends_early_and_goes_on() {
    let world = World::new().await;
    let huge = "x".repeat(900_000);
    let rows = ["a", "b", "c", "d", "e"].map(|key| [key, huge.as_str()]);
    let rows: Vec<&[&str]> = rows.iter().map(<[&str; 2]>::as_slice).collect();
    world.load(&["faa", "name"], &rows).await;
    let list = async |after: Option<&str>| {
        let page = world
            .it
            .node
            .list_objects(&world.admin, SPACE, "airport", after, 100)
            .await;
        page.unwrap()
    };
    let first = list(None).await;
    assert_eq!((first.objects.len(), first.next.as_deref()), (3, Some("c")));
    let second = list(Some("c")).await;
    assert_eq!((second.objects.len(), second.next), (2, None));
}

#[tokio::test]
async fn b082_what_a_caller_may_not_see_is_not_there_for_it_admins_included() {
    let world = World::new().await;
    world.secure().await;
    let node = &world.it.node;
    let editor = world.principal("eve", Role::Editor).await;
    world.load(&["faa"], &[&["EWR"], &["JFK"]]).await;
    let set = node
        .set_object_security(&world.admin, &airport("EWR"), &marked(&["medical", "crew"]))
        .await;
    set.unwrap();

    let missing = world.airport(&editor, "ZZZ").await.unwrap_err();
    for caller in [&editor, &world.admin] {
        let hidden = world.airport(caller, "EWR").await.unwrap_err();
        assert_eq!(hidden.reason(), Reason::NotFound);
        assert_eq!(hidden.told(), missing.told());
        assert_eq!(world.count(caller).await, 1);
        let page = node
            .list_objects(caller, SPACE, "airport", None, 10)
            .await
            .unwrap();
        assert_eq!(page.objects.len(), 1);
        assert_eq!(page.objects[0].key.primary_key(), "JFK");
    }
    let edits = Edits {
        set: texts(&[("alt", "1")]),
        clear: Vec::new(),
    };
    let unseen = node.edit_object(&editor, &airport("EWR"), &edits).await;
    assert_eq!(unseen.unwrap_err().told(), missing.told());
    let unseen = node.delete_object(&editor, &airport("EWR")).await;
    assert_eq!(unseen.unwrap_err().told(), missing.told());
    let lowered = node
        .set_object_security(&world.admin, &airport("EWR"), &marked(&[]))
        .await;
    assert_eq!(
        lowered.unwrap_err().told(),
        missing.told(),
        "unseen, so not to be lowered"
    );

    let grant = async |marking: &str| {
        let marking = marking.parse().unwrap();
        node.grant_marking(&world.admin, &marking, "eve").await.unwrap();
    };
    grant("medical").await;
    assert_eq!(world.count(&editor).await, 1, "one of two markings is not enough");
    grant("crew").await;
    assert_eq!(world.count(&editor).await, 2);
    let seen = world.airport(&editor, "EWR").await.unwrap();
    assert_eq!(seen.security, marked(&["crew", "medical"]));
}

#[tokio::test]
async fn a_role_without_data_reads_nothing() {
    let world = World::new().await;
    world.load(&["faa"], &[&["EWR"]]).await;
    let officer = world.principal("oscar", Role::SecurityOfficer).await;
    let name = "ships".parse().unwrap();
    world
        .it
        .node
        .create_space(&world.admin, name, None)
        .await
        .unwrap();
    let manager = world
        .principal_of("mona", Role::SpaceManager, Some("ships"))
        .await;
    assert_eq!(
        world.airport(&officer, "EWR").await.unwrap_err().reason(),
        Reason::RoleInsufficient
    );
    let other = world.airport(&manager, "EWR").await.unwrap_err();
    assert_eq!(other.reason(), Reason::NotSpaceManager);
    world
        .it
        .node
        .add_space_manager(&world.admin, SPACE, "mona")
        .await
        .unwrap();
    assert!(world.airport(&manager, "EWR").await.is_ok());
}
