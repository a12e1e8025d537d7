//! SIGHUP: what a running daemon reads again, and what it keeps when that is wrong.

use std::path::Path;

use crate::process::{Enrollment, peerctl, words};

/// A certificate for loopback, in the place of the one that is there.
fn certify(dir: &Path, ca: &str) -> String {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    std::fs::write(dir.join("api.crt"), made.cert.pem()).expect("written");
    std::fs::write(dir.join("api.key"), made.signing_key.serialize_pem()).expect("written");
    let ca = dir.join(ca);
    std::fs::write(&ca, made.cert.pem()).expect("written");
    ca.to_str().expect("a path").to_owned()
}

fn trusts(side: &Enrollment, ca: &str) -> bool {
    let token = side.data_dir().join("admin.token");
    let line = format!("--ca {ca} --timeout 5s status");
    peerctl(&format!("https://{}", side.api), &token, &words(&line))
        .status
        .success()
}

fn says(side: &Enrollment, what: &str) {
    side.eventually(what, |side| side.log().contains(what).then_some(()));
}

#[test]
fn a_hangup_reloads_the_certificate_and_the_log_level_and_never_kills() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = certify(dir.path(), "first.pem");
    let path = |name: &str| dir.path().join(name).to_str().expect("a path").to_owned();
    let (crt, key) = (path("api.crt"), path("api.key"));
    let mut north = Enrollment::init_with("north", &["--tls-certificate-file", &crt, "--tls-key-file", &key]);
    north.run();
    assert!(trusts(&north, &first));

    let second = certify(dir.path(), "second.pem");
    assert!(!trusts(&north, &second), "nothing changes by itself");
    north.hangup();
    says(&north, "certificate of the operator API reloaded");
    assert!(trusts(&north, &second) && !trusts(&north, &first));

    // A file that is none changes nothing, and says so.
    std::fs::write(&crt, "no certificate").expect("written");
    north.hangup();
    says(&north, "certificate of the operator API not reloaded");
    assert!(trusts(&north, &second));

    let config = north.data_dir().join("peerd.toml");
    let written = std::fs::read_to_string(&config).expect("a configuration");
    std::fs::write(&config, format!("{written}\n[log]\nfilter = \"debug\"\n")).expect("written");
    north.hangup();
    says(&north, "filter=\"debug\"");
    std::fs::write(
        &config,
        format!("{written}\n[log]\nfilter = \"no=such=filter\"\n"),
    )
    .expect("written");
    north.hangup();
    says(&north, "nothing reloaded");
    assert!(trusts(&north, &second), "it serves on");
    assert_eq!(north.stop(), Some(0));
}
