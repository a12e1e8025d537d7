use super::*;

fn destination(text: &str) -> Destination {
    text.parse().expect(text)
}

fn target(host: &str, ip: Option<&str>) -> Target {
    let target = Target::new(host, 7443).expect(host);
    match ip {
        Some(ip) => target.at(ip.parse().expect(ip)),
        None => target,
    }
}

#[test]
fn a_destination_has_one_spelling_and_reads_back() {
    for (text, spelled) in [
        ("B.Example.ORG", "b.example.org"),
        ("localhost", "localhost"),
        ("*.Example.org", "*.example.org"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("4.example", "4.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1/32", "192.0.2.1"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
    ] {
        let read = destination(text);
        assert_eq!(read.to_string(), spelled);
        assert_eq!(destination(spelled), read);
    }
}

#[test]
fn b105_a_malformed_destination_is_refused_with_what_is_wrong() {
    let label = |label: &str| InvalidAddress::Label { label: label.into() };
    for (text, wrong) in [
        ("", InvalidAddress::Empty),
        ("*", InvalidAddress::Wildcard),
        ("*.", InvalidAddress::Wildcard),
        ("*.*.example.org", InvalidAddress::Wildcard),
        ("a.*.example.org", InvalidAddress::Wildcard),
        ("*a.example.org", InvalidAddress::Wildcard),
        ("**.example.org", InvalidAddress::Wildcard),
        ("*.192.0.2.1", InvalidAddress::LooksNumeric),
        ("example.org.", label("")),
        (".example.org", label("")),
        ("a..b", label("")),
        ("-a.example", label("-a")),
        ("a-.example", label("a-")),
        ("a_b.example", label("a_b")),
        (" a.example", label(" a")),
        ("a.example ", label("example ")),
        ("a.example:443", label("example:443")),
        ("https:", label("https:")),
        ("[::1]", label("[::1]")),
        ("fe80::1%eth0", label("fe80::1%eth0")),
        ("bücher.example", InvalidAddress::NotAscii),
        ("192.0.2", InvalidAddress::LooksNumeric),
        ("192.0.2.01", InvalidAddress::LooksNumeric),
        ("192.0.2.256", InvalidAddress::LooksNumeric),
        ("3221225985", InvalidAddress::LooksNumeric),
        ("0xC0000201", InvalidAddress::LooksNumeric),
        ("192.0.2.0/33", InvalidAddress::PrefixLength { max: 32 }),
        ("192.0.2.0/+8", InvalidAddress::PrefixLength { max: 32 }),
        ("192.0.2.0/", InvalidAddress::PrefixLength { max: 32 }),
        ("192.0.2.0/24/24", InvalidAddress::PrefixLength { max: 32 }),
        ("::/129", InvalidAddress::PrefixLength { max: 128 }),
        ("/24", InvalidAddress::NotAnIp),
        ("example.org/24", InvalidAddress::NotAnIp),
    ] {
        assert_eq!(text.parse::<Destination>(), Err(wrong), "{text:?}");
    }
    let host_bits = "10.1.2.3/8".parse::<Destination>().expect_err("host bits");
    assert_eq!(
        host_bits.to_string(),
        "the address has bits behind its prefix; did you mean 10.0.0.0/8?"
    );
}

#[test]
fn the_limits_of_a_name_are_those_of_dns() {
    let label = "a".repeat(63);
    let longest = [label.as_str(), &label, &label, &"b".repeat(61)].join(".");
    assert_eq!(longest.len(), 253);
    assert!(longest.parse::<DnsName>().is_ok());
    assert_eq!(
        format!("{longest}b").parse::<DnsName>(),
        Err(InvalidAddress::NameTooLong { max: 253 })
    );
    assert!(format!("{label}a.example").parse::<DnsName>().is_err());
}

#[test]
fn a_destination_admits_exactly_what_it_says() {
    for (text, host, ip, admits) in [
        ("b.example.org", "b.example.org", None, true),
        ("b.example.org", "B.EXAMPLE.org", Some("203.0.113.9"), true),
        ("b.example.org", "c.example.org", None, false),
        ("b.example.org", "a.b.example.org", None, false),
        ("example.org", "b.example.org", None, false),
        ("*.example.org", "b.example.org", None, true),
        ("*.example.org", "example.org", None, false),
        ("*.example.org", "a.b.example.org", None, false),
        ("*.example.org", "bexample.org", None, false),
        ("*.example.org", "192.0.2.1", None, false),
        ("192.0.2.1", "192.0.2.1", None, true),
        ("192.0.2.1", "192.0.2.2", None, false),
        ("192.0.2.1", "::ffff:192.0.2.1", None, true),
        ("192.0.2.0/24", "192.0.2.200", None, true),
        ("192.0.2.0/24", "192.0.3.1", None, false),
        ("192.0.2.0/24", "b.example.org", Some("192.0.2.7"), true),
        ("192.0.2.0/24", "b.example.org", Some("::ffff:192.0.2.7"), true),
        ("192.0.2.0/24", "b.example.org", Some("203.0.113.9"), false),
        ("192.0.2.0/24", "b.example.org", None, false),
        ("0.0.0.0/0", "203.0.113.9", None, true),
        ("0.0.0.0/0", "2001:db8::1", None, false),
        ("::/0", "2001:db8::1", None, true),
        ("::/0", "203.0.113.9", None, false),
        ("::/0", "::ffff:203.0.113.9", None, false),
        ("2001:db8::/32", "2001:db8:1::1", None, true),
        ("2001:db8::/32", "2001:db9::1", None, false),
    ] {
        assert_eq!(
            destination(text).admits(&target(host, ip)),
            admits,
            "{text} for {host} at {ip:?}"
        );
    }
}

#[test]
fn a_literal_address_is_dialled_as_it_is_whatever_it_was_resolved_to() {
    let literal = target("203.0.113.9", Some("192.0.2.1"));
    assert_eq!(literal.ip(), "203.0.113.9".parse().ok());
    assert!(!destination("192.0.2.1").admits(&literal));
    assert_eq!(literal.to_string(), "203.0.113.9:7443");
}

#[test]
fn a_target_prints_as_it_would_be_typed() {
    assert_eq!(target("::1", None).to_string(), "[::1]:7443");
    assert_eq!(
        target("b.example", Some("192.0.2.1")).to_string(),
        "b.example:7443 (192.0.2.1)"
    );
    assert_eq!(Target::new("b.example", 0), Err(InvalidAddress::Port));
    assert!(Target::new("b.example ", 1).is_err());
}
