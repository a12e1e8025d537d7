//! The sockets of a daemon, bound before anything else is built.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::config::Config;

/// An address that could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("{key} {address} cannot be listened on")]
pub struct BindError {
    /// The key of the configuration that names the address.
    pub key: &'static str,
    /// The address.
    pub address: SocketAddr,
    /// Why not.
    pub source: io::Error,
}

/// The bound sockets of one daemon.
#[derive(Debug)]
pub struct Listeners {
    /// For other enrollments.
    pub mpx: TcpListener,
    /// For operators.
    pub api: TcpListener,
}

impl Listeners {
    /// Binds all of them, or none.
    pub async fn bind(config: &Config) -> Result<Listeners, BindError> {
        Ok(Listeners {
            mpx: bind("mpx.listen", config.mpx.listen).await?,
            api: bind("api.listen", config.api.listen).await?,
        })
    }
}

async fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| BindError { key, address, source })
}
