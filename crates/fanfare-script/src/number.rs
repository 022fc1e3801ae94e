//! Numbers as C writes and Lua converts them.

use smallvec::SmallVec;

/// The text of a number; short enough to stay off the heap.
pub(crate) type NumberText = SmallVec<[u8; 32]>;

/// As `(long)` does on the processors that Redis runs on: what does not fit is the smallest.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
pub(crate) fn to_integer(number: f64) -> i64 {
    let limit = 9_223_372_036_854_775_808.0;
    if -limit <= number && number < limit { number as i64 } else { i64::MIN }
}

/// As `(int)(long)`.
#[expect(clippy::cast_possible_truncation, reason = "C keeps the low half, too")]
pub(crate) fn to_int(number: f64) -> i32 {
    to_integer(number) as i32
}

/// As `%.{precision}g` writes it.
pub(crate) fn general(number: f64, precision: usize) -> NumberText {
    let mut out = NumberText::new();
    if number.is_nan() {
        out.extend_from_slice(if number.is_sign_negative() { b"-nan" } else { b"nan" });
        return out;
    }
    if number.is_infinite() {
        out.extend_from_slice(if number < 0.0 { b"-inf" } else { b"inf" });
        return out;
    }
    let integer = to_integer(number);
    if integer.unsigned_abs() < 10u64.pow(u32::try_from(precision.min(15)).unwrap_or(15))
        && is_integer(number, integer)
    {
        out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
        return out;
    }
    scientific(number, precision.max(1), &mut out);
    out
}

#[expect(clippy::cast_precision_loss, reason = "compared for equality")]
fn is_integer(number: f64, integer: i64) -> bool {
    (integer as f64).to_bits() == number.to_bits()
}

/// The digits of `{:e}` laid out as `%g` does: without trailing zeros, an exponent only if it is
/// below -4 or not below the precision.
fn scientific(number: f64, precision: usize, out: &mut NumberText) {
    let text = format!("{number:.*e}", precision - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    out.extend_from_slice(sign.as_bytes());
    let precision = i32::try_from(precision).unwrap_or(i32::MAX);
    if exponent < -4 || precision <= exponent {
        let (first, rest) = digits.split_at(1);
        out.extend_from_slice(first.as_bytes());
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest.as_bytes());
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        out.extend_from_slice(format!("e{sign}{:02}", exponent.unsigned_abs()).as_bytes());
    } else if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend((1..exponent.unsigned_abs()).map(|_| b'0'));
        out.extend_from_slice(digits.as_bytes());
    } else {
        let n_whole = usize::try_from(exponent).unwrap_or(0) + 1;
        if digits.len() <= n_whole {
            out.extend_from_slice(digits.as_bytes());
            out.extend((digits.len()..n_whole).map(|_| b'0'));
        } else {
            let (whole, fraction) = digits.split_at(n_whole);
            out.extend_from_slice(whole.as_bytes());
            out.push(b'.');
            out.extend_from_slice(fraction.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{general, to_int, to_integer};

    #[test]
    fn numbers_look_as_in_c() {
        let cases = [
            (0.0, 17, "0"),
            (-0.0, 17, "-0"),
            (0.1, 17, "0.10000000000000001"),
            (1e15, 14, "1e+15"),
            (1e14, 14, "1e+14"),
            (123_456_789_012_345.0, 14, "1.2345678901234e+14"),
            (1e-5, 14, "1e-05"),
            (0.0001, 14, "0.0001"),
            (-1.5, 14, "-1.5"),
            (1e300, 17, "1.0000000000000001e+300"),
            (99.99, 3, "100"),
            (1e17, 17, "1e+17"),
            (1e16, 17, "10000000000000000"),
            (f64::INFINITY, 14, "inf"),
        ];
        for (number, precision, text) in cases {
            assert_eq!(&general(number, precision)[..], text.as_bytes(), "{number}");
        }
        assert_eq!(to_integer(1e300), i64::MIN);
        assert_eq!(to_integer(f64::NAN), i64::MIN);
        assert_eq!(to_integer(-1.9), -1);
        assert_eq!(to_int(4_294_967_297.0), 1);
    }
}
