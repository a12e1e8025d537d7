//! Clients that do what no peerd would: real TLS with a real identity, and any call they like.

use std::io;
use std::sync::Arc;

use futures::Stream;
use hyper_util::rt::TokioIo;
use peerd_core::{Clock as _, Reason};
use peerd_identity::{Identity, LiveIdentity};
use peerd_wire::frame::{self, Frame, Hello};
use peerd_wire::mpx::v1::mpx_service_client::MpxServiceClient;
use peerd_wire::mpx::v1::{ControlRequest, ControlResponse};
use peerd_wire::status::refusal;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

use crate::site::Site;

/// An identity that nobody has a link to.
pub(crate) fn stranger(site: &Site) -> Arc<Identity> {
    let dir = tempfile::tempdir().unwrap();
    Arc::new(Identity::create(dir.path(), site.ground.clock.now()).unwrap())
}

/// A finished handshake with the site.
pub(crate) async fn tls(site: &Site, identity: &Arc<Identity>) -> TlsStream<TcpStream> {
    let now = site.ground.clock.now();
    let leaf = Arc::new(LiveIdentity::new(Arc::clone(identity), now).unwrap());
    let clock = Arc::clone(&site.ground.clock);
    let config = peerd_identity::client_config(leaf, site.node.enrollment_id(), clock).unwrap();
    let tcp = TcpStream::connect(site.address()).await.unwrap();
    let name = peerd_identity::server_name(site.node.enrollment_id()).unwrap();
    TlsConnector::from(config).connect(name, tcp).await.unwrap()
}

/// A gRPC client over it, which grants so many bytes of answers to a stream that it does not read.
pub(crate) async fn client(
    site: &Site,
    identity: &Arc<Identity>,
    window: Option<u32>,
) -> MpxServiceClient<Channel> {
    let mut only = Some(TokioIo::new(tls(site, identity).await));
    let connector = tower::service_fn(move |_| {
        let next = only.take().ok_or(io::ErrorKind::NotConnected);
        async move { next.map_err(io::Error::from) }
    });
    let channel = Endpoint::from_static("http://rogue.invalid")
        .initial_stream_window_size(window)
        .connect_with_connector(connector)
        .await
        .unwrap();
    MpxServiceClient::new(channel)
}

pub(crate) fn hello(site: &Site) -> Frame {
    Frame::Hello(Hello {
        versions: frame::VERSIONS.to_vec(),
        features: Vec::new(),
        title: None,
        addresses: Vec::new(),
        clock: site.ground.clock.now(),
        heartbeat_interval: std::time::Duration::from_secs(5),
    })
}

pub(crate) fn request(frame: Frame) -> ControlRequest {
    ControlRequest {
        frame: Some(frame.into()),
    }
}

/// Opens a control stream that says these frames and then stays open.
pub(crate) async fn control(
    client: &mut MpxServiceClient<Channel>,
    frames: Vec<Frame>,
) -> Result<Streaming<ControlResponse>, Status> {
    control_with(client, staying(frames.into_iter().map(request).collect())).await
}

pub(crate) async fn control_with(
    client: &mut MpxServiceClient<Channel>,
    requests: impl Stream<Item = ControlRequest> + Send + 'static,
) -> Result<Streaming<ControlResponse>, Status> {
    client.control(requests).await.map(tonic::Response::into_inner)
}

/// These, and then nothing for ever.
pub(crate) fn staying<T: Send + 'static>(items: Vec<T>) -> impl Stream<Item = T> + Send + 'static {
    use futures::StreamExt as _;
    futures::stream::iter(items).chain(futures::stream::pending())
}

/// The reason the stream ends with.
pub(crate) async fn end(mut answers: Streaming<ControlResponse>) -> (tonic::Code, Reason) {
    loop {
        match answers.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended without a reason"),
            Err(status) => return (status.code(), refusal(&status).reason),
        }
    }
}
