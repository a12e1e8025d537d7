use peerd_core::authz::Token;
use peerd_testkit::{SeededRng, TestClock, TestNode};

use super::*;

async fn caller() -> Caller {
    let kit = TestNode::fresh("alpha").await;
    let token = Token::from_bytes([7; 32]);
    kit.node.bootstrap_admin(&token).await.unwrap();
    kit.node.authenticate(&token.expose()).await.unwrap()
}

fn sessions() -> Sessions {
    Sessions::new(Arc::new(SeededRng::new(1)))
}

#[tokio::test]
async fn a_session_ends_when_idle_and_when_old() {
    let (sessions, caller, start) = (sessions(), caller().await, TestClock::START);
    let idle = Key::of(&sessions.begin(caller.clone(), start));
    assert!(sessions.find(idle, start.plus(IDLE_MAX / 2)).is_some());
    let ended = sessions.find(idle, start.plus(IDLE_MAX / 2)).unwrap().ended;
    assert!(sessions.find(idle, start.plus(IDLE_MAX * 2)).is_none());
    assert!(ended.is_cancelled());

    let busy = Key::of(&sessions.begin(caller, start));
    let mut now = start;
    while now < start.plus(AGE_MAX).minus(IDLE_MAX / 2) {
        assert!(sessions.find(busy, now).is_some());
        now = now.plus(IDLE_MAX / 2);
    }
    assert!(sessions.find(busy, start.plus(AGE_MAX)).is_none());
}

#[tokio::test]
async fn sessions_are_bounded_and_the_least_used_goes_first() {
    let (sessions, caller, start) = (sessions(), caller().await, TestClock::START);
    let first = Key::of(&sessions.begin(caller.clone(), start));
    for n in 0..OF_ONE_PRINCIPAL_MAX as u64 {
        sessions.begin(caller.clone(), start.plus(Duration::from_secs(n + 1)));
    }
    assert!(!sessions.lasts(first, start.plus(Duration::from_secs(30))));
    assert_eq!(sessions.lock().len(), OF_ONE_PRINCIPAL_MAX);
}

#[tokio::test]
async fn a_secret_is_shown_once() {
    let (sessions, caller, now) = (sessions(), caller().await, TestClock::START);
    let key = Key::of(&sessions.begin(caller, now));
    let shown = Shown {
        title: String::new(),
        text: "secret".to_owned(),
        hint: String::new(),
        until: None,
        next: String::new(),
        as_picture: false,
    };
    let name = sessions.keep(key, shown);
    assert_eq!(sessions.take(key, &name).unwrap().text, "secret");
    assert!(sessions.take(key, &name).is_none());
}
