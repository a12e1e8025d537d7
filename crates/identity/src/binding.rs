//! What ties a one-time proof to one TLS session.

use rustls::ConnectionCommon;

use crate::Error;

/// The exporter's label; the version is part of it.
const BINDING_LABEL: &[u8] = b"EXPORTER-peerd-channel-binding-v1";

/// 32 bytes that both ends of this TLS session, and nobody else, can compute (RFC 8446 §7.5). Works for client and server
/// connections; an error before the handshake is done.
pub fn channel_binding<Side>(connection: &ConnectionCommon<Side>) -> Result<[u8; 32], Error> {
    connection
        .export_keying_material([0; 32], BINDING_LABEL, None)
        .map_err(Error::Tls)
}
