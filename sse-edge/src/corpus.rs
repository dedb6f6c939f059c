//! Inputs that parsers must come to terms with, one a file; each target's folder grows with what was
//! found by chance.

use std::path::Path;

/// The inputs for a target, by name.
pub(crate) fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let files = folder.join(target).read_dir().unwrap();
    let mut inputs: Vec<_> = files
        .map(|file| {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            (name, std::fs::read(file.path()).unwrap())
        })
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{target}");
    inputs
}

/// Spoils an input: a byte is replaced, put in or taken out.
pub(crate) fn spoil(input: &mut Vec<u8>, at: proptest::sample::Index, byte: u8, how: u8) {
    match how % 3 {
        0 => input.insert(at.index(input.len() + 1), byte),
        _ if input.is_empty() => {}
        1 => {
            let at = at.index(input.len());
            input[at] = byte;
        }
        _ => {
            input.remove(at.index(input.len()));
        }
    }
}
