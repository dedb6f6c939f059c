//! The server's timestamps (RFC 3339, UTC) as milliseconds since the Unix epoch.

/// Reads `2026-11-23T16:00:00.123456789Z`; `None` if it is anything else.
pub(crate) fn millis(text: &str) -> Option<u64> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut clock = clock.splitn(3, ':').map(str::parse::<i64>);
    let (hour, minute, second) = (
        clock.next()?.ok()?,
        clock.next()?.ok()?,
        clock.next()?.ok()?,
    );
    let millis = fraction
        .bytes()
        .chain([b'0'; 3])
        .take(3)
        .try_fold(0, |sum, digit| {
            digit
                .is_ascii_digit()
                .then(|| sum * 10 + i64::from(digit - b'0'))
        })?;
    let seconds = ((days(year, month, day)? * 24 + hour) * 60 + minute) * 60 + second;
    u64::try_from(seconds * 1000 + millis).ok()
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
