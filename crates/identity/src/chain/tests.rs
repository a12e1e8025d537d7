use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType,
};

use super::*;

const NOW: Time = Time::from_micros(1_800_000_000_000_000);
const DAY: Duration = Duration::from_hours(24);

type Edit = fn(&mut CertificateParams);

fn date(time: Time) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(time.as_micros() / 1_000_000).unwrap()
}

fn identity_params(edit: Edit) -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "peerd enrollment");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params.not_before = date(NOW.minus(DAY));
    params.not_after = date(NOW.plus(365 * DAY));
    edit(&mut params);
    params
}

/// A chain as an enrollment makes it, but for the two edits.
fn chain(edit_identity: Edit, edit_leaf: Edit) -> [CertificateDer<'static>; 2] {
    let key = KeyPair::generate().unwrap();
    let params = identity_params(edit_identity);
    let identity = params.self_signed(&key).unwrap();
    let issuer = Issuer::from_params(&params, &key);

    let mut params = CertificateParams::default();
    let name = dns_name(EnrollmentId::of_spki(&key.subject_public_key_info()));
    params.subject_alt_names = vec![SanType::DnsName(name.try_into().unwrap())];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.not_before = date(NOW.minus(DAY));
    params.not_after = date(NOW.plus(DAY));
    edit_leaf(&mut params);
    let leaf = params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
    [leaf.into(), identity.into()]
}

fn check_both(chain: &[CertificateDer<'static>; 2]) -> [Result<EnrollmentId, Refusal>; 2] {
    let [leaf, identity] = chain;
    [Usage::Server, Usage::Client].map(|usage| {
        let rest = std::slice::from_ref(identity);
        check(leaf, rest, usage, None, unix_time(NOW))
    })
}

fn refused(edit_identity: Edit, edit_leaf: Edit) -> Refusal {
    let [server, client] = check_both(&chain(edit_identity, edit_leaf));
    assert_eq!(server, client);
    server.unwrap_err()
}

#[test]
fn a_sound_chain_is_accepted_for_both_sides() {
    let sound = chain(|_| {}, |_| {});
    let id = read_identity(&sound[1]).unwrap().lineage.enrollment();
    assert_eq!(check_both(&sound), [Ok(id), Ok(id)]);
}

/// What an identity certificate of a fresh key shows that claims these handovers.
fn claiming(handovers: Vec<u8>) -> Result<Lineage, Refusal> {
    let mut params = identity_params(|_| {});
    let extension = CustomExtension::from_oid_content(HANDOVERS, handovers);
    params.custom_extensions.push(extension);
    let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    read_identity(&certificate.into()).map(|read| read.lineage)
}

#[test]
fn b028_an_identity_that_only_claims_to_follow_another_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = crate::Identity::create(dir.path(), NOW).unwrap();
    let second = first.successor(NOW).unwrap().identity;
    let read = read_identity(second.certificate_der()).unwrap();
    assert_eq!(read.lineage.enrollment(), first.enrollment_id());
    // The way to the second key, in the certificate of another.
    assert_eq!(claiming(second.lineage().encode()), Err(Refusal::NotHandedOver));
    for garbage in [Vec::new(), vec![0; 3], vec![7; 2_000]] {
        assert_eq!(claiming(garbage), Err(Refusal::Malformed));
    }
}

#[test]
fn the_second_certificate_must_be_an_identity() {
    let not_a_ca: Edit = |params| params.is_ca = IsCa::ExplicitNoCa;
    let silent: Edit = |params| params.is_ca = IsCa::NoCa;
    let deeper: Edit = |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let may_not_sign: Edit = |params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    for edit in [not_a_ca, silent, deeper, may_not_sign] {
        assert_eq!(refused(edit, |_| {}), Refusal::NotAnIdentity);
    }
}

#[test]
fn an_identity_that_another_key_signed_is_refused() {
    let [leaf, _] = chain(|_| {}, |_| {});
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let params = identity_params(|_| {});
    // Same name, so only the signature tells.
    let issuer = Issuer::from_params(&params, &other);
    let forged = params.signed_by(&key, &issuer).unwrap();
    assert_eq!(
        check_both(&[leaf, forged.into()]),
        [Err(Refusal::NotAnIdentity), Err(Refusal::NotAnIdentity)]
    );
}

#[test]
fn the_identity_has_a_time_of_its_own() {
    let over: Edit = |params| params.not_after = date(NOW.minus(DAY / 2));
    let ahead: Edit = |params| params.not_before = date(NOW.plus(DAY / 2));
    assert_eq!(
        refused(over, |_| {}),
        Refusal::Expired {
            not_after: NOW.minus(DAY / 2),
            now: NOW
        }
    );
    assert_eq!(
        refused(ahead, |_| {}),
        Refusal::NotYetValid {
            not_before: NOW.plus(DAY / 2),
            now: NOW
        }
    );
}

