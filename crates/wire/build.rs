//! Compiles the protos with a compiler written in Rust, so that no `protoc` has to be installed.

use std::error::Error;
use std::path::{Path, PathBuf};

use prost::Message as _;

/// What operators call; offered by reflection.
const OPERATOR: &[&str] = &[
    "peerd/admin/v1/audit_service.proto",
    "peerd/admin/v1/backup_service.proto",
    "peerd/admin/v1/enrollment_service.proto",
    "peerd/admin/v1/marking_service.proto",
    "peerd/admin/v1/policy_service.proto",
    "peerd/admin/v1/principal_service.proto",
    "peerd/admin/v1/space_service.proto",
    "peerd/data/v1/artifact_service.proto",
    "peerd/data/v1/object_service.proto",
    "peerd/data/v1/ontology_service.proto",
    "peerd/peering/v1/connection_service.proto",
    "peerd/peering/v1/job_service.proto",
    "peerd/peering/v1/link_service.proto",
    "peerd/peering/v1/mapping_service.proto",
    "peerd/peering/v1/parked_service.proto",
];

/// What another enrollment's daemon calls.
const MPX: &[&str] = &[
    "peerd/mpx/v1/blob.proto",
    "peerd/mpx/v1/mpx_service.proto",
    "peerd/mpx/v1/verify.proto",
];

/// What a data relay carries.
const RELAY: &[&str] = &["peerd/relay/v1/bundle.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo:rerun-if-changed={}", protos.display());
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    for (name, files) in [("operator", OPERATOR), ("mpx", MPX), ("relay", RELAY)] {
        let set = protox::compile(files, [&protos])?;
        std::fs::write(out.join(format!("{name}.bin")), set.encode_to_vec())?;
        tonic_prost_build::configure()
            .btree_map(".")
            .bytes(".peerd.mpx.v1")
            .bytes(".peerd.data.v1")
            .bytes(".peerd.relay.v1")
            .build_transport(true)
            .compile_fds(set)?;
    }
    Ok(())
}
