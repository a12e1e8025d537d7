//! The one shape of certificate chain that peers present, and every check it must pass.

use std::time::Duration;

use peerd_core::lineage::Lineage;
use peerd_core::signature::PublicKey;
use peerd_core::{EnrollmentId, Time};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::aws_lc_rs::ECDSA_P256_SHA256;
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::asn1_rs::Oid;
use x509_parser::prelude::FromDer as _;

use crate::{EcdsaVerifier, ExpectedIdentities, Refusal, key};

/// The only signatures accepted, on certificates as in the handshake.
pub(crate) static SIGNATURES: &[&dyn SignatureVerificationAlgorithm] = &[ECDSA_P256_SHA256];

/// Ours have about 600 bytes; the rest is room for later extensions.
const CERTIFICATE_BYTES_MAX: usize = 4 * 1024;

/// The DER of id-kp-serverAuth and id-kp-clientAuth, without tag and length.
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

/// What the peer's leaf certificate must be good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    /// The peer accepted the connection.
    Server,
    /// The peer dialled.
    Client,
}

/// A sound identity certificate. Its time was not checked.
#[derive(Debug)]
pub(crate) struct IdentityCertificate {
    /// The identity keys up to the present one, which the certificate is of.
    pub(crate) lineage: Lineage,
    not_before: Time,
    not_after: Time,
}

/// The DNS name in every leaf certificate of an enrollment. `.invalid` never resolves (RFC 6761), so it can mean nothing
/// to anybody else.
pub(crate) fn dns_name(enrollment: EnrollmentId) -> String {
    format!("{enrollment}.enrollment.peerd.invalid")
}

