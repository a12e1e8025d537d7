//! DNS names, hosts and networks, read strictly. Links and policies mean the same by them, so that what is dialled is what
//! was judged.
//!
//! IPv4 addresses that are written as IPv6 (`::ffff:192.0.2.1`) are IPv4 here, everywhere: an address has one form,
//! so a rule cannot be walked around by spelling it differently.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Why a text is not a destination, host or network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// It was empty.
    #[error("an address must not be empty")]
    Empty,
    /// A DNS name longer than DNS allows.
    #[error("a DNS name has at most {max} characters")]
    NameTooLong {
        /// The limit, in characters.
        max: usize,
    },
    /// A character outside ASCII.
    #[error("a DNS name is written in ASCII; write an international name in its xn-- form")]
    NotAscii,
    /// A label that is empty, too long, or has a character host names may not have.
    #[error("'{label}' is not a label of a DNS name: 1 to 63 letters, digits and inner hyphens")]
    Label {
        /// The label, cut to the length of the longest legal one.
        label: String,
    },
    /// A last label that some resolvers would read as a part of an IPv4 address.
    #[error(
        "the last label of a DNS name must not be a number; write an IPv4 address as four decimal numbers"
    )]
    LooksNumeric,
    /// A wildcard that is not the whole first label of a name.
    #[error("a wildcard is the whole first label, followed by a name: *.example.org")]
    Wildcard,
    /// A prefix length that is not a plain number within the address's width.
    #[error("the prefix length of a network is a number from 0 to {max}")]
    PrefixLength {
        /// The width of the address, in bits.
        max: u8,
    },
    /// Bits behind the prefix that are not zero: it is unclear which network was meant.
    #[error("the address has bits behind its prefix; did you mean {network}?")]
    HostBits {
        /// The network with those bits cleared.
        network: Cidr,
    },
    /// The text before a prefix length is not an IP address.
    #[error("a network starts with an IP address")]
    NotAnIp,
    /// Port zero.
    #[error("a port is a number from 1 to 65535")]
    Port,
}

/// A DNS name, lower-cased: labels of letters, digits and inner hyphens; no trailing dot; at most 253 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DnsName(String);

impl DnsName {
    /// The longest name, in characters.
    pub const MAX: usize = 253;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without its first label; `None` for a name of one label.
    pub fn parent(&self) -> Option<&str> {
        self.0.split_once('.').map(|(_, parent)| parent)
    }
}

impl FromStr for DnsName {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<DnsName, InvalidAddress> {
        if text.is_empty() {
            return Err(InvalidAddress::Empty);
        }
        if text.len() > DnsName::MAX {
            return Err(InvalidAddress::NameTooLong { max: DnsName::MAX });
        }
        if !text.is_ascii() {
            return Err(InvalidAddress::NotAscii);
        }
        if let Some(label) = text.split('.').find(|label| !is_label(label)) {
            let label = label.chars().filter(|c| !c.is_control()).take(63).collect();
            return Err(InvalidAddress::Label { label });
        }
        let last = text.rsplit('.').next().unwrap_or_default();
        // `10.1`, `0x7f.1` and `1.2.3.04` reach an address on resolvers of the old school, past every rule for it.
        let hexadecimal = last
            .get(..2)
            .is_some_and(|start| start.eq_ignore_ascii_case("0x"));
        if hexadecimal || last.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidAddress::LooksNumeric);
        }
        Ok(DnsName(text.to_ascii_lowercase()))
    }
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for DnsName {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<DnsName, InvalidAddress> {
        text.parse()
    }
}

impl From<DnsName> for String {
    fn from(name: DnsName) -> String {
        name.0
    }
}

/// A host to dial: a DNS name or an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A name that is yet to be resolved.
    Name(DnsName),
    /// A literal address, never an IPv4 address in IPv6 form.
    Ip(IpAddr),
}

impl FromStr for Host {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Host, InvalidAddress> {
        match text.parse::<IpAddr>() {
            Ok(ip) => Ok(ip.into()),
            Err(_) => text.parse().map(Host::Name),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Host {
        Host::Ip(ip.to_canonical())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => write!(f, "{name}"),
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Host::Ip(ip) => write!(f, "{ip}"),
        }
    }
}

/// A network of addresses, or a single address; never with bits behind its prefix.
///
/// An IPv6 network within `::ffff:0:0/96` is the IPv4 network it maps. A wider one holds IPv6 addresses only: `::/0`
/// does not admit IPv4.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr(IpNet);

impl Cidr {
    /// The network of this one address.
    pub fn single(ip: IpAddr) -> Cidr {
        Cidr(IpNet::from(ip.to_canonical()))
    }

    /// The network of the addresses that share the first `prefix` bits with this one; `None` when the address is
    /// shorter than that.
    pub fn around(ip: IpAddr, prefix: u8) -> Option<Cidr> {
        IpNet::new(ip.to_canonical(), prefix)
            .ok()
            .map(|net| Cidr(net.trunc()))
    }

    /// Whether the address is in the network.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.0.contains(&ip.to_canonical())
    }

    /// How many leading bits its addresses share.
    pub fn prefix_length(&self) -> u8 {
        self.0.prefix_len()
    }

    fn new(ip: IpAddr, prefix: u8) -> Result<Cidr, InvalidAddress> {
        let width = if ip.is_ipv4() { 32 } else { 128 };
        let (ip, prefix) = match ip.to_canonical() {
            IpAddr::V4(v4) if width == 128 && prefix >= 96 => (IpAddr::V4(v4), prefix - 96),
            _ => (ip, prefix),
        };
        let net = IpNet::new(ip, prefix).map_err(|_| InvalidAddress::PrefixLength { max: width })?;
        if net.trunc() != net {
            return Err(InvalidAddress::HostBits {
                network: Cidr(net.trunc()),
            });
        }
        Ok(Cidr(net))
    }
}

/// Reads `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32`.
impl FromStr for Cidr {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Cidr, InvalidAddress> {
        let (ip, prefix) = match text.split_once('/') {
            Some((ip, prefix)) => (ip, Some(prefix)),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| InvalidAddress::NotAnIp)?;
        let Some(prefix) = prefix else {
            return Ok(Cidr::single(ip));
        };
        let max = if ip.is_ipv4() { 32 } else { 128 };
        let plain = (1..=3).contains(&prefix.len()) && prefix.bytes().all(|b| b.is_ascii_digit());
        let prefix = prefix.parse().ok().filter(|length| plain && *length <= max);
        Cidr::new(ip, prefix.ok_or(InvalidAddress::PrefixLength { max })?)
    }
}

/// A single address without its prefix length, a network with it: one network has one spelling.
impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            write!(f, "{}", self.0.addr())
        } else {
            write!(f, "{}", self.0)
        }
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl TryFrom<String> for Cidr {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Cidr, InvalidAddress> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(net: Cidr) -> String {
        net.to_string()
    }
}
