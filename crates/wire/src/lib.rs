//! The protocols of peerd as code: generated messages and services, the one table of status codes, and the edge where
//! messages become domain types.
//!
//! A message is taken apart once, where it arrives, into types that cannot be wrong. Nothing behind this crate sees a
//! generated type.

mod field;
pub mod frame;
pub mod lifecycle;
pub mod status;
pub mod verify;

/// Generated from `proto/peerd`. The comments are in the protos.
#[expect(
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes,
    clippy::pedantic,
    reason = "generated code follows its generator's style"
)]
mod generated {
    pub mod admin {
        pub mod v1 {
            tonic::include_proto!("peerd.admin.v1");
        }
    }
    pub mod data {
        pub mod v1 {
            tonic::include_proto!("peerd.data.v1");
        }
    }
    pub mod peering {
        pub mod v1 {
            tonic::include_proto!("peerd.peering.v1");
        }
    }
    pub mod mpx {
        pub mod v1 {
            tonic::include_proto!("peerd.mpx.v1");
        }
    }
    pub mod relay {
        pub mod v1 {
            tonic::include_proto!("peerd.relay.v1");
        }
    }
}

pub use generated::{admin, data, mpx, peering, relay};

/// The descriptors of what operators call, for reflection.
pub const OPERATOR_DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/operator.bin"));

/// The descriptors of what another enrollment's daemon calls.
pub const MPX_DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/mpx.bin"));
