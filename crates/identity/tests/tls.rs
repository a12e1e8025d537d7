//! Real handshakes over loopback sockets: who is let in, who is not and why, and what both ends then know.
#![cfg(test)]

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use peerd_core::code::ProofKey;
use peerd_core::signature::OwnIdentity as _;
use peerd_core::{Clock, EnrollmentId, LinkId, Secret, Time};
use peerd_identity::{
    ExpectedIdentities, Identity, KEY_FILE, LiveIdentity, PeerIdentity, Presented, Refusal, channel_binding,
    client_config, presented, refusal_of, server_config, server_name,
};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose, SanType};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::{default_provider, kx_group, sign::any_ecdsa_type};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, NamedGroup, ProtocolVersion, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

const NOW: Time = Time::from_micros(1_800_000_000_000_000);
const HOUR: Duration = Duration::from_hours(1);

#[derive(Debug)]
struct MovedClock(AtomicI64);

impl MovedClock {
    fn set(&self, time: Time) {
        self.0.store(time.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Time {
        Time::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// One enrollment with its own directory and clock.
struct Site {
    dir: tempfile::TempDir,
    clock: Arc<MovedClock>,
    identity: Arc<Identity>,
    leaf: Arc<LiveIdentity>,
}

impl Site {
    fn new() -> Site {
        Site::at(NOW)
    }

    fn at(now: Time) -> Site {
        let dir = tempfile::tempdir().unwrap();
        let identity = Arc::new(Identity::create(dir.path(), now).unwrap());
        Site {
            dir,
            clock: Arc::new(MovedClock(AtomicI64::new(now.as_micros()))),
            leaf: Arc::new(LiveIdentity::new(Arc::clone(&identity), now).unwrap()),
            identity,
        }
    }

    fn id(&self) -> EnrollmentId {
        self.identity.enrollment_id()
    }

    fn server(&self) -> Arc<ServerConfig> {
        server_config(Arc::clone(&self.leaf), self.clock.clone()).unwrap()
    }

    fn client(&self, expected: impl Into<ExpectedIdentities>) -> Arc<ClientConfig> {
        client_config(Arc::clone(&self.leaf), expected, self.clock.clone()).unwrap()
    }

    /// The same server, but with other certificates.
    fn server_with(&self, certified: CertifiedKey) -> Arc<ServerConfig> {
        let mut config = ServerConfig::clone(&self.server());
        config.cert_resolver = Arc::new(SingleCertAndKey::from(certified));
        Arc::new(config)
    }

    /// The same client, but with other certificates.
    fn client_with(&self, expected: EnrollmentId, certified: CertifiedKey) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.client(expected));
        config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified));
        Arc::new(config)
    }

    /// A leaf that the product would never issue, really signed by this identity, with `beside` as second certificate.
    fn forge(&self, beside: &Identity, edit: impl FnOnce(&mut CertificateParams)) -> CertifiedKey {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name_of(self.id())];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        edit(&mut params);
        let key = KeyPair::generate().unwrap();
        let identity_key = read_key(self.dir.path());
        let issuer = Issuer::from_ca_cert_der(self.identity.certificate_der(), &identity_key).unwrap();
        let leaf = params.signed_by(&key, &issuer).unwrap();
        certified(vec![leaf.into(), beside.certificate_der().clone()], &key)
    }
}

fn read_key(dir: &Path) -> KeyPair {
    KeyPair::from_pem(&std::fs::read_to_string(dir.join(KEY_FILE)).unwrap()).unwrap()
}

