//! What comes out of a sealed body: the first byte is the kind, the second how many records there should be.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let [kind, count, rest @ ..] = bytes {
        peerd_relay::fuzzing::body(*kind, *count, Bytes::copy_from_slice(rest));
    }
});
