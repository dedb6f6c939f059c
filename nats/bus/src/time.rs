//! The server's timestamps (RFC 3339, UTC) as milliseconds since the Unix epoch.

/// Reads `2026-11-23T16:00:00.123456789Z`; `None` if it is anything else. It runs for every
/// message read, so it looks at bytes.
pub(crate) fn millis(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let (clock, fraction) = bytes.split_at_checked(19)?;
    let separators = [4, 7, 10, 13, 16].map(|at| clock[at]);
    if &separators != b"--T::" {
        return None;
    }
    let number = |from: usize, to: usize| digits(&clock[from..to]);
    let days = days(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    let millis = match fraction {
        b"Z" => 0,
        [b'.', fraction @ .., b'Z'] if !fraction.is_empty() => {
            digits(fraction)?;
            fraction
                .iter()
                .chain(b"00")
                .take(3)
                .fold(0, |sum, digit| sum * 10 + value(*digit))
        }
        _ => return None,
    };
    u64::try_from(seconds * 1000 + millis).ok()
}

fn digits(text: &[u8]) -> Option<i64> {
    let digit = |sum: i64, byte: &u8| {
        byte.is_ascii_digit()
            .then(|| sum.wrapping_mul(10).wrapping_add(value(*byte)))
    };
    text.iter().try_fold(0, digit)
}

fn value(digit: u8) -> i64 {
    i64::from(digit - b'0')
}

/// Days from 1970-01-01 in the Gregorian calendar (years begin in March, so that the leap day is last).
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_read_as_milliseconds() {
        assert_eq!(millis("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(millis("2000-02-29T12:00:00.5Z"), Some(951_825_600_500));
        assert_eq!(
            millis("2026-11-23T16:00:00.123456789Z"),
            Some(1_795_449_600_123)
        );
        assert_eq!(millis("2024-12-31T23:59:59.999Z"), Some(1_735_689_599_999));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "Z",
            "2026-11-23",
            "2026-13-01T00:00:00Z",
            "2026-11-23T16:00:00+01:00",
            "2026-11-23T16:00:00.xZ",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}
