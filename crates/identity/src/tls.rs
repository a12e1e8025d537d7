//! The TLS configurations of MPX: TLS 1.3 only, both ends authenticated, nothing resumed.

use std::fmt;
use std::sync::Arc;

use peerd_core::{Clock, EnrollmentId};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, PeerIncompatible, ServerConfig, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, DnsName, ServerName, UnixTime};

use crate::chain::{self, SIGNATURES, Usage};
use crate::{Error, ExpectedIdentities, LiveIdentity};

/// The only application protocol: gRPC's.
const ALPN: &[u8] = b"h2";

static ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: SIGNATURES,
    mapping: &[(SignatureScheme::ECDSA_NISTP256_SHA256, SIGNATURES)],
};

/// The configuration of the accepting side. It lets in every peer with a sound identity of its own, known or not: who it is
/// and what it may do is asked after the handshake, see [`presented`](crate::presented). A client without certificates
/// is refused always.
pub fn server_config(leaf: Arc<LiveIdentity>, clock: Arc<dyn Clock>) -> Result<Arc<ServerConfig>, Error> {
    let mut config = ServerConfig::builder_with_details(provider(), Arc::new(ClockTime(clock)))
        .with_protocol_versions(&[&TLS13])
        .map_err(Error::Tls)?
        .with_client_cert_verifier(Arc::new(AnyIdentity))
        .with_cert_resolver(leaf);
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A resumed session would skip the check of certificates and outlive a leaf.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

/// The configuration for dialling one peer. The handshake succeeds only with an identity that is expected, whatever name or
/// address was dialled.
pub fn client_config(
    leaf: Arc<LiveIdentity>,
    expected: impl Into<ExpectedIdentities>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<ClientConfig>, Error> {
    let mut config = ClientConfig::builder_with_details(provider(), Arc::new(ClockTime(clock)))
        .with_protocol_versions(&[&TLS13])
        .map_err(Error::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ExpectedIdentity(expected.into())))
        .with_client_cert_resolver(leaf);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    // Who talks to whom is nobody else's business, and the server needs no name to choose by.
    config.enable_sni = false;
    Ok(Arc::new(config))
}

/// The name to hand to the TLS library when dialling this enrollment. It is never sent.
pub fn server_name(enrollment: EnrollmentId) -> Result<ServerName<'static>, Error> {
    DnsName::try_from(chain::dns_name(enrollment))
        .map(ServerName::DnsName)
        .map_err(|_| Error::Generate {
            what: "a server name",
        })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        kx_groups: vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1],
        signature_verification_algorithms: ALGORITHMS,
        ..aws_lc_rs::default_provider()
    })
}

/// Certificates are checked by the daemon's clock.
#[derive(Debug)]
struct ClockTime(Arc<dyn Clock>);

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(chain::unix_time(self.0.now()))
    }
}

/// Accepts the one identity that was dialled.
struct ExpectedIdentity(ExpectedIdentities);

impl fmt::Debug for ExpectedIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExpectedIdentity({})", self.0)
    }
}

impl ServerCertVerifier for ExpectedIdentity {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        // The pinned identity decides. While a peer changes its identity, either of two names may be right.
        _dialled: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        chain::check(leaf, rest, Usage::Server, Some(&self.0), now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &ALGORITHMS)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ALGORITHMS.supported_schemes()
    }
}

/// Accepts every sound identity, and no connection without one.
#[derive(Debug)]
struct AnyIdentity;

impl ClientCertVerifier for AnyIdentity {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        chain::check(leaf, rest, Usage::Client, None, now)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &ALGORITHMS)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ALGORITHMS.supported_schemes()
    }
}
