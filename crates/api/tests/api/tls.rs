//! The API behind TLS.

use std::sync::Arc;
use std::time::Duration;

use peerd_api::{ApiServer, Limits};
use peerd_core::authz::Token;
use peerd_testkit::TestNode;
use peerd_wire::admin::v1 as pb;
use peerd_wire::admin::v1::enrollment_service_client::EnrollmentServiceClient;
use tokio::net::{TcpListener, TcpStream};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use crate::{Bearer, about};

#[tokio::test]
async fn calls_go_through_tls_and_a_stuck_handshake_holds_up_nobody() {
    let kit = TestNode::fresh("alpha").await;
    let token = Token::from_bytes([7; 32]);
    kit.node.bootstrap_admin(&token).await.unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut tls = rustls::ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    tls.alpn_protocols = vec![b"h2".to_vec()];

    let limits = Limits {
        handshake_timeout: Duration::from_mins(1),
        ..Limits::default()
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (server, _) = ApiServer::new(Arc::clone(&kit.node), about(), limits, Some(Arc::new(tls))).await;
    let story = async {
        let _stuck = TcpStream::connect(addr).await.unwrap();
        let trusted = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(made.cert.pem()))
            .domain_name("localhost");
        let endpoint = Endpoint::from_shared(format!("https://{addr}")).unwrap();
        let channel = endpoint.tls_config(trusted).unwrap().connect().await.unwrap();
        let bearer = Bearer(token.expose().to_string());
        let mut client = EnrollmentServiceClient::new(InterceptedService::new(channel, bearer));
        let answer = client.get_enrollment(pb::GetEnrollmentRequest {}).await.unwrap();
        let enrollment = answer.into_inner().enrollment.unwrap();
        assert_eq!(enrollment.enrollment_id, kit.node.enrollment_id().to_string());

        let plain = Endpoint::from_shared(format!("http://{addr}"))
            .unwrap()
            .connect_lazy();
        let mut client = EnrollmentServiceClient::new(plain);
        client
            .get_enrollment(pb::GetEnrollmentRequest {})
            .await
            .unwrap_err();
    };
    tokio::select! {
        ended = server.serve(listener, std::future::pending()) => panic!("the server ended: {ended:?}"),
        () = story => {}
    }
}
