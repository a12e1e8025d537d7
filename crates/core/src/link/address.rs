//! Where an enrollment can be dialled.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// There is no port, or it is not within 1 to 65535.
    #[error("an address ends with a port from 1 to 65535, like peer.example:7443")]
    Port,
    /// The host is neither a DNS name nor an IP address that can be dialled.
    #[error("an address starts with a DNS name or an IP address (IPv6 in brackets)")]
    Host,
}

/// A DNS name in lower case, without a final dot: labels of letters, digits and inner hyphens.
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
}

impl FromStr for DnsName {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<DnsName, InvalidAddress> {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // A name whose last label is a number would be read as an IPv4 address by some resolvers.
        let numeric = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
        let last = text.rsplit('.').next().unwrap_or(text);
        if text.len() > DnsName::MAX || !text.split('.').all(label) || numeric(last) {
            return Err(InvalidAddress::Host);
        }
        Ok(DnsName(text.to_owned()))
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

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host: by name or by number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A DNS name, resolved when it is dialled.
    Name(DnsName),
    /// An IP address that one host can have: neither unspecified nor multicast.
    Ip(IpAddr),
}

/// A host and a port; its text is `host:port`, with IPv6 in brackets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: NonZeroU16,
}

impl Address {
    /// The most addresses an enrollment has.
    pub const COUNT_MAX: usize = 16;
    /// The longest text of an address, in bytes: a name, a colon, five digits.
    pub const TEXT_MAX: usize = DnsName::MAX + 6;
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Address, InvalidAddress> {
        let (host, port) = text.rsplit_once(':').ok_or(InvalidAddress::Port)?;
        if !port.bytes().all(|b| b.is_ascii_digit()) || port.starts_with('0') {
            return Err(InvalidAddress::Port);
        }
        let port = port.parse().map_err(|_| InvalidAddress::Port)?;
        let ip = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(v6) => Some(IpAddr::V6(v6.parse().map_err(|_| InvalidAddress::Host)?)),
            None => host.parse().ok().map(IpAddr::V4),
        };
        let host = match ip {
            Some(ip) if ip.is_unspecified() || ip.is_multicast() => return Err(InvalidAddress::Host),
            Some(ip) => Host::Ip(ip),
            // People write names in any case; there is one spelling here.
            None => Host::Name(host.to_ascii_lowercase().parse()?),
        };
        Ok(Address { host, port })
    }
}

impl TryFrom<String> for Address {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Address, InvalidAddress> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => write!(f, "{name}:{}", self.port),
            Host::Ip(IpAddr::V4(ip)) => write!(f, "{ip}:{}", self.port),
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
        }
    }
}

/// The addresses of a link's other side: what its code or an operator said, and what the other side told since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    pinned: Vec<Address>,
    learned: Vec<Address>,
}

impl Addresses {
    /// Addresses that the other side may add to but never change.
    pub fn pinned(mut addresses: Vec<Address>) -> Addresses {
        addresses.truncate(Address::COUNT_MAX);
        Addresses {
            pinned: addresses,
            learned: Vec::new(),
        }
    }

    /// An operator sets the pinned addresses.
    pub fn pin(&mut self, addresses: Vec<Address>) {
        self.pinned = Addresses::pinned(addresses).pinned;
    }

    /// The other side told where it is now. Pinned addresses stay as they are; earlier learned ones go.
    pub fn learn(&mut self, mut addresses: Vec<Address>) {
        addresses.retain(|address| !self.pinned.contains(address));
        addresses.truncate(Address::COUNT_MAX);
        self.learned = addresses;
    }

    /// All of them in the order to try: pinned first.
    pub fn iter(&self) -> impl Iterator<Item = &Address> {
        self.pinned.iter().chain(&self.learned)
    }
}
