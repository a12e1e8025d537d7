//! The header of any file, sealed or XML, before anything about it is verified.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(header) = peerd_relay::peek(bytes) {
        // What was read has one canonical form and a name that is a name.
        assert_eq!(header.digest(), header.clone().digest());
        assert!(header.file_name().is_ascii());
    }
});
