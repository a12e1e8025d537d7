//! Where an enrollment can be dialled.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::address::{DnsName, Host};

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

/// A host and a port; its text is `host:port`, with IPv6 in brackets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    /// The host; its IP address is one that a single host can have, neither unspecified nor multicast.
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
        // In an address an IPv6 host is in brackets, and nothing else is.
        let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match v6 {
            Some(v6) => v6.parse().map(|ip| Host::from(IpAddr::V6(ip))).ok(),
            None => host.parse().ok().filter(|_| !host.contains(':')),
        };
        let host = host.ok_or(InvalidAddress::Host)?;
        if matches!(&host, Host::Ip(ip) if ip.is_unspecified() || ip.is_multicast()) {
            return Err(InvalidAddress::Host);
        }
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
        write!(f, "{}:{}", self.host, self.port)
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
