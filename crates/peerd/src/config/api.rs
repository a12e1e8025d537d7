use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Invalid, anchor};

/// Where operators call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// What the daemon listens on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How what is said there is protected.
    pub protection: Protection,
}

/// How the operator API is protected on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Not at all: it stays on this machine, or somebody asked for the danger.
    Plaintext,
    /// By TLS.
    Tls {
        /// The certificate chain, PEM, leaf first.
        certificate_file: PathBuf,
        /// Its private key, PEM.
        key_file: PathBuf,
    },
}

/// `[api]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawApi {
    /// Default `127.0.0.1:7440`.
    pub listen: Option<SocketAddr>,
    /// Required, together with the key, when `listen` is not loopback.
    pub tls_certificate_file: Option<PathBuf>,
    /// Required, together with the certificate, when `listen` is not loopback.
    pub tls_key_file: Option<PathBuf>,
    /// Allows bearer tokens to cross a network in the clear. Default false.
    pub danger_plaintext: Option<bool>,
}

impl RawApi {
    pub(super) fn anchor(&mut self, base: &Path) -> Result<(), Invalid> {
        anchor(
            "api.tls_certificate_file",
            self.tls_certificate_file.as_mut(),
            base,
        )?;
        anchor("api.tls_key_file", self.tls_key_file.as_mut(), base)
    }
}

impl TryFrom<RawApi> for Api {
    type Error = Invalid;

    fn try_from(raw: RawApi) -> Result<Api, Invalid> {
        let RawApi {
            listen,
            tls_certificate_file,
            tls_key_file,
            danger_plaintext,
        } = raw;
        let listen = listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 7440)));
        let danger = danger_plaintext.unwrap_or(false);
        let protection = match (tls_certificate_file, tls_key_file) {
            (Some(_), Some(_)) if danger => return Err(Invalid::PlaintextAndTls),
            (Some(certificate_file), Some(key_file)) => Protection::Tls {
                certificate_file,
                key_file,
            },
            (Some(_), None) => {
                return Err(Invalid::HalfOfTls {
                    given: "api.tls_certificate_file",
                    missing: "api.tls_key_file",
                });
            }
            (None, Some(_)) => {
                return Err(Invalid::HalfOfTls {
                    given: "api.tls_key_file",
                    missing: "api.tls_certificate_file",
                });
            }
            (None, None) if danger || listen.ip().is_loopback() => Protection::Plaintext,
            (None, None) => return Err(Invalid::TlsRequired { listen }),
        };
        Ok(Api { listen, protection })
    }
}

impl From<Api> for RawApi {
    fn from(api: Api) -> RawApi {
        let plaintext = api.protection == Protection::Plaintext;
        let (tls_certificate_file, tls_key_file) = match api.protection {
            Protection::Plaintext => (None, None),
            Protection::Tls {
                certificate_file,
                key_file,
            } => (Some(certificate_file), Some(key_file)),
        };
        RawApi {
            listen: Some(api.listen),
            tls_certificate_file,
            tls_key_file,
            danger_plaintext: Some(plaintext && !api.listen.ip().is_loopback()),
        }
    }
}
