//! A whole XML file, as if its signature held.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| peerd_relay::fuzzing::xml(bytes));
