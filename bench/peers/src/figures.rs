//! Percentiles, medians, and how figures are written.

use std::fmt;

/// The nearest-rank percentile; 0 of nothing.
pub fn percentile(samples: &mut [u32], percent: f64) -> u32 {
    let rank = (percent / 100.0 * samples.len() as f64).ceil() as usize;
    if samples.is_empty() {
        return 0;
    }
    let at = rank.saturating_sub(1).min(samples.len() - 1);
    *samples.select_nth_unstable(at).1
}

/// The middle one; of an even number the mean of the two in the middle. `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let above = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 {
        above
    } else {
        (sorted[middle - 1] + above) / 2.0
    })
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    Milliseconds,
    Kibibytes,
    Mebibytes,
    Times,
    Count,
}

/// A figure with its unit, with as many digits as matter.
#[derive(Debug, Clone, Copy)]
pub struct Figure(pub f64, pub Unit);

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value, unit) = *self;
        let name = match unit {
            Unit::Seconds => " s",
            Unit::Milliseconds => " ms",
            Unit::Kibibytes => " KiB",
            Unit::Mebibytes => " MiB",
            Unit::Times => " ×",
            Unit::Count => return f.write_str(&apart(value.round() as u64)),
        };
        match value {
            value if value < 10.0 => write!(f, "{value:.2}{name}"),
            value if value < 100.0 => write!(f, "{value:.1}{name}"),
            value => write!(f, "{}{name}", apart(value.round() as u64)),
        }
    }
}

/// A count with thousands apart.
fn apart(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut samples: Vec<u32> = (1..=100).rev().collect();
        assert_eq!(percentile(&mut samples, 50.0), 50);
        assert_eq!(percentile(&mut samples, 99.0), 99);
        assert_eq!(percentile(&mut samples, 100.0), 100);
        assert_eq!(percentile(&mut [7], 50.0), 7);
        assert_eq!(percentile(&mut [], 50.0), 0);
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn figures_read_well() {
        let figure = |value, unit| Figure(value, unit).to_string();
        assert_eq!(figure(1.234, Unit::Seconds), "1.23 s");
        assert_eq!(figure(12.34, Unit::Milliseconds), "12.3 ms");
        assert_eq!(figure(1234.4, Unit::Milliseconds), "1,234 ms");
        assert_eq!(figure(0.5, Unit::Times), "0.50 ×");
        assert_eq!(figure(1_234_567.0, Unit::Count), "1,234,567");
    }
}
