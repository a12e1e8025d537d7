use std::net::{Ipv4Addr, SocketAddr};

use peerd_core::link::Address;
use serde::{Deserialize, Serialize};

use super::Invalid;

/// Where other enrollments reach this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mpx {
    /// What the daemon listens on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What link codes tell the other side to dial. None: this enrollment can only dial.
    pub advertise: Vec<Address>,
}

/// `[mpx]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawMpx {
    /// Default `0.0.0.0:7443`.
    pub listen: Option<SocketAddr>,
    /// `["host:port"]`; default empty.
    pub advertise: Option<Vec<Address>>,
}

impl TryFrom<RawMpx> for Mpx {
    type Error = Invalid;

    fn try_from(raw: RawMpx) -> Result<Mpx, Invalid> {
        let RawMpx { listen, advertise } = raw;
        let advertise = advertise.unwrap_or_default();
        if advertise.len() > Address::COUNT_MAX {
            return Err(Invalid::TooMany {
                key: "mpx.advertise",
                max: Address::COUNT_MAX,
            });
        }
        Ok(Mpx {
            listen: listen.unwrap_or(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 7443))),
            advertise,
        })
    }
}

impl From<Mpx> for RawMpx {
    fn from(mpx: Mpx) -> RawMpx {
        RawMpx {
            listen: Some(mpx.listen),
            advertise: Some(mpx.advertise),
        }
    }
}