fn certified(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> CertifiedKey {
    let der = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    CertifiedKey::new(chain, any_ecdsa_type(&der).unwrap())
}

fn name_of(id: EnrollmentId) -> SanType {
    SanType::DnsName(format!("{id}.enrollment.peerd.invalid").try_into().unwrap())
}

type Ends = (
    io::Result<server::TlsStream<TcpStream>>,
    io::Result<client::TlsStream<TcpStream>>,
);

/// One handshake over a loopback socket; the result of each end.
async fn handshake(accepting: Arc<ServerConfig>, dialling: Arc<ClientConfig>) -> Ends {
    handshake_named(accepting, dialling, EnrollmentId::from_bytes([0; 32])).await
}

async fn handshake_named(
    accepting: Arc<ServerConfig>,
    dialling: Arc<ClientConfig>,
    named: EnrollmentId,
) -> Ends {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let name = server_name(named).unwrap();
    tokio::join!(
        async {
            let (socket, _) = listener.accept().await?;
            TlsAcceptor::from(accepting).accept(socket).await
        },
        async {
            let socket = TcpStream::connect(address).await?;
            TlsConnector::from(dialling).connect(name, socket).await
        }
    )
}

async fn connected(
    accepting: &Site,
    dialling: &Site,
) -> (server::TlsStream<TcpStream>, client::TlsStream<TcpStream>) {
    let (server, client) = handshake(accepting.server(), dialling.client(accepting.id())).await;
    (server.unwrap(), client.unwrap())
}

/// Why the accepting end refused this dialler. The dialler's own handshake ends before that in TLS 1.3, so it learns of it
/// from its first read.
async fn refused_by_server(accepting: &Site, dialling: Arc<ClientConfig>) -> Refusal {
    let (server, client) = handshake(accepting.server(), dialling).await;
    let refusal = refusal_of(&server.unwrap_err()).expect("a refusal");
    assert!(client.unwrap().read_u8().await.is_err());
    refusal
}

/// Why the dialling end refused this acceptor. Neither end has a connection.
async fn refused_by_client(dialling: Arc<ClientConfig>, accepting: Arc<ServerConfig>) -> Refusal {
    let (server, client) = handshake(accepting, dialling).await;
    assert!(server.is_err());
    refusal_of(&client.unwrap_err()).expect("a refusal")
}

fn peer_of_server(stream: &server::TlsStream<TcpStream>) -> Presented {
    presented(stream.get_ref().1.peer_certificates().unwrap()).unwrap()
}

fn peer_of_client(stream: &client::TlsStream<TcpStream>) -> Presented {
    presented(stream.get_ref().1.peer_certificates().unwrap()).unwrap()
}

#[tokio::test]
async fn both_ends_know_each_other_over_tls_1_3_with_a_post_quantum_exchange() {
    let (a, b) = (Site::new(), Site::new());
    let (mut server, mut client) = connected(&a, &b).await;

    assert_eq!(peer_of_server(&server).enrollment_id(), b.id());
    let seen = peer_of_client(&client);
    assert_eq!(seen.enrollment_id(), a.id());
    assert_eq!(seen.lineage().key(), a.identity.public_key());
    assert_eq!(seen.identity_certificate_der(), a.identity.certificate_der());
    assert_eq!(seen.fingerprint(), a.identity.fingerprint());

    let connection = client.get_ref().1;
    assert_eq!(connection.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(connection.alpn_protocol(), Some(&b"h2"[..]));
    let group = connection.negotiated_key_exchange_group().unwrap();
    assert_eq!(group.name(), NamedGroup::X25519MLKEM768);
    assert_eq!(server.get_ref().1.server_name(), None);

    client.write_all(b"ping").await.unwrap();
    client.flush().await.unwrap();
    let mut word = [0; 4];
    server.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"ping");
}

#[tokio::test]
async fn a_peer_without_the_post_quantum_exchange_still_connects() {
    let (a, b) = (Site::new(), Site::new());
    let mut provider = default_provider();
    provider.kx_groups = vec![kx_group::X25519];
    let mut roots = RootCertStore::empty();
    roots.add(a.identity.certificate_der().clone()).unwrap();
    // An ordinary TLS library, which knows nothing of this crate but the acceptor's certificate and name.
    let ordinary = ClientConfig::builder_with_details(Arc::new(provider), Arc::new(StoppedAtNow))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_cert_resolver(b.leaf.clone());
    let (server, client) = handshake_named(a.server(), Arc::new(ordinary), a.id()).await;
    let group = server
        .unwrap()
        .get_ref()
        .1
        .negotiated_key_exchange_group()
        .unwrap();
    assert_eq!(group.name(), NamedGroup::X25519);
    assert!(client.is_ok());
}

#[tokio::test]
async fn tls_1_2_is_refused_in_both_roles() {
    let (a, b) = (Site::new(), Site::new());
    let provider = Arc::new(default_provider());
    let old_client = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_client_cert_resolver(b.leaf.clone());
    let (server, client) = handshake(a.server(), Arc::new(old_client)).await;
    assert!(matches!(
        tls_error(&server.unwrap_err()),
        rustls::Error::PeerIncompatible(_)
    ));
    assert!(client.is_err());

    let old_server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(a.leaf.clone());
    let (server, client) = handshake(Arc::new(old_server), b.client(a.id())).await;
    assert!(server.is_err() && client.is_err());
}

fn tls_error(error: &io::Error) -> &rustls::Error {
    error.get_ref().unwrap().downcast_ref().unwrap()
}

#[tokio::test]
async fn b014_a_client_without_a_certificate_is_refused() {
    let (a, b) = (Site::new(), Site::new());
    let mut config = ClientConfig::clone(&b.client(a.id()));
    config.client_auth_cert_resolver = Arc::new(NoCertificates);
    assert_eq!(refused_by_server(&a, Arc::new(config)).await, Refusal::NoChain);
}

#[tokio::test]
async fn b014_a_strangers_single_self_signed_certificate_is_refused() {
    let (a, b) = (Site::new(), Site::new());
    let key = KeyPair::generate().unwrap();
    let alone = || {
        let params = CertificateParams::new(vec!["stranger.example".to_owned()]).unwrap();
        certified(vec![params.self_signed(&key).unwrap().into()], &key)
    };
    let dialled = refused_by_server(&a, b.client_with(a.id(), alone())).await;
    assert_eq!(dialled, Refusal::NoChain);
    let accepted = refused_by_client(b.client(a.id()), a.server_with(alone())).await;
    assert_eq!(accepted, Refusal::NoChain);
}

#[tokio::test]
async fn b014_an_expired_leaf_is_refused() {
    let (a, b) = (Site::new(), Site::new());
    a.clock.set(NOW.plus(25 * HOUR));
    a.leaf.renew(NOW.plus(25 * HOUR)).unwrap();
    // The clock of `b` is right here; it is its leaf that was never renewed.
    b.clock.set(NOW.plus(25 * HOUR));
    let expired = Refusal::Expired {
        not_after: NOW.plus(24 * HOUR),
        now: NOW.plus(25 * HOUR),
    };
    assert_eq!(refused_by_server(&a, b.client(a.id())).await, expired);
    assert_eq!(refused_by_client(a.client(b.id()), b.server()).await, expired);
    b.leaf.renew(NOW.plus(25 * HOUR)).unwrap();
    connected(&a, &b).await;
}

#[tokio::test]
async fn b014_b031_a_leaf_from_too_far_ahead_is_refused_and_blames_the_clocks() {
    let (a, ahead) = (Site::new(), Site::at(NOW.plus(5 * HOUR)));
    ahead.clock.set(NOW);
    let early = Refusal::NotYetValid {
        not_before: NOW.plus(3 * HOUR),
        now: NOW,
    };
    assert_eq!(refused_by_server(&a, ahead.client(a.id())).await, early);
    assert_eq!(
        refused_by_client(a.client(ahead.id()), ahead.server()).await,
        early
    );
    assert!(early.to_string().contains("compare the clocks"));
}

#[tokio::test]
async fn b014_a_leaf_for_another_use_is_refused() {
    let (a, b) = (Site::new(), Site::new());
    let only = |site: &Site, usage| site.forge(&site.identity, |p| p.extended_key_usages = vec![usage]);
    let as_client = only(&b, ExtendedKeyUsagePurpose::ServerAuth);
    let refusal = refused_by_server(&a, b.client_with(a.id(), as_client)).await;
    assert_eq!(refusal, Refusal::WrongUsage);
    let as_server = only(&a, ExtendedKeyUsagePurpose::ClientAuth);
    let refusal = refused_by_client(b.client(a.id()), a.server_with(as_server)).await;
    assert_eq!(refusal, Refusal::WrongUsage);
}

#[tokio::test]
async fn b015_a_leaf_that_names_another_enrollment_is_refused_for_that_reason() {
    let (a, b, c) = (Site::new(), Site::new(), Site::new());
    let misnamed = |site: &Site| site.forge(&site.identity, |p| p.subject_alt_names = vec![name_of(c.id())]);
    let refusal = refused_by_server(&a, b.client_with(a.id(), misnamed(&b))).await;
    assert_eq!(refusal, Refusal::NameMismatch);
    let refusal = refused_by_client(b.client(a.id()), a.server_with(misnamed(&a))).await;
    assert_eq!(refusal, Refusal::NameMismatch);
}

#[tokio::test]
async fn b016_a_leaf_beside_an_identity_that_did_not_issue_it_is_refused_for_that_reason() {
    let (a, b, thief) = (Site::new(), Site::new(), Site::new());
    // The thief signs a leaf that names `b` and shows it beside the identity certificate of `b`, which is public.
    let stolen = |victim: &Site| {
        thief.forge(&victim.identity, |p| {
            p.subject_alt_names = vec![name_of(victim.id())];
        })
    };
    let refusal = refused_by_server(&a, thief.client_with(a.id(), stolen(&b))).await;
    assert_eq!(refusal, Refusal::NotIssuedByIdentity);
    let refusal = refused_by_client(a.client(b.id()), thief.server_with(stolen(&b))).await;
    assert_eq!(refusal, Refusal::NotIssuedByIdentity);
}

#[tokio::test]
async fn b017_the_valid_certificate_of_one_peer_does_not_pass_for_another() {
    let (a, b, me) = (Site::new(), Site::new(), Site::new());
    let refusal = refused_by_client(me.client(b.id()), a.server()).await;
    let expected = Refusal::WrongIdentity {
        expected: b.id().into(),
        presented: a.id(),
    };
    assert_eq!(refusal, expected);
    assert!(refusal.to_string().contains(&a.id().to_string()));

    // An acceptor lets `a` in as `a`, and never as the `b` that is pinned.
    let (server, _client) = connected(&me, &a).await;
    let peer = peer_of_server(&server).identify(|id| id == b.id());
    assert!(matches!(&peer, PeerIdentity::Unknown(who) if who.enrollment_id() == a.id()));
    assert!(peer.known().is_none());
    let peer = peer_of_server(&server).identify(|id| id == a.id());
    assert_eq!(peer.known().unwrap().enrollment_id(), a.id());
}

#[tokio::test]
async fn b017_a_copied_chain_without_its_key_proves_nothing() {
    let (a, b, me) = (Site::new(), Site::new(), Site::new());
    let chain = |site: &Site| site.identity.issue_leaf(NOW).unwrap().chain().to_vec();
    let key = KeyPair::generate().unwrap();
    let bad_signature = |error: &io::Error| {
        matches!(
            tls_error(error),
            rustls::Error::InvalidCertificate(rustls::CertificateError::BadSignature)
        )
    };
    let (server, _) = handshake(me.server(), a.client_with(me.id(), certified(chain(&b), &key))).await;
    assert!(bad_signature(&server.unwrap_err()));
    let (_, client) = handshake(a.server_with(certified(chain(&b), &key)), me.client(b.id())).await;
    assert!(bad_signature(&client.unwrap_err()));
}

#[tokio::test]
async fn b018_two_pinned_peers_cannot_vouch_for_each_other() {
    let (a, b, me) = (Site::new(), Site::new(), Site::new());
    // Both are pinned by links of ours at the same time.
    let (to_a, to_b) = (me.client(a.id()), me.client(b.id()));
    let vouched = a.forge(&b.identity, |p| p.subject_alt_names = vec![name_of(b.id())]);
    let refusal = refused_by_client(to_b.clone(), a.server_with(vouched)).await;
    assert_eq!(refusal, Refusal::NotIssuedByIdentity);
    let vouched = a.forge(&a.identity, |p| p.subject_alt_names = vec![name_of(b.id())]);
    let refusal = refused_by_client(to_b.clone(), a.server_with(vouched)).await;
    assert!(matches!(refusal, Refusal::WrongIdentity { .. }));
    for (config, site) in [(to_a, &a), (to_b, &b)] {
        let (server, client) = handshake(site.server(), config).await;
        assert!(server.is_ok() && client.is_ok());
    }
}

#[tokio::test]
async fn b025_an_identity_that_the_pinned_one_named_is_accepted_and_nobody_else() {
    let (a, other, me) = (Site::new(), Site::new(), Site::new());
    let first = a.leaf.identity();
    let earlier = Arc::new(LiveIdentity::new(Arc::clone(&first), NOW).unwrap());
    for replaced in 1..=2 {
        a.leaf.rotate(NOW).unwrap();
        let (server, client) = handshake(a.server(), me.client(a.id())).await;
        let seen = peer_of_client(&client.unwrap());
        assert!(server.is_ok());
        assert_eq!(
            (seen.enrollment_id(), seen.lineage().handovers().len()),
            (a.id(), replaced)
        );
        assert!(seen.lineage().follows(first.public_key()));
    }
    // Who knows the new one does not take the earlier one for it.
    let newest = a.leaf.lineage().key().enrollment_id();
    let (server, client) = handshake(a.server(), me.client(newest)).await;
    assert!(server.is_ok() && client.is_ok());
    let earlier = server_config(earlier, a.clock.clone()).unwrap();
    let refusal = refused_by_client(me.client(newest), earlier).await;
    assert!(matches!(refusal, Refusal::WrongIdentity { .. }));
    let refusal = refused_by_client(me.client(a.id()), other.server()).await;
    assert!(matches!(refusal, Refusal::WrongIdentity { .. }));
    let nobody = me.client(ExpectedIdentities::from_iter([]));
    let refusal = refused_by_client(nobody, a.server()).await;
    assert!(matches!(refusal, Refusal::WrongIdentity { .. }));
}

#[tokio::test]
async fn a_renewed_leaf_is_seen_by_new_connections_and_disturbs_no_old_one() {
    let (a, b) = (Site::new(), Site::new());
    let (accepting, dialling) = (a.server(), b.client(a.id()));
    let (server, client) = handshake(accepting.clone(), dialling.clone()).await;
    let (mut server, mut client) = (server.unwrap(), client.unwrap());

    let later = NOW.plus(12 * HOUR);
    for site in [&a, &b] {
        site.clock.set(later);
        site.leaf.renew(later).unwrap();
    }
    client.write_all(b"still here").await.unwrap();
    client.flush().await.unwrap();
    let mut word = [0; 10];
    server.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"still here");

    // The same two configurations, past the end of the first leaf.
    for site in [&a, &b] {
        site.clock.set(NOW.plus(30 * HOUR));
    }
    let (server_after, client_after) = handshake(accepting, dialling).await;
    let (server_after, client_after) = (server_after.unwrap(), client_after.unwrap());
    let certificates = |certificates: Option<&[CertificateDer<'static>]>| certificates.unwrap().to_vec();
    for (before, after) in [
        (
            certificates(client.get_ref().1.peer_certificates()),
            certificates(client_after.get_ref().1.peer_certificates()),
        ),
        (
            certificates(server.get_ref().1.peer_certificates()),
            certificates(server_after.get_ref().1.peer_certificates()),
        ),
    ] {
        assert_ne!(before[0], after[0]);
        assert_eq!(before[1], after[1]);
    }
}

#[tokio::test]
async fn no_session_is_resumed_even_if_the_dialler_would_like_to() {
    let (a, b) = (Site::new(), Site::new());
    let mut eager = ClientConfig::clone(&b.client(a.id()));
    eager.resumption = Resumption::in_memory_sessions(8);
    let (accepting, dialling) = (a.server(), Arc::new(eager));
    for _ in 0..3 {
        let (server, client) = handshake(accepting.clone(), dialling.clone()).await;
        let (mut server, mut client) = (server.unwrap(), client.unwrap());
        server.write_all(b"!").await.unwrap();
        server.flush().await.unwrap();
        // A ticket would have come before this byte.
        assert_eq!(client.read_u8().await.unwrap(), b'!');
        assert_eq!(client.get_ref().1.tls13_tickets_received(), 0);
        assert_eq!(
            client.get_ref().1.handshake_kind(),
            Some(rustls::HandshakeKind::Full)
        );
    }
}

#[tokio::test]
async fn a_proof_of_one_session_is_refused_on_another() {
    let (a, b) = (Site::new(), Site::new());
    let (server, client) = connected(&a, &b).await;
    let (again, _client) = connected(&a, &b).await;
    let dialled = channel_binding(client.get_ref().1).unwrap();
    let accepted = channel_binding(server.get_ref().1).unwrap();
    let elsewhere = channel_binding(again.get_ref().1).unwrap();
    assert_eq!(dialled, accepted);
    assert_ne!(accepted, elsewhere);

    let key = ProofKey::of(&Secret::from_bytes([7; 32]));
    let proof = |binding| key.enrollment(LinkId::from_bytes([1; 16]), b.id(), binding);
    assert_eq!(proof(&accepted), proof(&dialled));
    assert_ne!(proof(&elsewhere), proof(&dialled));
}

#[tokio::test]
async fn clocks_an_hour_apart_still_connect() {
    let a = Site::new();
    for other in [NOW.plus(HOUR), NOW.minus(HOUR)] {
        let b = Site::at(other);
        connected(&a, &b).await;
        connected(&b, &a).await;
    }
}

#[test]
fn what_is_not_a_chain_of_two_is_no_identity() {
    let a = Site::new();
    let leaf = a.identity.issue_leaf(NOW).unwrap();
    assert_eq!(presented(&[]), Err(Refusal::NoChain));
    assert_eq!(presented(&leaf.chain()[..1]), Err(Refusal::NoChain));
    let swapped = [leaf.chain()[1].clone(), leaf.chain()[0].clone()];
    assert_eq!(presented(&swapped), Err(Refusal::NotAnIdentity));
    assert_eq!(presented(leaf.chain()).unwrap().enrollment_id(), a.id());
}

/// A dialler that has nothing to show.
#[derive(Debug)]
struct NoCertificates;

impl rustls::client::ResolvesClientCert for NoCertificates {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct StoppedAtNow;

impl rustls::time_provider::TimeProvider for StoppedAtNow {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(NOW.since(Time::EPOCH)))
    }
}
