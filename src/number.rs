//! Numbers as people read them: thousands parted by commas, bytes in the note's MB (10⁶ bytes).

/// `296000` → `296,000`.
pub fn count(value: u64) -> String {
    group(&value.to_string())
}

/// Bytes as MB of 10⁶ bytes with one digit after the point, as the note writes them, two below ten and
/// three where two would show next to nothing: `1.18`, `1,073.7`, `0.003`.
pub fn megabytes(bytes: u64) -> String {
    let mb = bytes as f64 / 1e6;
    let digits = match mb {
        m if m >= 9.995 => 1,
        m if m >= 0.0995 || m == 0.0 => 2,
        _ => 3,
    };
    decimal(mb, digits)
}

/// FLOPs with a metric prefix: `590.3 k`, `12.1 M`, `1.5 G`.
pub fn metric(value: u64) -> String {
    const STEPS: [(f64, &str); 6] =
        [(1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let v = value as f64;
    match STEPS.iter().find(|(step, _)| v >= 0.99995 * step) {
        Some((step, prefix)) => format!("{:.1} {prefix}", v / step),
        None => value.to_string(),
    }
}

/// A number with `digits` after the point and thousands parted by commas; `n/a` if not finite.
pub fn decimal(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return "n/a".into();
    }
    let text = format!("{value:.digits$}");
    match text.split_once('.') {
        Some((whole, rest)) => format!("{}.{rest}", group(whole)),
        None => group(&text),
    }
}

/// A number with its sign, `digits` after the point: `+0.0012`, `−0.0300`; zero is `0.0000`.
pub fn signed(value: f64, digits: usize) -> String {
    let shown = decimal(value.abs(), digits);
    match shown.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        true if value < 0.0 => format!("−{shown}"),
        true => format!("+{shown}"),
        false => shown,
    }
}

/// A share as a signed percentage: `0.842` → `+84 %`; one digit more below ten percent.
pub fn signed_percent(share: f64) -> String {
    if !share.is_finite() {
        return "n/a".into();
    }
    let percent = 100.0 * share;
    let digits = usize::from(percent.abs() < 9.95);
    let sign = if percent < 0.0 { "−" } else { "+" };
    format!("{sign}{} %", decimal(percent.abs(), digits))
}

/// The magnitude of a share in percent, no sign: `-0.842` → `84 %`.
pub fn percent(share: f64) -> String {
    signed_percent(share.abs()).trim_start_matches('+').to_string()
}

fn group(digits: &str) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits),
    };
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    format!("{sign}{out}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_from_the_right() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (296_000, "296,000")];
        for (value, text) in cases {
            assert_eq!(count(value), text);
        }
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(decimal(-1234.5, 1), "-1,234.5");
        assert_eq!(decimal(-123.0, 0), "-123");
    }

    #[test]
    fn megabytes_are_the_notes() {
        assert_eq!(megabytes(4 * 4 * 8192 * 8192), "1,073.7");
        assert_eq!(megabytes(1_184_000), "1.18");
        assert_eq!(megabytes(150_000), "0.15");
        assert_eq!(megabytes(2_500), "0.003");
        assert_eq!(megabytes(0), "0.00");
    }

    #[test]
    fn signs() {
        assert_eq!(signed(0.00123, 4), "+0.0012");
        assert_eq!(signed(-0.03, 4), "−0.0300");
        assert_eq!(signed(-0.00001, 4), "0.0000");
        assert_eq!(signed(f64::NAN, 4), "n/a");
    }

    #[test]
    fn percentages_and_prefixes() {
        assert_eq!(signed_percent(0.842), "+84 %");
        assert_eq!(signed_percent(-0.031), "−3.1 %");
        assert_eq!(percent(-12.5), "1,250 %");
        assert_eq!(signed_percent(f64::NAN), "n/a");
        assert_eq!(metric(590_336), "590.3 k");
        assert_eq!(metric(999_990_000), "1.0 G");
        assert_eq!(metric(12), "12");
    }
}
