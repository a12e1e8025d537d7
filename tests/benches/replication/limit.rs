//! What cannot be saved: each object is encoded and decoded, crosses TLS, and is in a synced log, each measured alone.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use peerd_core::object::ObjectState;
use peerd_core::{EnrollmentId, Time};
use peerd_tests::bench::cpu;
use peerd_tests::bench::rows::{self, Keys};
use peerd_tests::bench::states::states;
use peerd_tests::bench::table::Row;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// Objects whose states are used, again and again.
const OBJECTS: u64 = 20_000;
/// One append of the log has so many, as a commit has.
const BATCH: usize = 500;
/// How long each is measured at least: the system counts CPU time in hundredths of a second.
const LASTING: Duration = Duration::from_secs(2);

/// What one part costs alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) rows_per_second: f64,
    pub(crate) cpu_us_per_row: f64,
}

/// What all parts cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    codec: Part,
    tls: Part,
    log: Part,
}

impl Limit {
    /// The rate of the slowest of them.
    pub(crate) fn rows_per_second(&self) -> f64 {
        let [codec, tls, log] = self.parts().map(|part| part.rows_per_second);
        codec.min(tls).min(log)
    }

    /// The CPU time of all of them.
    pub(crate) fn cpu_us_per_row(&self) -> f64 {
        self.parts().iter().map(|part| part.cpu_us_per_row).sum()
    }

    fn parts(&self) -> [Part; 3] {
        [self.codec, self.tls, self.log]
    }

    pub(crate) fn figures(&self) -> Vec<Row> {
        let names = [
            "encoding and decoding",
            "TLS 1.3 over the loopback",
            "an append synced every 500 objects",
        ];
        let mut table = Vec::new();
        for (name, part) in names.iter().zip(self.parts()) {
            let figure = format!("limit: {name}, alone");
            table.push(Row::alone(figure.clone(), part.rows_per_second, "rows/s"));
            table.push(Row::alone(
                format!("{figure}: CPU"),
                part.cpu_us_per_row,
                "µs/row",
            ));
        }
        table
    }
}

/// Measures the parts on the states of synthetic objects.
pub(crate) fn measured() -> anyhow::Result<Limit> {
    let rows = rows::synthetic(OBJECTS, Keys::Sequential)?;
    let owner = EnrollmentId::from_bytes([7; 32]);
    let states = states(&rows, &rows.all, owner, Time::from_micros(1_700_000_000_000_000))?;
    let bytes: Vec<Vec<u8>> = states.iter().map(ObjectState::encode).collect();
    Ok(Limit {
        codec: repeated(states.len(), || codec(&states))?,
        tls: tls(&bytes)?,
        log: log(&bytes)?,
    })
}

/// Does something with so many objects until it took long enough. The rate is that of the fastest time: what else the
/// machine did meanwhile is no part of a limit.
fn repeated(objects: usize, mut act: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Part> {
    let (began, before) = (Instant::now(), cpu::of_this_process()?);
    let (mut rounds, mut fastest) = (0_u32, Duration::MAX);
    while began.elapsed() < LASTING {
        let round = Instant::now();
        act()?;
        fastest = fastest.min(round.elapsed());
        rounds += 1;
    }
    let objects = f64::from(u32::try_from(objects)?);
    Ok(Part {
        rows_per_second: objects / fastest.as_secs_f64(),
        cpu_us_per_row: (cpu::of_this_process()? - before) * 1e6 / (objects * f64::from(rounds)),
    })
}

fn codec(states: &[ObjectState]) -> anyhow::Result<()> {
    for state in states {
        let bytes = std::hint::black_box(state.encode());
        std::hint::black_box(ObjectState::decode(&bytes)?);
    }
    Ok(())
}

fn log(objects: &[Vec<u8>]) -> anyhow::Result<Part> {
    let mut file: File = tempfile::tempfile()?;
    repeated(objects.len(), || {
        for batch in objects.chunks(BATCH) {
            file.write_all(&batch.concat())?;
            file.sync_data()?;
        }
        Ok(())
    })
}

/// Both ends: what one encrypts the other decrypts.
fn tls(objects: &[Vec<u8>]) -> anyhow::Result<Part> {
    let (client, server) = configurations()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let reader = std::thread::spawn(move || -> anyhow::Result<()> {
        let (socket, _) = listener.accept()?;
        let mut stream = StreamOwned::new(ServerConnection::new(server)?, socket);
        let mut buffer = vec![0; 64 << 10];
        while stream.read(&mut buffer)? > 0 {}
        Ok(())
    });
    let session = ClientConnection::new(client, "localhost".try_into()?)?;
    let mut stream = StreamOwned::new(session, TcpStream::connect(address)?);
    // The handshake is no part of it.
    stream.flush()?;
    let part = repeated(objects.len(), || {
        for batch in objects.chunks(BATCH) {
            stream.write_all(&batch.concat())?;
        }
        Ok(stream.flush()?)
    })?;
    stream.conn.send_close_notify();
    stream.flush()?;
    drop(stream);
    reader.join().ok().context("a reader that ends")??;
    Ok(part)
}

fn configurations() -> anyhow::Result<(Arc<ClientConfig>, Arc<ServerConfig>)> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let certificate = made.cert.der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider
        .cipher_suites
        .retain(|suite| suite.suite() == rustls::CipherSuite::TLS13_AES_256_GCM_SHA384);
    let provider = Arc::new(provider);
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
