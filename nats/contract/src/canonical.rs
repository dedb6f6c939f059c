//! Digests of what people send, and the small number formats of ids.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// The SHA-256 of `bytes` in lower-case hexadecimal.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal of `bytes`.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// A number in base 36 (`0-9a-z`), as ids and positions write it.
#[must_use]
pub fn base36(mut number: u64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut reversed = Vec::with_capacity(13);
    loop {
        reversed.push(DIGITS[(number % 36) as usize]);
        number /= 36;
        if number == 0 {
            break;
        }
    }
    reversed.iter().rev().map(|b| char::from(*b)).collect()
}

/// The SHA-256 of a value's JSON with object keys in order and absent fields left out: two
/// requests that mean the same have the same digest, however they were written.
#[must_use]
pub fn sha256_of(value: &impl Serialize) -> String {
    let mut value = serde_json::to_value(value).expect("contract types always serialize");
    // Another crate of the build may turn on serde_json's `preserve_order`.
    value.sort_all_objects();
    sha256_hex(value.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base36_is_the_usual_one() {
        assert_eq!(base36(0), "0");
        assert_eq!(base36(35), "z");
        assert_eq!(base36(36), "10");
        assert_eq!(
            u64::from_str_radix(&base36(u64::MAX), 36).unwrap(),
            u64::MAX
        );
    }

    #[test]
    fn the_digest_does_not_depend_on_the_order_of_keys() {
        let a: serde_json::Value = serde_json::from_str(r#"{"b":1,"a":{"d":2,"c":3}}"#).unwrap();
        let b: serde_json::Value = serde_json::from_str(r#"{"a":{"c":3,"d":2},"b":1}"#).unwrap();
        assert_eq!(sha256_of(&a), sha256_of(&b));
    }
}
