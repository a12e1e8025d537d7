//! Mutual TLS handshakes per second, beside what they stand on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use peerd::clock::SystemClock;
use peerd_core::Clock;
use peerd_identity::{Identity, LiveIdentity};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use peerd_tests::bench::table::Row;

/// How long each kind is measured.
const SPAN: Duration = Duration::from_millis(1_500);

/// The TLS of both ends; none for plain TCP.
#[derive(Clone)]
struct Ends {
    tls: Option<(TlsAcceptor, TlsConnector, ServerName<'static>)>,
}

pub(crate) fn figures() -> anyhow::Result<Vec<Row>> {
    let kinds = [mutual()?, server_only()?, Ends { tls: None }];
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut rows = Vec::new();
    for (threads, where_) in [(1, "one core".to_owned()), (cores, format!("{cores} cores"))] {
        let mut rates = Vec::new();
        for ends in &kinds {
            rates.push(rate(ends, threads)?);
        }
        let [mutual, server_only, plain] = rates[..] else {
            anyhow::bail!("three kinds are measured");
        };
        let figure = format!("mutual TLS handshakes, both ends, {where_}");
        let tls = "TLS of a server certificate alone, X25519";
        rows.push(Row::new(&figure, mutual, "/s", tls, server_only));
        rows.push(Row::new(&figure, mutual, "/s", "plain TCP connects", plain));
    }
    Ok(rows)
}

/// Handshakes per second, where each thread does both ends of its own.
fn rate(ends: &Ends, threads: usize) -> anyhow::Result<f64> {
    let began = Instant::now();
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            let ends = ends.clone();
            std::thread::spawn(move || shake(&ends))
        })
        .collect();
    let mut count = 0;
    for worker in workers {
        count += worker.join().ok().context("a worker stopped")??;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

/// How many connections were made and used once, one after the other.
fn shake(ends: &Ends) -> anyhow::Result<u32> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (began, mut count) = (Instant::now(), 0);
        while began.elapsed() < SPAN {
            tokio::try_join!(accept(ends, &listener), connect(ends, &listener))?;
            count += 1;
        }
        Ok(count)
    })
}

async fn accept(ends: &Ends, listener: &TcpListener) -> anyhow::Result<()> {
    let (tcp, _) = listener.accept().await?;
    tcp.set_nodelay(true)?;
    match &ends.tls {
        Some((acceptor, ..)) => answer(acceptor.accept(tcp).await?).await,
        None => answer(tcp).await,
    }
}

/// One byte back: only then does the client know that its certificate was accepted.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> anyhow::Result<()> {
    stream.write_all(b"!").await?;
    stream.flush().await?;
    // Until the client has gone, so that the byte is not lost with the connection.
    let _ = stream.read(&mut [0]).await;
    Ok(())
}

async fn connect(ends: &Ends, listener: &TcpListener) -> anyhow::Result<()> {
    let tcp = TcpStream::connect(listener.local_addr()?).await?;
    tcp.set_nodelay(true)?;
    // So many short connections would leave every port waiting.
    tcp.set_zero_linger()?;
    if let Some((_, connector, name)) = &ends.tls {
        let mut stream = connector.connect(name.clone(), tcp).await?;
        stream.read_exact(&mut [0]).await?;
    } else {
        let mut tcp = tcp;
        tcp.read_exact(&mut [0]).await?;
    }
    Ok(())
}

/// What two enrollments do: TLS 1.3, X25519MLKEM768, a chain of two certificates each way.
fn mutual() -> anyhow::Result<Ends> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let leaf = || {
        let dir = tempfile::tempdir()?;
        let identity = Arc::new(Identity::create(dir.path(), clock.now())?);
        anyhow::Ok(Arc::new(LiveIdentity::new(identity, clock.now())?))
    };
    let (here, there) = (leaf()?, leaf()?);
    let expected = here.identity().enrollment_id();
    let server = peerd_identity::server_config(here, Arc::clone(&clock))?;
    let client = peerd_identity::client_config(there, expected, clock)?;
    let name = peerd_identity::server_name(expected)?;
    Ok(Ends {
        tls: Some((TlsAcceptor::from(server), TlsConnector::from(client), name)),
    })
}

/// What most servers do: one P-256 certificate, X25519, nobody asks the client. Nothing is resumed here either.
fn server_only() -> anyhow::Result<Ends> {
    let key = rcgen::KeyPair::generate()?;
    let params = rcgen::CertificateParams::new(vec!["server.invalid".to_owned()])?;
    let certificate = params.self_signed(&key)?.der().clone();
    let provider = Arc::new(CryptoProvider {
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    });
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    server.send_tls13_tickets = 0;
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.resumption = Resumption::disabled();
    let (server, client) = (Arc::new(server), Arc::new(client));
    let name = ServerName::try_from("server.invalid")?;
    Ok(Ends {
        tls: Some((TlsAcceptor::from(server), TlsConnector::from(client), name)),
    })
}
