//! Pages beside the calls: what passes the gate without a token, and what does not.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use peerd_api::Limits;
use peerd_core::Reason;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::codegen::http;
use tonic::service::{AxumBody, AxumRouter};

use crate::Served;

/// What a page was told of each request: where it comes from, and its id.
type Seen = Arc<Mutex<Vec<(Option<IpAddr>, String)>>>;

fn pages(seen: &Seen) -> AxumRouter {
    let seen = Arc::clone(seen);
    let answer = tower::service_fn(move |request: http::Request<AxumBody>| {
        let from = request.extensions().get::<IpAddr>().copied();
        let id = request.headers()["x-request-id"].to_str().unwrap().to_owned();
        seen.lock().unwrap().push((from, id));
        async { Ok::<_, std::convert::Infallible>(http::Response::new(AxumBody::from("a page"))) }
    });
    AxumRouter::new().route_service("/console/{*rest}", answer)
}

/// What a browser is answered that speaks HTTP/1.1.
async fn ask(served: &Served, path: &str) -> String {
    ask_as(served, path, "not one of a log").await
}

async fn ask_as(served: &Served, path: &str, id: &str) -> String {
    let mut stream = TcpStream::connect(served.addr).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-request-id: {id}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn pages_pass_the_gate_and_learn_where_a_request_comes_from() {
    let seen = Seen::default();
    Served::run_with(Limits::default(), Some(pages(&seen)), async |served| {
        let answer = ask(served, "/console/x").await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("a page"),
            "{answer}"
        );
        let (from, id) = seen.lock().unwrap().remove(0);
        assert_eq!(from, Some([127, 0, 0, 1].into()));
        assert_ne!(
            id, "not one of a log",
            "the id is ours when what was sent is none"
        );
        assert!(answer.contains(&id));
        let answer = ask_as(served, "/console/x", "the-callers.own_1").await;
        assert_eq!(seen.lock().unwrap().remove(0).1, "the-callers.own_1");
        assert!(answer.contains("the-callers.own_1"), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn beside_pages_every_call_needs_a_token_as_ever() {
    let seen = Seen::default();
    Served::run_with(Limits::default(), Some(pages(&seen)), async |served| {
        for path in [
            "/peerd.admin.v1.EnrollmentService/GetStatus",
            "/consoles",
            "/else/console/x",
        ] {
            let refused = served.refused(path, None).await.unwrap();
            assert_eq!(refused.reason, Reason::TokenInvalid, "{path}");
            assert!(ask(served, path).await.contains("grpc-status: 16"), "{path}");
        }
        let path = "/peerd.admin.v1.EnrollmentService/GetStatus";
        served.call(path, Some(&served.admin)).await.unwrap();
        assert!(seen.lock().unwrap().is_empty());
    })
    .await;
}
