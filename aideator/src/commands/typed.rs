//! What people type, as the types it stands for.

use aideator_contract::Variation;

/// A variation as people count: 1 to 5.
pub(crate) fn variation(text: &str) -> Result<Variation, String> {
    text.parse::<usize>()
        .ok()
        .and_then(|number| number.checked_sub(1))
        .and_then(Variation::at)
        .ok_or_else(|| String::from("variations are 1 to 5"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_count_from_one() {
        assert_eq!(variation("1").map(Variation::index), Ok(0));
        assert_eq!(variation("5").map(Variation::index), Ok(4));
        for text in ["0", "6", "", "-1", "one"] {
            assert!(variation(text).is_err(), "{text}");
        }
    }
}
