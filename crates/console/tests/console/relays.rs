//! A data relay: added by a form, and shown with how its files go.

use std::sync::Arc;

use http::StatusCode;
use peerd_core::link::Direction;
use peerd_testkit::{Party, TestClock};

use crate::Site;
use crate::handshake::location;

#[tokio::test]
async fn a_relay_is_added_with_the_other_sides_code_and_its_files_are_shown() {
    let site = Site::new(false).await;
    let visitor = site.sign_in(&site.token).await;
    let other = Party::founded("other", 2, Arc::new(TestClock::default())).await;
    let invited = other
        .node()
        .invite_link(&other.admin, Direction::Bidirectional, None)
        .await;
    let code = invited.unwrap().code;
    let of = |code: &str, inbox: &str| {
        format!("name=files&code={code}&outbox=%2Fsrv%2Fout&inbox={inbox}&form=xml&ways=two")
    };
    for (fields, reason) in [
        (of("nonsense", "%2Fsrv%2Fin"), "CODE_MALFORMED"),
        (of(&code, "in"), "FIELD_INVALID"),
        (of(&code, "%2Fsrv%2Fout%2Fin"), "FIELD_INVALID"),
    ] {
        let refused = site.post("/console/relay", &visitor, &fields).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.body);
        assert!(refused.body.contains(reason), "{reason}");
        assert!(
            refused.body.contains("value=\"/srv/out\""),
            "what was written stays"
        );
    }
    let added = site
        .post("/console/relay", &visitor, &of(&code, "%2Fsrv%2Fin"))
        .await;
    assert_eq!(added.status, StatusCode::SEE_OTHER, "{}", added.body);
    let page = site.get(&location(&added), Some(&visitor)).await.body;
    for shown in ["Files", "/srv/out", "/srv/in", "Missing", "Put aside", "xml"] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(!page.contains("Dial now"));
    let network = site.get("/console/network", Some(&visitor)).await.body;
    assert!(network.contains("files"));
}
