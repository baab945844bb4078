//! Any bytes are a document or one error, with positions in the file, and can be looked at as a whole.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // A carriage return alone ends a line too.
    let lines = bytes.iter().filter(|byte| b"\n\r".contains(byte)).count() + 2;
    match mn_yaml::parse(bytes) {
        Err(error) => assert!((1..=lines).contains(&error.position.line) && error.position.column >= 1),
        Ok(document) => {
            let value = document.root.value();
            mn_yaml::python_str(&value);
            for (_, difference) in mn_yaml::differences(&document) {
                assert!(difference.position.line <= lines);
            }
        }
    }
});
