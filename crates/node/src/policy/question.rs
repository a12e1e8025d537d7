//! What a dry run asks, from the words of an operator.

use std::net::{IpAddr, SocketAddr};

use peerd_core::EnrollmentId;
use peerd_core::policy::{Accept, Act, DataType, Dial, Direction, Flow, Question, Side, Target};

use crate::Error;

/// What an operator asks about.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// Which policies are asked.
    pub side: Side,
    /// The other enrollment.
    pub enrollment: EnrollmentId,
    /// Egress: `host:port` to dial. Ingress: the source's IP address. Empty asks whether data may flow.
    pub address: &'a str,
    /// Which data, where no address is given.
    pub data: DataType,
}

/// The question that these words are. An error names its field.
pub fn question(asked: &Asked<'_>) -> Result<Question, Error> {
    let flow = |direction| {
        Act::Flow(Flow {
            direction,
            data: asked.data,
        })
    };
    let act = match (asked.side, asked.address) {
        (Side::Egress, "") => flow(Direction::Export),
        (Side::Ingress, "") => flow(Direction::Import),
        (Side::Egress, address) => Act::Dial(Dial { to: target(address)? }),
        (Side::Ingress, address) => Act::Accept(Accept {
            from: source(address)?,
        }),
    };
    Ok(Question {
        act,
        enrollment: Some(asked.enrollment),
    })
}

/// `host:port`; an IPv6 address stands in brackets.
fn target(address: &str) -> Result<Target, Error> {
    let split = address.rsplit_once(':');
    let port = split.and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = port.ok_or_else(|| Error::field("address", "write it as host:port"))?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    Target::new(bare.unwrap_or(host), port).map_err(|problem| Error::field("address", problem))
}

/// A source address; the port of one says nothing.
fn source(address: &str) -> Result<IpAddr, Error> {
    let with_port = address.parse::<SocketAddr>().map(|address| address.ip());
    with_port
        .or_else(|_| address.parse())
        .map_err(|_| Error::field("address", "write the source as an IP address"))
}
