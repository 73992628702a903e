#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatelodge_attacks::doors::services(bytes));
