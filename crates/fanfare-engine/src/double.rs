//! Redis's rules for doubles, the scores of sorted sets: what `strtod` reads, and which of them are kept as integers.

use crate::number;

/// Redis keeps a score as an integer up to here: half of what 64 bits hold.
const INT_MAX: f64 = 4_611_686_018_427_387_904.0;

/// Reads a score or a weight: all of `raw`, in the decimal or hexadecimal form of C. Too large or too small a number is
/// none, and NaN neither.
#[inline]
#[must_use]
pub fn parse(raw: &[u8]) -> Option<f64> {
    read(raw).filter(|it| it.is_in_range).map(|it| it.value)
}

/// Reads the bound of a range of scores. It ends at a zero byte, may have spaces before it, is 0 if it is empty, and
/// infinite if it is too large.
#[must_use]
pub fn parse_bound(raw: &[u8]) -> Option<f64> {
    let text = raw.split(|it| *it == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    let is_space = |it: &u8| matches!(it, b' ' | b'\t'..=b'\r');
    let n_spaces = text.iter().take_while(|it| is_space(it)).count();
    read(text.get(n_spaces..)?).map(|it| it.value)
}

/// Reads what SORT compares by: as [`parse_bound`], but too large or too small a number is none.
#[must_use]
pub fn parse_loosely(raw: &[u8]) -> Option<f64> {
    let text = raw.split(|it| *it == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    let is_space = |it: &u8| matches!(it, b' ' | b'\t'..=b'\r');
    let n_spaces = text.iter().take_while(|it| is_space(it)).count();
    parse(text.get(n_spaces..)?)
}

/// The integer that `value` is, if Redis keeps it as one. There is no -0 among the integers.
#[inline]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "what does not fit was sorted out")]
pub fn to_int(value: f64) -> Option<i64> {
    if !(-INT_MAX..=INT_MAX).contains(&value) {
        return None;
    }
    let int = value as i64;
    (int as f64 == value).then_some(int)
}

/// What `strtod` read.
#[derive(Clone, Copy)]
struct Read {
    value: f64,
    /// `false`: it became infinite or 0 because it does not fit.
    is_in_range: bool,
}

/// Reads `raw` if it is a number as a whole.
fn read(raw: &[u8]) -> Option<Read> {
    if let Some(value) = small_integer(raw) {
        return Some(Read { value, is_in_range: true });
    }
    let (is_negative, unsigned) = match raw.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, raw),
    };
    let magnitude = match unsigned {
        [b'0', b'x' | b'X', digits @ ..] => hexadecimal(digits)?,
        [b'0'..=b'9' | b'.', ..] => decimal(unsigned)?,
        _ => {
            let names: [&[u8]; 2] = [b"inf", b"infinity"];
            let is_infinite = names.iter().any(|it| it.eq_ignore_ascii_case(unsigned));
            let value = if is_negative { f64::NEG_INFINITY } else { f64::INFINITY };
            return is_infinite.then_some(Read { value, is_in_range: true });
        }
    };
    let value = if is_negative { -magnitude.value } else { magnitude.value };
    Some(Read { value, ..magnitude })
}

/// What most scores are: digits only, so few that a double holds the number exactly.
#[inline]
fn small_integer(raw: &[u8]) -> Option<f64> {
    if raw.is_empty() || 15 < raw.len() {
        return None;
    }
    let mut value = 0_u64;
    for byte in raw {
        let digit = byte.wrapping_sub(b'0');
        if 9 < digit {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value as f64)
}

fn decimal(unsigned: &[u8]) -> Option<Read> {
    let value: f64 = std::str::from_utf8(unsigned).ok()?.parse().ok()?;
    let mantissa = unsigned.split(|it| it.eq_ignore_ascii_case(&b'e')).next()?;
    let is_zero = || mantissa.iter().all(|it| matches!(it, b'0' | b'.'));
    let is_in_range = value.is_finite() && (value != 0.0 || is_zero());
    Some(Read { value, is_in_range })
}

/// Reads what follows `0x`: digits, perhaps a point among them, perhaps `p` and a power of two.
fn hexadecimal(text: &[u8]) -> Option<Read> {
    let p_at = text.iter().position(|it| it.eq_ignore_ascii_case(&b'p')).unwrap_or(text.len());
    let (digits, exponent) = text.split_at_checked(p_at)?;
    let mut exponent = match exponent.split_first() {
        None => 0,
        Some((_, power)) => parse_power(power)?,
    };
    let (mut mantissa, mut n_digits, mut is_fraction) = (0_u128, 0, false);
    for &byte in digits {
        if byte == b'.' && !is_fraction {
            is_fraction = true;
            continue;
        }
        let digit = char::from(byte).to_digit(16)?;
        n_digits += 1;
        exponent -= if is_fraction { 4 } else { 0 };
        if mantissa >> 120 == 0 {
            mantissa = mantissa << 4 | u128::from(digit);
        } else {
            // Beyond what counts; that there is something still does, for rounding.
            mantissa |= u128::from(digit != 0);
            exponent += 4;
        }
    }
    if n_digits == 0 {
        return None;
    }
    let value = scaled(mantissa, exponent);
    Some(Read { value, is_in_range: value.is_finite() && (value != 0.0 || mantissa == 0) })
}

/// A signed number of decimal digits; one without end is as good as a large one.
fn parse_power(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let n_zeros = digits.iter().take_while(|it| **it == b'0').count();
    let significant = digits.get(n_zeros..).filter(|it| !it.is_empty()).unwrap_or(b"0");
    let power = number::parse_int(significant).unwrap_or(i64::MAX).min(1 << 40);
    Some(if is_negative { -power } else { power })
}

/// `mantissa * 2^exponent`, rounded once, to even.
fn scaled(mantissa: u128, exponent: i64) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    let n_bits = i64::from(u128::BITS - mantissa.leading_zeros());
    // The lowest bit that a double of this size has: 53 bits, or fewer near 0.
    let lowest = (exponent + n_bits - 53).max(-1074);
    let n_dropped = lowest - exponent;
    let kept = match u32::try_from(n_dropped) {
        Ok(0) | Err(_) => return times_power(mantissa as f64, exponent),
        Ok(n_dropped) if i64::from(n_dropped) <= n_bits => {
            let kept = mantissa >> (n_dropped - 1) >> 1;
            let half = 1_u128 << (n_dropped - 1);
            let rest = mantissa & (half | (half - 1));
            let rounds_up = half < rest || (half == rest && kept & 1 == 1);
            kept + u128::from(rounds_up)
        }
        Ok(_) => 0,
    };
    times_power(kept as f64, lowest)
}

