//! Where a dial goes, and what a policy lets it reach.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::address::{Cidr, DnsName, Host, InvalidAddress};

/// What an egress policy lets this side reach.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Destination {
    /// This DNS name, whatever it resolves to.
    Name(DnsName),
    /// `*.` and this name: every name with exactly one label before it, as in a certificate. Neither the name itself
    /// nor names further below.
    Wildcard(DnsName),
    /// The addresses of this network, whatever name led there.
    Net(Cidr),
}

impl Destination {
    /// Whether a dial to this target stays within the destination. A network admits only an address that is known:
    /// a name that was not resolved yet is in no network.
    pub fn admits(&self, to: &Target) -> bool {
        match (self, &to.host) {
            (Destination::Name(name), Host::Name(host)) => name == host,
            (Destination::Wildcard(name), Host::Name(host)) => host.parent() == Some(name.as_str()),
            (Destination::Name(_) | Destination::Wildcard(_), Host::Ip(_)) => false,
            (Destination::Net(net), _) => to.ip().is_some_and(|ip| net.contains(ip)),
        }
    }
}

/// Reads `b.example.org`, `*.example.org`, `192.0.2.1`, `192.0.2.0/24`.
impl FromStr for Destination {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Destination, InvalidAddress> {
        if text.is_empty() {
            return Err(InvalidAddress::Empty);
        }
        if text.contains('/') || text.parse::<IpAddr>().is_ok() {
            return text.parse().map(Destination::Net);
        }
        match text.strip_prefix("*.") {
            Some(name) if !name.is_empty() && !name.contains('*') => name.parse().map(Destination::Wildcard),
            None if !text.contains('*') => text.parse().map(Destination::Name),
            _ => Err(InvalidAddress::Wildcard),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Name(name) => write!(f, "{name}"),
            Destination::Wildcard(name) => write!(f, "*.{name}"),
            Destination::Net(net) => write!(f, "{net}"),
        }
    }
}

/// What is about to be dialled: a host, the address it was resolved to, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    host: Host,
    resolved: Option<IpAddr>,
    port: u16,
}

impl Target {
    /// A target that is not resolved yet. The host is a DNS name or an IP address without brackets; the port is
    /// 1 to 65535.
    pub fn new(host: &str, port: u16) -> Result<Target, InvalidAddress> {
        Target::to(host.parse()?, port)
    }

    /// A target at this host that is not resolved yet. The port is 1 to 65535.
    pub fn to(host: Host, port: u16) -> Result<Target, InvalidAddress> {
        if port == 0 {
            return Err(InvalidAddress::Port);
        }
        Ok(Target {
            host,
            resolved: None,
            port,
        })
    }

    /// The same target with the address its name resolved to: the very address that will be dialled, or a rule for
    /// networks would admit one address and the dial take another. A literal address stays what it is.
    pub fn at(self, ip: IpAddr) -> Target {
        Target {
            resolved: Some(ip.to_canonical()),
            ..self
        }
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The address to be dialled, when it is known.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.host {
            Host::Ip(ip) => Some(ip),
            Host::Name(_) => self.resolved,
        }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// `b.example.org:7443`, and the address behind a name when it is known: `b.example.org:7443 (192.0.2.1)`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)?;
        match (&self.host, self.resolved) {
            (Host::Name(_), Some(ip)) => write!(f, " ({ip})"),
            _ => Ok(()),
        }
    }
}

impl TryFrom<String> for Destination {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Destination, InvalidAddress> {
        text.parse()
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> String {
        destination.to_string()
    }
}

#[cfg(test)]
mod tests;
