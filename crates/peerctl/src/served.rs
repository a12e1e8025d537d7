//! Stand-ins of a daemon for tests of the way to it and back: real sockets, real gRPC, made-up answers.

use std::path::PathBuf;
use std::time::Duration;

use peerd_core::{Clock, Reason, Time};
use peerd_wire::admin::v1 as admin;
use peerd_wire::admin::v1::enrollment_service_server::{EnrollmentService, EnrollmentServiceServer};
use peerd_wire::status::{Refusal, status};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::server::Router;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

use crate::client::Client;
use crate::settings::Settings;
use crate::{parse, run};

/// Runs the client against these services; it is given their port.
pub(crate) async fn serve<T>(services: Router, client: impl AsyncFnOnce(u16) -> T) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::select! {
        served = services.serve_with_incoming(TcpListenerStream::new(listener)) => {
            panic!("the server ended: {served:?}")
        }
        answer = client(port) => answer,
    }
}

#[derive(Debug)]
struct Never;

impl Clock for Never {
    fn now(&self) -> Time {
        Time::EPOCH
    }
}

/// The exit code of a command line.
pub(crate) async fn exit(args: &[&str]) -> u8 {
    match parse(
        std::iter::once("peerctl")
            .chain(args.iter().copied())
            .map(Into::into),
    ) {
        Ok(cli) => run(cli, &Never).await,
        Err(exit) => exit,
    }
}

/// Knows one token, refuses to be called anything, and takes for ever to say how it is.
struct Enrollment;

#[tonic::async_trait]
impl EnrollmentService for Enrollment {
    async fn get_enrollment(
        &self,
        request: Request<admin::GetEnrollmentRequest>,
    ) -> Result<Response<admin::GetEnrollmentResponse>, Status> {
        let sent = request.metadata().get("authorization");
        if sent.is_none_or(|sent| sent != "Bearer tok_1") {
            return Err(status(Refusal::new(Reason::TokenInvalid, "no valid token")));
        }
        Ok(Response::new(admin::GetEnrollmentResponse {
            enrollment: Some(admin::Enrollment::default()),
        }))
    }

    async fn set_title(
        &self,
        request: Request<admin::SetTitleRequest>,
    ) -> Result<Response<admin::SetTitleResponse>, Status> {
        let word = request.into_inner().title;
        let reason = Reason::from_word(&word).expect("a reason word");
        Err(status(Refusal::new(reason, "refused")))
    }

    async fn rotate_identity(
        &self,
        _: Request<admin::RotateIdentityRequest>,
    ) -> Result<Response<admin::RotateIdentityResponse>, Status> {
        Err(status(Refusal::new(Reason::Internal, "refused")))
    }

    async fn get_status(
        &self,
        _: Request<admin::GetStatusRequest>,
    ) -> Result<Response<admin::GetStatusResponse>, Status> {
        std::future::pending().await
    }
}

fn enrollment() -> Router {
    Server::builder().add_service(EnrollmentServiceServer::new(Enrollment))
}

fn token(dir: &TempDir) -> PathBuf {
    let file = dir.path().join("token");
    std::fs::write(&file, "tok_1\n").expect("write");
    file
}

#[tokio::test]
async fn a_call_carries_its_token_and_a_refusal_its_exit_code() {
    let dir = TempDir::new().expect("a directory");
    let token = token(&dir);
    serve(enrollment(), async |port| {
        let endpoint = format!("http://127.0.0.1:{port}");
        let at = ["--endpoint", &endpoint, "-o", "json"];
        let token_file = token.to_str().expect("a path");
        let show = ["enrollment", "show", "--token-file", token_file];
        assert_eq!(exit(&[&at[..], &show[..]].concat()).await, 0);
        assert_eq!(exit(&[&at[..], &show[..2]].concat()).await, 4);
        for (word, code) in [
            ("FIELD_INVALID", 6),
            ("NOT_FOUND", 3),
            ("EGRESS_DENIED", 4),
            ("WRONG_STAGE", 5),
            ("STORE_UNAVAILABLE", 1),
            ("PEER_UNREACHABLE", 1),
            ("WAIT_TIMEOUT", 7),
        ] {
            let args = [&at[..], &["enrollment", "set-title", word]].concat();
            assert_eq!(exit(&args).await, code, "{word}");
        }
        assert_eq!(
            exit(&[&at[..], &["policy", "list"]].concat()).await,
            1,
            "no such service"
        );
    })
    .await;
}

#[tokio::test]
async fn a_daemon_that_does_not_answer_is_left_after_the_timeout() {
    serve(enrollment(), async |port| {
        let endpoint = format!("http://127.0.0.1:{port}");
        let args = ["--endpoint", &endpoint, "--timeout", "1s", "status"];
        let limit = tokio::time::timeout(Duration::from_secs(30), exit(&args));
        assert_eq!(limit.await.expect("an end"), 7);
    })
    .await;
}

#[tokio::test]
async fn a_daemon_that_is_not_there_is_exit_code_1() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    assert_eq!(exit(&["--endpoint", &endpoint, "status"]).await, 1);
}

/// A watch that breaks is opened again because of this.
#[tokio::test]
async fn a_connection_that_breaks_in_a_call_means_that_the_daemon_is_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let break_off = async {
        loop {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            let mut begun = [0; 24];
            socket.read_exact(&mut begun).await.expect("the start of HTTP/2");
        }
    };
    let call = async {
        let client = Client::connect(Settings {
            endpoint: format!("http://{address}").parse().expect("a URL"),
            bearer: None,
            ca: None,
            call_max: Duration::from_secs(30),
        })
        .await?;
        let request = admin::GetStatusRequest {};
        client.call(client.enrollment().get_status(request)).await
    };
    tokio::select! {
        () = break_off => {}
        answer = call => {
            let reason = answer.expect_err("nobody answers").reason();
            assert_eq!(reason, Reason::DaemonUnreachable);
        }
    }
}

#[tokio::test]
async fn https_trusts_the_named_certificates_and_no_others() {
    let dir = TempDir::new().expect("a directory");
    let token = token(&dir);
    let certificate = |name: &str| {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let file = dir.path().join(name);
        std::fs::write(&file, made.cert.pem()).expect("write");
        (file.to_str().expect("a path").to_owned(), made)
    };
    let (ours, made) = certificate("ours.pem");
    let (other, _) = certificate("other.pem");
    let identity = Identity::from_pem(made.cert.pem(), made.signing_key.serialize_pem());
    let tls = Server::builder()
        .tls_config(ServerTlsConfig::new().identity(identity))
        .expect("a TLS configuration")
        .add_service(EnrollmentServiceServer::new(Enrollment));
    serve(tls, async |port| {
        let endpoint = format!("https://127.0.0.1:{port}");
        let token_file = token.to_str().expect("a path");
        let show = [
            "enrollment",
            "show",
            "--endpoint",
            &endpoint,
            "--token-file",
            token_file,
        ];
        assert_eq!(exit(&[&show[..], &["--ca", &ours]].concat()).await, 0);
        assert_eq!(exit(&[&show[..], &["--ca", &other]].concat()).await, 1);
        assert_eq!(exit(&show).await, 2, "without --ca");
    })
    .await;
}