/// `value * 2^exponent` for a value with at most 53 bits, in two steps so that none of them rounds.
fn times_power(value: f64, exponent: i64) -> f64 {
    let exponent = i32::try_from(exponent.clamp(-2200, 2200)).unwrap_or_default();
    let half = exponent / 2;
    value * 2_f64.powi(half) * 2_f64.powi(exponent - half)
}

#[cfg(test)]
mod tests {
    use super::{parse, parse_bound, to_int};

    #[test]
    fn scores_are_read_as_strtod_does() {
        for (raw, expected) in [
            ("1", Some(1.0)),
            ("-1.5", Some(-1.5)),
            ("+2", Some(2.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("1e3", Some(1000.0)),
            ("1E-2", Some(0.01)),
            ("007", Some(7.0)),
            ("inf", Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("+INF", Some(f64::INFINITY)),
            ("0x10", Some(16.0)),
            ("-0X1.8p1", Some(-3.0)),
            ("0x.8", Some(0.5)),
            ("0x1p-1074", Some(5e-324)),
            ("0x1.8p-1074", Some(1e-323)),
            ("0x1.fffffffffffff8p0", Some(2.0)),
            ("0x1.fffffffffffff7fffffffffffffffffffffffff", Some(1.999_999_999_999_999_8)),
            ("0x1.00000000000008", Some(1.0)),
            ("0x1.000000000000080000000000000000000000001", Some(1.000_000_000_000_000_2)),
            ("0x0p99999999999999999999", Some(0.0)),
            ("4.9e-324", Some(5e-324)),
            ("0e999", Some(0.0)),
            ("1e-400", None),
            ("1e400", None),
            ("0x1p-1080", None),
            ("0x1p1024", None),
            ("nan", None),
            ("-nan", None),
            ("", None),
            ("-", None),
            (".", None),
            ("e5", None),
            ("1e", None),
            ("0x", None),
            ("0x.", None),
            ("0x1p", None),
            (" 1", None),
            ("1 ", None),
            ("1\0", None),
            ("--1", None),
            ("infi", None),
        ] {
            assert_eq!(parse(raw.as_bytes()), expected, "{raw:?}");
        }
        assert!(parse(b"-0").unwrap().is_sign_negative());
    }

    #[test]
    fn bounds_are_read_more_leniently() {
        for (raw, expected) in [
            ("", Some(0.0)),
            (" \t\n1", Some(1.0)),
            ("1\0x", Some(1.0)),
            ("\0x", Some(0.0)),
            ("1e400", Some(f64::INFINITY)),
            ("-1e400", Some(f64::NEG_INFINITY)),
            ("1e-400", Some(0.0)),
            (" ", None),
            ("1 ", None),
            ("x", None),
            ("nan", None),
        ] {
            assert_eq!(parse_bound(raw.as_bytes()), expected, "{raw:?}");
        }
    }

    #[test]
    fn integers_are_told_from_fractions() {
        assert_eq!(to_int(3.0), Some(3));
        assert_eq!(to_int(-0.0), Some(0));
        assert_eq!(to_int(3.5), None);
        assert_eq!(to_int(4.5e18), Some(4_500_000_000_000_000_000));
        assert_eq!(to_int(4.7e18), None);
        assert_eq!(to_int(f64::INFINITY), None);
        assert_eq!(to_int(f64::NAN), None);
    }
}
