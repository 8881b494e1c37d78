//! Numbers as visitors write them into fields.

/// Reads `2`, `0.25` or `1e-4`: up to 15 digits, which a float holds exactly; not negative. The
/// standard library's reader is right for any number of digits, and brings ten kilobytes of tables
/// along, which do not compress.
pub fn read(text: &str) -> Option<f64> {
    let text = text.trim();
    let (digits, power) = match text.split_once(['e', 'E']) {
        Some((digits, power)) => (digits, power.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let count = whole.len() + rest.len();
    if !(1..=15).contains(&count) {
        return None;
    }
    let mut value = 0.0;
    for digit in whole.bytes().chain(rest.bytes()) {
        value = 10.0 * value + f64::from(char::from(digit).to_digit(10)?);
    }
    // Powers of ten are exact to 10²², so one rounding is all.
    let power = power.checked_sub(i32::try_from(rest.len()).ok()?)?;
    let scale = (0..power.unsigned_abs().min(22)).fold(1.0, |scale, _| 10.0 * scale);
    match power {
        -22..0 => Some(value / scale),
        0..=22 => Some(value * scale),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_standard_library() {
        for text in ["0", "2", "0.25", "1e-4", "3E2", ".5", "7.", "0.0003", "123456789.012345"] {
            assert_eq!(read(text), text.parse().ok(), "{text}");
        }
        assert_eq!(read(" 16 "), Some(16.0));
        for text in ["", ".", "-1", "x", "1,5", "1e", "1e99", "1e-2147483648", "1234567890123456"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
