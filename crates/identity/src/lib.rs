//! Who this enrollment is, and who is at the other end: keys, certificates, TLS configurations.
//!
//! An enrollment **is** its identity key: its id is the digest of its first, its [identity certificate](Identity) is
//! self-signed, and short-lived [leaf certificates](Leaf) issued by it serve TLS. A key is replaced by one that it names;
//! the certificate of the later one shows the whole [lineage](peerd_core::lineage). There is no authority above, so a
//! peer proves itself by a chain of exactly two certificates, and that chain's own identity certificate is the only
//! trust anchor it is checked against. Nothing of one link is ever an anchor for another.
//!
//! What a handshake proves is only *which key* is there. Whether that key is one we know is asked afterwards, with
//! [`Presented::identify`]; whether it may do anything is the policy's to decide.
#![warn(missing_docs)]

mod binding;
mod chain;
mod error;
mod files;
mod identity;
mod key;
mod leaf;
mod live;
mod peer;
mod random;
mod refusal;
pub mod sealing;
mod tls;

pub use binding::channel_binding;
pub use error::Error;
pub use identity::{CERTIFICATE_FILE, Identity, KEY_FILE};
pub use key::EcdsaVerifier;
pub use leaf::Leaf;
pub use live::LiveIdentity;
pub use peer::{ExpectedIdentities, PeerIdentity, Pinned, Presented, presented};
pub use random::OsRng;
pub use refusal::{Refusal, refusal_of};
pub use sealing::{SEALING_KEY_FILE, SealingKeys};
pub use tls::{client_config, server_config, server_name};
