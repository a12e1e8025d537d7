//! What a running daemon takes from its configuration again, when SIGHUP asks it to: the certificate of the operator API
//! and what is logged. A file that is not right changes nothing, and says so.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::{Config, Protection};
use crate::logging::Filter;
use crate::tls;

/// What can be changed while the daemon runs. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Reload(Arc<Changeable>);

#[derive(Debug, Default)]
struct Changeable {
    certificate: ArcSwapOption<CertifiedKey>,
    filter: Option<Filter>,
}

impl Reload {
    /// Of a process that logs through this filter.
    pub fn new(filter: Filter) -> Reload {
        Reload(Arc::new(Changeable {
            filter: Some(filter),
            ..Changeable::default()
        }))
    }

    /// Handshakes that begin from now on are answered with this certificate.
    pub(crate) fn certify(&self, certificate: CertifiedKey) {
        self.0.certificate.store(Some(Arc::new(certificate)));
    }

    /// What answers handshakes.
    pub(crate) fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        Arc::new(Resolver(self.clone()))
    }

    /// Takes what may change from a configuration that was read again; what is wrong stays as it was.
    pub(crate) fn take(&self, read: anyhow::Result<Config>) {
        let config = match read {
            Ok(config) => config,
            Err(error) => {
                tracing::error!(
                    error = format!("{error:#}"),
                    "nothing reloaded: the configuration is not valid"
                );
                return;
            }
        };
        self.take_certificate(&config);
        if let Some(filter) = &self.0.filter {
            match filter.set(&config.log) {
                Ok(()) => tracing::info!(filter = config.log.filter, "log filter reloaded"),
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "log filter not reloaded: the old one stays"
                ),
            }
        }
    }

    fn take_certificate(&self, config: &Config) {
        let serves_tls = self.0.certificate.load().is_some();
        match &config.api.protection {
            Protection::Tls {
                certificate_file,
                key_file,
            } if serves_tls => match tls::certificate(certificate_file, key_file) {
                Ok(certificate) => {
                    self.certify(certificate);
                    tracing::info!("certificate of the operator API reloaded");
                }
                Err(error) => tracing::error!(
                    error = format!("{error:#}"),
                    "certificate of the operator API not reloaded: the old one stays"
                ),
            },
            Protection::Plaintext if !serves_tls => {}
            _ => tracing::error!("whether the operator API speaks TLS changes with a restart only"),
        }
    }
}

#[derive(Debug)]
struct Resolver(Reload);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.0.certificate.load_full()
    }
}
