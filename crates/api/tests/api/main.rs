//! The operator API over a real socket: who gets in, and what the calls do.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod admin;
mod denied;
mod jobs;
mod pages;
mod roles;
mod schemas;
mod tls;
mod transport;

use std::sync::Arc;

use peerd_api::{About, ApiServer, Limits, Readiness};
use peerd_core::authz::{Role, Token};
use peerd_testkit::{TestClock, TestNode};
use peerd_wire::OPERATOR_DESCRIPTORS;
use peerd_wire::status::{Refusal, refusal};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::service::AxumRouter;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

/// An enrollment that serves its API.
struct Served {
    kit: TestNode,
    channel: Channel,
    addr: std::net::SocketAddr,
    /// The first admin's token.
    admin: String,
    readiness: Readiness,
}

/// Puts a token on every call.
#[derive(Clone)]
struct Bearer(String);

impl tonic::service::Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let value = format!("Bearer {}", self.0).parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}

impl Served {
    /// Runs a story against a server on a free port.
    async fn run(limits: Limits, story: impl AsyncFnOnce(&Served)) {
        Served::run_with(limits, None, story).await;
    }

    /// The same with pages beside the calls.
    async fn run_with(limits: Limits, pages: Option<AxumRouter>, story: impl AsyncFnOnce(&Served)) {
        let kit = TestNode::fresh("alpha").await;
        let token = Token::from_bytes([7; 32]);
        kit.node.bootstrap_admin(&token).await.unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (server, readiness) = ApiServer::new(Arc::clone(&kit.node), about(), limits, None).await;
        let server = match pages {
            Some(pages) => server.beside(pages),
            None => server,
        };
        let channel = Endpoint::from_shared(format!("http://{addr}"))
            .unwrap()
            .connect_lazy();
        let running = Served {
            kit,
            channel,
            addr,
            admin: token.expose().to_string(),
            readiness,
        };
        tokio::select! {
            ended = server.serve(listener, std::future::pending()) => panic!("the server ended: {ended:?}"),
            () = story(&running) => {}
        }
    }

    /// The channel, with the admin's token on every call.
    fn as_admin(&self) -> InterceptedService<Channel, Bearer> {
        InterceptedService::new(self.channel.clone(), Bearer(self.admin.clone()))
    }

    /// A call of any method with an empty message. A stream that has begun is not read: some never end by themselves,
    /// and a refusal comes before the first item.
    async fn call(&self, path: &str, token: Option<&str>) -> Result<Response<Streaming<()>>, Status> {
        let mut request = Request::new(());
        if let Some(token) = token {
            let value: MetadataValue<_> = format!("Bearer {token}").parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        client.ready().await.unwrap();
        let path: PathAndQuery = path.parse().unwrap();
        let request = request.map(|()| tokio_stream::once(()));
        client
            .streaming(request, path, ProstCodec::<(), ()>::default())
            .await
    }

    /// How such a call is refused.
    async fn refused(&self, path: &str, token: Option<&str>) -> Option<Refusal> {
        self.call(path, token).await.err().map(|status| refusal(&status))
    }

    /// The token of a new principal; of the space `flights` where the role is for one.
    async fn token(&self, name: &str, role: Role) -> String {
        let node = &self.kit.node;
        let admin = node.authenticate(&self.admin).await.unwrap();
        let of_one_space = matches!(role, Role::SpaceManager | Role::Editor | Role::Viewer);
        if of_one_space {
            // It is there already from the second role on.
            let _ = node.create_space(&admin, "flights".parse().unwrap(), None).await;
        }
        let space = of_one_space.then_some("flights");
        let created = node
            .create_principal(&admin, name.parse().unwrap(), role, space)
            .await;
        created.unwrap().1.expose().to_string()
    }
}

fn about() -> About {
    // The sender may go: a receiver keeps what it saw last.
    let (_, leaf_expires_at) = watch::channel(TestClock::START);
    About {
        version: "0.1.0-test",
        protocol_versions: vec![1],
        started_at: TestClock::START,
        leaf_expires_at,
    }
}

/// Every call that operators can make, as a gRPC path.
fn every_call() -> Vec<String> {
    let set = prost_types::FileDescriptorSet::decode(OPERATOR_DESCRIPTORS).unwrap();
    let mut paths = Vec::new();
    for file in set.file {
        for service in &file.service {
            for method in &service.method {
                let (package, service) = (file.package(), service.name());
                paths.push(format!("/{package}.{service}/{}", method.name()));
            }
        }
    }
    paths.sort();
    paths
}