/// Checks what a peer presented in a handshake. `expected` is whom the dialer wants; an acceptor asks afterwards who came.
pub(crate) fn check(
    leaf: &CertificateDer<'_>,
    rest: &[CertificateDer<'_>],
    usage: Usage,
    expected: Option<&ExpectedIdentities>,
    now: UnixTime,
) -> Result<EnrollmentId, Refusal> {
    let [identity] = rest else {
        return Err(Refusal::NoChain);
    };
    let known = read_identity(identity)?;
    let presented = known.lineage.enrollment();
    let is_expected = |expected: &ExpectedIdentities| {
        let mut keys = known.lineage.keys();
        keys.any(|key| expected.contains(key.enrollment_id()))
    };
    if let Some(expected) = expected.filter(|expected| !is_expected(expected)) {
        return Err(Refusal::WrongIdentity {
            expected: expected.clone(),
            presented,
        });
    }
    known.check_time(time_of(now))?;
    check_path(leaf, identity, usage, now)?;
    check_leaf(&parse(leaf)?, presented)?;
    Ok(presented)
}

/// The extension with what came before the present key. The arc is that of numbers nobody has to register.
pub(crate) const HANDOVERS: &[u64] = &[2, 25, 7_815_632_009_178_345_217];

/// Reads an identity certificate: self-signed, may issue leaf certificates and no further issuers, P-256, and if its key
/// is not the enrollment's first, with the signatures that lead to it.
pub(crate) fn read_identity(der: &CertificateDer<'_>) -> Result<IdentityCertificate, Refusal> {
    let x509 = parse(der)?;
    let certificate = EndEntityCert::try_from(der).map_err(|_| Refusal::Malformed)?;
    let spki = x509.public_key().raw;
    key::p256_point(spki).ok_or(Refusal::WrongKey)?;

    let constraints = x509.basic_constraints().map_err(|_| Refusal::Malformed)?;
    let issues_leaves = constraints.is_some_and(|c| c.value.ca && c.value.path_len_constraint == Some(0));
    let usage = x509.key_usage().map_err(|_| Refusal::Malformed)?;
    let may_sign = usage.is_some_and(|usage| usage.value.key_cert_sign());
    let names_itself = x509.issuer().as_raw() == x509.subject().as_raw();
    let signed_itself = x509.signature_algorithm == x509.tbs_certificate.signature
        && certificate
            .verify_signature(
                ECDSA_P256_SHA256,
                x509.tbs_certificate.as_ref(),
                &x509.signature_value.data,
            )
            .is_ok();
    if !(issues_leaves && may_sign && names_itself && signed_itself) {
        return Err(Refusal::NotAnIdentity);
    }
    Ok(IdentityCertificate {
        lineage: lineage(&x509, PublicKey::from_spki(spki))?,
        not_before: time_of_seconds(x509.validity().not_before.timestamp()),
        not_after: time_of_seconds(x509.validity().not_after.timestamp()),
    })
}

fn lineage(x509: &X509Certificate<'_>, key: PublicKey) -> Result<Lineage, Refusal> {
    let oid = Oid::from(HANDOVERS).map_err(|_| Refusal::Malformed)?;
    let found = x509.get_extension_unique(&oid).map_err(|_| Refusal::Malformed)?;
    let Some(extension) = found else {
        return Ok(Lineage::first(key));
    };
    let handovers = Lineage::decode(extension.value).filter(|handovers| !handovers.is_empty());
    let handovers = handovers.ok_or(Refusal::Malformed)?;
    Lineage::verified(handovers, key, &EcdsaVerifier).ok_or(Refusal::NotHandedOver)
}

impl IdentityCertificate {
    /// The path check below takes its anchor as trusted and does not ask for its time.
    fn check_time(&self, now: Time) -> Result<(), Refusal> {
        let IdentityCertificate {
            not_before,
            not_after,
            ..
        } = *self;
        match now {
            _ if now < not_before => Err(Refusal::NotYetValid { not_before, now }),
            _ if now > not_after => Err(Refusal::Expired { not_after, now }),
            _ => Ok(()),
        }
    }
}

/// Signature, time and extended key usage of the leaf, with the identity beside it as the only anchor there is.
fn check_path(
    leaf: &CertificateDer<'_>,
    identity: &CertificateDer<'_>,
    usage: Usage,
    now: UnixTime,
) -> Result<(), Refusal> {
    if leaf.len() > CERTIFICATE_BYTES_MAX {
        return Err(Refusal::Malformed);
    }
    let anchor = webpki::anchor_from_trusted_cert(identity).map_err(|_| Refusal::Malformed)?;
    let usage = KeyUsage::required(match usage {
        Usage::Server => SERVER_AUTH,
        Usage::Client => CLIENT_AUTH,
    });
    EndEntityCert::try_from(leaf)
        .map_err(|_| Refusal::Malformed)?
        .verify_for_usage(SIGNATURES, &[anchor], &[], now, usage, None, None)
        .map_err(|error| refused_path(&error))?;
    Ok(())
}

fn refused_path(error: &webpki::Error) -> Refusal {
    use webpki::Error as E;
    match error {
        E::CertExpired { time, not_after } => Refusal::Expired {
            not_after: time_of(*not_after),
            now: time_of(*time),
        },
        E::CertNotValidYet { time, not_before } => Refusal::NotYetValid {
            not_before: time_of(*not_before),
            now: time_of(*time),
        },
        E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension | E::CaUsedAsEndEntity => Refusal::WrongUsage,
        E::UnknownIssuer
        | E::InvalidSignatureForPublicKey
        | E::NameConstraintViolation
        | E::UnsupportedSignatureAlgorithmContext(_)
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Refusal::NotIssuedByIdentity,
        _ => Refusal::Malformed,
    }
}

/// What the path check leaves open: the leaf's key, that the key signs, and the one name.
fn check_leaf(leaf: &X509Certificate<'_>, presented: EnrollmentId) -> Result<(), Refusal> {
    key::p256_point(leaf.public_key().raw).ok_or(Refusal::WrongKey)?;
    let usage = leaf.key_usage().map_err(|_| Refusal::Malformed)?;
    if !usage.is_some_and(|usage| usage.value.digital_signature()) {
        return Err(Refusal::WrongUsage);
    }
    let names = leaf.subject_alternative_name().map_err(|_| Refusal::Malformed)?;
    match names.as_ref().map(|names| names.value.general_names.as_slice()) {
        Some([GeneralName::DNSName(name)]) if *name == dns_name(presented) => Ok(()),
        _ => Err(Refusal::NameMismatch),
    }
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Refusal> {
    if der.len() > CERTIFICATE_BYTES_MAX {
        return Err(Refusal::Malformed);
    }
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(Refusal::Malformed),
    }
}

/// The same moment in the certificate library's type, which counts whole seconds and none before 1970.
pub(crate) fn unix_time(time: Time) -> UnixTime {
    UnixTime::since_unix_epoch(time.since(Time::EPOCH))
}

fn time_of(time: UnixTime) -> Time {
    Time::EPOCH.plus(Duration::from_secs(time.as_secs()))
}

fn time_of_seconds(seconds: i64) -> Time {
    Time::from_micros(seconds.saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests;
