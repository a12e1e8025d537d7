//! What cannot be exceeded: the lower of a plain copy over TLS and a sequential write with a sync at the end.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use peerd_tests::bench::table::Row;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

const PIECE: usize = 1 << 18;

/// Both, in megabytes a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    tls: f64,
    write: f64,
}

impl Limit {
    pub(crate) fn megabytes_per_second(&self) -> f64 {
        self.tls.min(self.write)
    }

    pub(crate) fn figures(&self) -> Vec<Row> {
        vec![
            Row::alone("limit: a copy over TLS 1.3, loopback", self.tls, "MB/s"),
            Row::alone("limit: a sequential write and a sync", self.write, "MB/s"),
        ]
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below what a double holds exactly")]
pub(crate) fn measured(bytes: u64) -> anyhow::Result<Limit> {
    let pieces = bytes.div_ceil(PIECE as u64);
    let megabytes = (pieces * PIECE as u64) as f64 / 1e6;
    let piece = vec![0x5a; PIECE];
    let began = Instant::now();
    tls(&piece, pieces)?;
    let tls = megabytes / began.elapsed().as_secs_f64();
    let mut file = tempfile::NamedTempFile::new()?;
    crate::settle(file.path())?;
    let began = Instant::now();
    for _ in 0..pieces {
        file.write_all(&piece)?;
    }
    file.as_file().sync_all()?;
    let write = megabytes / began.elapsed().as_secs_f64();
    Ok(Limit { tls, write })
}

fn tls(piece: &[u8], pieces: u64) -> anyhow::Result<()> {
    let (client, server) = configurations()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let reader = std::thread::spawn(move || -> anyhow::Result<()> {
        let (socket, _) = listener.accept()?;
        let mut stream = StreamOwned::new(ServerConnection::new(server)?, socket);
        let mut buffer = vec![0; PIECE];
        while stream.read(&mut buffer)? > 0 {}
        Ok(())
    });
    let session = ClientConnection::new(client, "localhost".try_into()?)?;
    let mut stream = StreamOwned::new(session, TcpStream::connect(address)?);
    for _ in 0..pieces {
        stream.write_all(piece)?;
    }
    stream.conn.send_close_notify();
    stream.flush()?;
    drop(stream);
    reader.join().ok().context("a reader that ends")?
}

fn configurations() -> anyhow::Result<(Arc<ClientConfig>, Arc<ServerConfig>)> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let certificate = made.cert.der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())?;
    // Nobody reads them, and a connection that is closed before all is read ends with an error.
    server.send_tls13_tickets = 0;
    Ok((Arc::new(client), Arc::new(server)))
}