#[test]
fn b014_a_leaf_must_be_valid_now_and_meant_for_its_use() {
    let over: Edit = |params| params.not_after = date(NOW.minus(DAY / 2));
    let ahead: Edit = |params| params.not_before = date(NOW.plus(DAY / 2));
    assert!(matches!(refused(|_| {}, over), Refusal::Expired { .. }));
    assert!(matches!(refused(|_| {}, ahead), Refusal::NotYetValid { .. }));

    let issuer: Edit = |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let no_usage: Edit = |params| params.extended_key_usages.clear();
    let other_usage: Edit =
        |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
    let any_usage: Edit = |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any];
    let cannot_sign: Edit = |params| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment];
    for edit in [issuer, no_usage, other_usage, any_usage, cannot_sign] {
        assert_eq!(refused(|_| {}, edit), Refusal::WrongUsage);
    }
}

#[test]
fn b014_a_leaf_for_one_side_is_refused_on_the_other() {
    let server_only = chain(
        |_| {},
        |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
    );
    let [server, client] = check_both(&server_only);
    assert!(server.is_ok());
    assert_eq!(client, Err(Refusal::WrongUsage));
}

#[test]
fn b015_a_leaf_names_its_enrollment_and_nobody_else() {
    let nobody: Edit = |params| params.subject_alt_names.clear();
    let wildcard: Edit = |params| params.subject_alt_names = vec![name("*.enrollment.peerd.invalid")];
    let another: Edit =
        |params| params.subject_alt_names = vec![name(&dns_name(EnrollmentId::from_bytes([9; 32])))];
    let one_more: Edit = |params| params.subject_alt_names.push(name("example.org"));
    for edit in [nobody, wildcard, another, one_more] {
        assert_eq!(refused(|_| {}, edit), Refusal::NameMismatch);
    }
}

fn name(text: &str) -> SanType {
    SanType::DnsName(text.to_owned().try_into().unwrap())
}

#[test]
fn a_key_that_is_not_p256_is_refused_wherever_it_is() {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let identity = identity_params(|_| {}).self_signed(&key).unwrap();
    assert_eq!(read_identity(identity.der()).unwrap_err(), Refusal::WrongKey);

    let ours = KeyPair::generate().unwrap();
    let params = identity_params(|_| {});
    let identity = params.self_signed(&ours).unwrap();
    let mut leaf = CertificateParams::default();
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.not_after = date(NOW.plus(DAY));
    let leaf = leaf
        .signed_by(&key, &Issuer::from_params(&params, &ours))
        .unwrap();
    let refusal = check(
        leaf.der(),
        &[identity.into()],
        Usage::Server,
        None,
        unix_time(NOW),
    );
    assert_eq!(refusal, Err(Refusal::WrongKey));
}

#[test]
fn only_exactly_two_certificates_are_a_chain() {
    let [leaf, identity] = chain(|_| {}, |_| {});
    let many = vec![identity.clone(); 3];
    for rest in [&[][..], &many[..2], &many[..]] {
        let refusal = check(&leaf, rest, Usage::Client, None, unix_time(NOW));
        assert_eq!(refusal, Err(Refusal::NoChain));
    }
    let twice = check_both(&[identity.clone(), identity]);
    assert_eq!(twice, [Err(Refusal::WrongUsage), Err(Refusal::WrongUsage)]);
}

#[test]
fn bytes_that_are_no_certificate_are_malformed_and_never_a_panic() {
    let [leaf, identity] = chain(|_| {}, |_| {});
    let now = unix_time(NOW);
    for position in 0..identity.len() {
        let mut altered = identity.to_vec();
        altered[position] ^= 0x41;
        let refusal = check(&leaf, &[altered.into()], Usage::Server, None, now);
        assert!(refusal.is_err(), "identity byte {position}");
    }
    for position in 0..leaf.len() {
        let mut altered = leaf.to_vec();
        altered[position] ^= 0x41;
        let refusal = check(
            &altered.into(),
            std::slice::from_ref(&identity),
            Usage::Server,
            None,
            now,
        );
        assert!(refusal.is_err(), "leaf byte {position}");
    }
    let trailing = [&identity[..], &[0]].concat().into();
    for bad in [
        trailing,
        Vec::new().into(),
        identity[..identity.len() / 2].to_vec().into(),
    ] {
        let refusal = check(&leaf, &[bad], Usage::Server, None, now);
        assert_eq!(refusal, Err(Refusal::Malformed));
    }
}

#[test]
fn a_certificate_above_the_size_limit_is_refused() {
    let padded: Edit = |params| {
        let padding = CustomExtension::from_oid_content(&[2, 5, 29, 999], vec![0; CERTIFICATE_BYTES_MAX]);
        params.custom_extensions.push(padding);
    };
    assert_eq!(refused(padded, |_| {}), Refusal::Malformed);
    assert_eq!(refused(|_| {}, padded), Refusal::Malformed);
}

#[test]
fn an_unknown_critical_extension_is_refused() {
    let critical: Edit = |params| {
        let mut unknown = CustomExtension::from_oid_content(&[2, 5, 29, 999], vec![5, 0]);
        unknown.set_criticality(true);
        params.custom_extensions.push(unknown);
    };
    assert_eq!(refused(critical, |_| {}), Refusal::Malformed);
    assert_eq!(refused(|_| {}, critical), Refusal::Malformed);
}
