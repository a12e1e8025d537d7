//! Redundancy that anybody made up: the first half is a shard's bytes, the second what is there of its group.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| peerd_relay::fuzzing::parity(bytes));
