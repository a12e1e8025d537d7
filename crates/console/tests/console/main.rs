//! The console without a socket: who gets in, what the guard lets pass, and what pages say.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod denied;
mod files;
mod handshake;
mod live;
mod pages;
mod relays;
mod sessions;
mod types;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use peerd_console::{About, Setup, router};
use peerd_core::authz::{Role, Token};
use peerd_node::{Caller, Entrance, Node};
use peerd_testkit::{SeededRng, TestClock, TestNode};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// The largest file of a form.
const UPLOAD_BYTES_MAX: u64 = 3 << 20;
/// How often a stranger may fail.
const FAILURES_MAX: u32 = 5;

/// An enrollment with its console.
struct Site {
    kit: TestNode,
    admin: Caller,
    token: String,
    desk: Desk,
}

/// The console of a node.
struct Desk {
    router: Router,
    stopping: CancellationToken,
}

impl std::ops::Deref for Site {
    type Target = Desk;

    fn deref(&self) -> &Desk {
        &self.desk
    }
}

/// What came back.
struct Reply {
    status: StatusCode,
    headers: http::HeaderMap,
    body: String,
}

/// Somebody who is signed in.
#[derive(Clone)]
struct Visitor {
    cookie: String,
    form_token: String,
}

impl Site {
    async fn new(secure: bool) -> Site {
        let kit = TestNode::fresh("alpha").await;
        let token = Token::from_bytes([7; 32]);
        kit.node.bootstrap_admin(&token).await.unwrap();
        let admin = kit.node.authenticate(&token.expose()).await.unwrap();
        let title = "Alpha <ltd>".parse().unwrap();
        kit.node.set_title(&admin, title).await.unwrap();
        let space = "flights".parse().unwrap();
        kit.node.create_space(&admin, space, None).await.unwrap();
        Site {
            desk: Desk::of(&kit.node, secure),
            token: token.expose().to_string(),
            admin,
            kit,
        }
    }

    async fn sign_in_as(&self, name: &str, role: Role) -> Visitor {
        let of_one_space = matches!(role, Role::SpaceManager | Role::Editor | Role::Viewer);
        let space = of_one_space.then_some("flights");
        let node = &self.kit.node;
        let created = node.create_principal(&self.admin, name.parse().unwrap(), role, space);
        let token = created.await.unwrap().1.expose().to_string();
        self.sign_in(&token).await
    }

    /// How many records the audit log has.
    async fn audited(&self) -> u64 {
        self.kit.node.verify_audit(&self.admin).await.unwrap().records
    }
}

impl Desk {
    fn of(node: &Arc<Node>, secure: bool) -> Desk {
        // The sender may go: a receiver keeps what it saw last.
        let (_, leaf_expires_at) = watch::channel(TestClock::START);
        let stopping = CancellationToken::new();
        let setup = Setup {
            node: Arc::clone(node),
            entrance: Arc::new(Entrance::new(Arc::clone(node), FAILURES_MAX)),
            rng: Arc::new(SeededRng::new(11)),
            about: About {
                version: "0.1.0-test",
                leaf_expires_at,
            },
            secure,
            upload_bytes_max: UPLOAD_BYTES_MAX,
            stopping: stopping.clone(),
        };
        Desk {
            router: router(setup),
            stopping,
        }
    }

    async fn send(&self, request: Request<Body>) -> http::Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn reply(&self, request: Request<Body>) -> Reply {
        let (parts, body) = self.send(request).await.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn get(&self, path: &str, visitor: Option<&Visitor>) -> Reply {
        self.reply(request("GET", path, visitor, String::new())).await
    }

    /// Sends a form with its token.
    async fn post(&self, path: &str, visitor: &Visitor, fields: &str) -> Reply {
        let form = format!("form_token={}&{fields}", visitor.form_token);
        self.reply(request("POST", path, Some(visitor), form)).await
    }

    async fn try_sign_in(&self, token: &str) -> Reply {
        let sheet = self.get("/console/sign-in", None).await;
        let cookie = cookies(&sheet).pop().unwrap();
        let form = format!("form_token={}&token={token}&to=", form_token(&sheet.body));
        let visitor = Visitor {
            cookie,
            form_token: String::new(),
        };
        self.reply(request("POST", "/console/sign-in", Some(&visitor), form))
            .await
    }

    async fn sign_in(&self, token: &str) -> Visitor {
        let reply = self.try_sign_in(token).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
        let cookie = cookies(&reply).remove(0);
        let mut visitor = Visitor {
            cookie,
            form_token: String::new(),
        };
        let home = self.get("/console/", Some(&visitor)).await;
        visitor.form_token = form_token(&home.body);
        visitor
    }
}

fn request(method: &str, path: &str, visitor: Option<&Visitor>, form: String) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost");
    if method == "POST" {
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    if let Some(visitor) = visitor {
        request = request.header("cookie", &visitor.cookie);
    }
    let from: IpAddr = [192, 0, 2, 1].into();
    request.extension(from).body(Body::from(form)).unwrap()
}

/// The cookies that a reply sets, as a browser sends them back.
fn cookies(reply: &Reply) -> Vec<String> {
    let set = reply.headers.get_all("set-cookie").iter();
    set.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned())
        .collect()
}

fn form_token(page: &str) -> String {
    let (_, after) = page.split_once("name=\"form_token\" value=\"").unwrap();
    after.split('"').next().unwrap().to_owned()
}
