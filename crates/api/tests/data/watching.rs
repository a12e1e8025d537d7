//! Watching objects through the API.

use peerd_core::Reason;
use peerd_core::authz::Role;
use peerd_wire::data::v1 as pb;
use peerd_wire::data::v1::watch_objects_response::Event;
use tonic::{Status, Streaming};

use crate::{SPACE, World, airport, as_bearer, reason};

type Watching = Streaming<pb::WatchObjectsResponse>;

fn all() -> pb::WatchObjectsRequest {
    pb::WatchObjectsRequest {
        space: SPACE.into(),
        ..pb::WatchObjectsRequest::default()
    }
}

async fn watch_as(world: &World, token: &str, request: pb::WatchObjectsRequest) -> Result<Watching, Status> {
    let answer = world.objects().watch_objects(as_bearer(token, request)).await?;
    Ok(answer.into_inner())
}

async fn watch(world: &World, request: pb::WatchObjectsRequest) -> Watching {
    watch_as(world, &world.token, request).await.unwrap()
}

async fn create(world: &World, key: &str) {
    let create = pb::CreateObjectRequest {
        space: SPACE.into(),
        object_type: "airport".into(),
        properties: [("faa".to_owned(), key.to_owned())].into(),
    };
    world.objects().create_object(world.ask(create)).await.unwrap();
}

async fn mark(world: &World, key: &str, markings: &[&str]) {
    let pb::GetObjectRequest {
        space,
        object_type,
        key,
    } = airport(key);
    let set = pb::SetObjectSecurityRequest {
        space,
        object_type,
        key,
        classification: String::new(),
        markings: markings.iter().map(ToString::to_string).collect(),
    };
    world.objects().set_object_security(world.ask(set)).await.unwrap();
}

/// A principal's token.
async fn principal(world: &World, name: &str, role: Role) -> String {
    let node = &world.it.node;
    let admin = node.authenticate(&world.token).await.unwrap();
    let space = (role != Role::SecurityOfficer).then_some(SPACE);
    let made = node
        .create_principal(&admin, name.parse().unwrap(), role, space)
        .await;
    made.unwrap().1.expose().to_string()
}

/// The next thing told, in words, and its token.
async fn next(watching: &mut Watching) -> (String, String) {
    let told = watching.message().await.unwrap().unwrap();
    let word = match told.event.unwrap() {
        Event::Object(object) if object.deleted => format!("-{}", object.key),
        Event::Object(object) => object.key,
        Event::Removed(removed) => format!("!{}", removed.key),
        Event::CaughtUp(pb::CaughtUp {}) => ".".to_owned(),
    };
    (word, told.resume_token)
}

#[tokio::test]
async fn a_watch_tells_a_snapshot_then_changes_and_goes_on_after_its_token() {
    let world = World::new().await;
    create(&world, "EWR").await;
    let snapshot = pb::WatchObjectsRequest {
        snapshot: true,
        ..all()
    };
    let mut watching = watch(&world, snapshot).await;
    assert_eq!(next(&mut watching).await, ("EWR".to_owned(), String::new()));
    let (caught_up, token) = next(&mut watching).await;
    assert_eq!(caught_up, ".");
    create(&world, "JFK").await;
    assert_eq!(next(&mut watching).await.0, "JFK");
    drop(watching);
    create(&world, "LGA").await;
    let from = |resume_token: &str| pb::WatchObjectsRequest {
        resume_token: resume_token.to_owned(),
        ..all()
    };
    let mut resumed = watch(&world, from(&token)).await;
    for word in ["JFK", "LGA", "."] {
        assert_eq!(next(&mut resumed).await.0, word);
    }
    for (request, expected) in [
        (from("!"), Reason::FieldInvalid),
        (from("AAAA"), Reason::ResumeTokenOutdated),
        (
            pb::WatchObjectsRequest {
                snapshot: true,
                ..from(&token)
            },
            Reason::FieldInvalid,
        ),
        (pb::WatchObjectsRequest::default(), Reason::FieldInvalid),
    ] {
        let refused = watch_as(&world, &world.token, request).await.unwrap_err();
        assert_eq!(reason(&refused), expected);
    }
}

#[tokio::test]
async fn b082_a_watch_shows_its_caller_what_it_may_see_and_ends_with_its_token() {
    let world = World::new().await;
    let node = &world.it.node;
    let admin = node.authenticate(&world.token).await.unwrap();
    let officer = principal(&world, "olaf", Role::SecurityOfficer).await;
    let denied = watch_as(&world, &officer, all()).await.unwrap_err();
    assert_eq!(reason(&denied), Reason::RoleInsufficient);
    let stranger = watch_as(&world, "none", all()).await.unwrap_err();
    assert_eq!(reason(&stranger), Reason::TokenInvalid);

    node.create_marking(&admin, "crew".parse().unwrap())
        .await
        .unwrap();
    node.grant_marking(&admin, &"crew".parse().unwrap(), "admin")
        .await
        .unwrap();
    let viewer = principal(&world, "vic", Role::Viewer).await;
    let mut watching = watch_as(&world, &viewer, all()).await.unwrap();
    assert_eq!(next(&mut watching).await.0, ".");
    create(&world, "EWR").await;
    assert_eq!(next(&mut watching).await.0, "EWR");
    create(&world, "HIDDEN").await;
    mark(&world, "EWR", &["crew"]).await;
    let told = [next(&mut watching).await.0, next(&mut watching).await.0];
    assert_eq!(told, ["HIDDEN", "!EWR"]);
    node.revoke_principal(&admin, "vic").await.unwrap();
    let ended = watching.message().await.unwrap_err();
    assert_eq!(reason(&ended), Reason::TokenInvalid);
}
