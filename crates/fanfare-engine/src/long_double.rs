//! The 80-bit floats that `INCRBYFLOAT` counts in on Redis: 64 bits of mantissa, rounded to even.
//!
//! An `f64` would answer `10.5 + 0.1` with another last digit. Reading, adding and printing are exact up to the one
//! rounding that the hardware does, so the text is that of a Redis on x86-64.

use crate::big::Big;

/// A `long double` as on x86-64, NaN left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LongDouble {
    /// `mantissa * 2^exponent`
    Finite {
        /// Below zero.
        negative: bool,
        /// 0, or with the highest bit set unless the exponent is the least there is.
        mantissa: u64,
        /// Between -16445 and 16320.
        exponent: i32,
    },
    /// Of either sign: no sum with it is a number.
    Infinite,
}

const EXPONENT_MIN: i32 = -16445;
const EXPONENT_MAX: i32 = 16320;

/// Redis's `MAX_LONG_DOUBLE_CHARS`.
const TEXT_LEN_MAX: usize = 5 * 1024;

/// Decimal places that Redis prints at most.
const N_PLACES: usize = 17;

/// 1 in units of the last of them.
const ONE: u128 = 100_000_000_000_000_000;

impl LongDouble {
    /// Zero.
    pub const ZERO: Self = Self::Finite { negative: false, mantissa: 0, exponent: 0 };

    /// Reads what `strtold` accepts in the C locale, but no NaN, nothing around it, and nothing out of range.
    #[must_use]
    pub fn parse(raw: &[u8]) -> Option<Self> {
        if TEXT_LEN_MAX <= raw.len() {
            return None;
        }
        let (negative, unsigned) = match raw.split_first()? {
            (b'-', rest) => (true, rest),
            (b'+', rest) => (false, rest),
            _ => (false, raw),
        };
        let lower = unsigned.to_ascii_lowercase();
        if let b"inf" | b"infinity" = &*lower {
            return Some(Self::Infinite);
        }
        match lower.strip_prefix(b"0x") {
            Some(digits) => Literal::parse(digits, 16, b'p')?.hexadecimal(negative),
            None => Literal::parse(&lower, 10, b'e')?.decimal(negative),
        }
    }

    /// The sum; `None` if it is not finite.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let (a, b) = (self.parts()?, other.parts()?);
        let exponent = a.exponent.min(b.exponent);
        let (large, small) = (a.scaled_to(exponent), b.scaled_to(exponent));
        if a.negative == b.negative {
            return round(a.negative, &large.plus(&small), exponent, false);
        }
        let (negative, difference) = if small <= large {
            (a.negative, large.minus(&small))
        } else {
            (b.negative, small.minus(&large))
        };
        if difference.is_zero() {
            Some(Self::ZERO)
        } else {
            round(negative, &difference, exponent, false)
        }
    }

    /// The product with a small number, rounded up: milliseconds of seconds, say. Too large a one is the largest or the
    /// least number, as is infinity, whatever its sign.
    #[must_use]
    pub fn times_up(self, factor: u16) -> i128 {
        let Self::Finite { negative, mantissa, exponent } = self else { return i128::MAX };
        let (product, exponent) = rounded_product(mantissa, factor, exponent);
        let (whole, rest) = match u32::try_from(exponent) {
            Ok(0..=62) => (product << exponent.unsigned_abs(), false),
            Ok(_) => (if product == 0 { 0 } else { u128::MAX >> 1 }, false),
            Err(_) => {
                let n_bits = exponent.unsigned_abs();
                let whole = product.checked_shr(n_bits).unwrap_or_default();
                (whole, whole.checked_shl(n_bits) != Some(product))
            }
        };
        let whole = i128::try_from(whole).unwrap_or(i128::MAX);
        if negative { -whole } else { whole.saturating_add(i128::from(rest && product != 0)) }
    }

    /// As Redis prints it: 17 decimal places without the zeros at their end, never an exponent, never `-0`.
    #[must_use]
    pub fn to_text(self) -> String {
        let Some(Parts { negative, mantissa, exponent }) = self.parts() else {
            return "inf".into();
        };
        let mut text = match usize::try_from(exponent) {
            Ok(exponent) => Big::from(u128::from(mantissa)).shl(exponent).to_text(),
            Err(_) => fraction_text(mantissa, exponent.unsigned_abs()),
        };
        if negative && text != "0" {
            text.insert(0, '-');
        }
        text
    }

    fn parts(self) -> Option<Parts> {
        match self {
            Self::Finite { negative, mantissa, exponent } => {
                Some(Parts { negative, mantissa, exponent })
            }
            Self::Infinite => None,
        }
    }
}

/// `mantissa * factor * 2^exponent` with 64 bits, rounded to even as the hardware does.
fn rounded_product(mantissa: u64, factor: u16, exponent: i32) -> (u128, i32) {
    let exact = u128::from(mantissa) * u128::from(factor);
    let n_excess = (u128::BITS - exact.leading_zeros()).saturating_sub(u64::BITS);
    if n_excess == 0 {
        return (exact, exponent);
    }
    let kept = exact >> n_excess;
    let (lost, half) = (exact - (kept << n_excess), 1 << (n_excess - 1));
    let is_up = half < lost || half == lost && kept % 2 == 1;
    (kept + u128::from(is_up), exponent.saturating_add_unsigned(n_excess))
}

struct Parts {
    negative: bool,
    mantissa: u64,
    exponent: i32,
}

impl Parts {
    /// The magnitude in units of `2^exponent`, which must not be above its own exponent.
    fn scaled_to(&self, exponent: i32) -> Big {
        let n_bits = usize::try_from(self.exponent - exponent).unwrap_or_default();
        Big::from(u128::from(self.mantissa)).shl(n_bits)
    }
}

/// The nearest long double to `magnitude * 2^exponent`; `more` says that the magnitude is a little larger than given.
/// `None`: not zero, but nearest to zero or to infinity.
fn round(negative: bool, magnitude: &Big, exponent: i32, more: bool) -> Option<LongDouble> {
    if magnitude.is_zero() && !more {
        return Some(LongDouble::Finite { negative, mantissa: 0, exponent: 0 });
    }
    let n_bits = i32::try_from(magnitude.n_bits()).ok()?;
    let mut rounded_exponent = (exponent + n_bits - 64).max(EXPONENT_MIN);
    let mut mantissa = match usize::try_from(rounded_exponent - exponent) {
        Err(_) => magnitude.shl(usize::try_from(exponent - rounded_exponent).ok()?).bits(0),
        Ok(0) => magnitude.bits(0),
        Ok(n_dropped) => {
            let kept = magnitude.bits(n_dropped);
            let half = magnitude.bits(n_dropped - 1) & 1 == 1;
            let more = more || magnitude.any_below(n_dropped - 1);
            kept + u128::from(half && (more || kept & 1 == 1))
        }
    };
    if 1 << 64 <= mantissa {
        mantissa >>= 1;
        rounded_exponent += 1;
    }
    if mantissa == 0 || EXPONENT_MAX < rounded_exponent {
        return None;
    }
    let mantissa = u64::try_from(mantissa).ok()?;
    Some(LongDouble::Finite { negative, mantissa, exponent: rounded_exponent })
}

/// `mantissa / 2^n_bits` with 17 decimal places, rounded to even, without the zeros at the end.
fn fraction_text(mantissa: u64, n_bits: u32) -> String {
    let scaled = u128::from(mantissa) * ONE;
    let floor = scaled.checked_shr(n_bits).unwrap_or(0);
    let rest = scaled - floor.checked_shl(n_bits).unwrap_or(0);
    let half = 1u128.checked_shl(n_bits - 1).unwrap_or(u128::MAX);
    let rounded = floor + u128::from(half < rest || half == rest && floor & 1 == 1);
    let text = format!("{}.{:0N_PLACES$}", rounded / ONE, rounded % ONE);
    text.trim_end_matches('0').trim_end_matches('.').into()
}

/// A number as text: digits around a point, and an exponent.
struct Literal<'a> {
    before_point: &'a [u8],
    behind_point: &'a [u8],
    base: u32,
    exponent: i32,
}

/// Larger exponents say nothing more.
const LITERAL_EXPONENT_MAX: i32 = 100_000;

/// Decimal exponents beyond are out of range in any case.
const DECIMAL_EXPONENT_MAX: i32 = 5000;

impl<'a> Literal<'a> {
    fn parse(text: &'a [u8], base: u32, exponent_mark: u8) -> Option<Self> {
        let (digits, exponent) = match text.iter().position(|&it| it == exponent_mark) {
            Some(at) => (text.get(..at)?, parse_exponent(text.get(at + 1..)?)?),
            None => (text, 0),
        };
        let (before_point, behind_point) = match digits.iter().position(|&it| it == b'.') {
            Some(at) => (digits.get(..at)?, digits.get(at + 1..)?),
            None => (digits, &[][..]),
        };
        if before_point.is_empty() && behind_point.is_empty() {
            return None;
        }
        let literal = Self { before_point, behind_point, base, exponent };
        let digits = before_point.iter().chain(behind_point);
        digits.copied().all(|it| char::from(it).is_digit(base)).then_some(literal)
    }

    fn magnitude(&self) -> Big {
        let digits = self.before_point.iter().chain(self.behind_point);
        Big::from_digits(digits.filter_map(|&it| char::from(it).to_digit(self.base)), self.base)
    }

    fn n_places(&self) -> Option<i32> {
        i32::try_from(self.behind_point.len()).ok()
    }

    fn hexadecimal(&self, negative: bool) -> Option<LongDouble> {
        round(negative, &self.magnitude(), self.exponent - 4 * self.n_places()?, false)
    }

    fn decimal(&self, negative: bool) -> Option<LongDouble> {
        let mut magnitude = self.magnitude();
        if magnitude.is_zero() {
            return round(negative, &magnitude, 0, false);
        }
        let exponent = self.exponent - self.n_places()?;
        // Beyond, not even all the digits that fit into a text bring it back into range.
        if DECIMAL_EXPONENT_MAX + i32::try_from(TEXT_LEN_MAX).ok()? < exponent.abs() {
            return None;
        }
        if let Ok(exponent) = usize::try_from(exponent) {
            magnitude.scale_by_ten(exponent);
            return round(negative, &magnitude, 0, false);
        }
        let mut divisor = Big::from(1);
        divisor.scale_by_ten(usize::try_from(exponent.unsigned_abs()).ok()?);
        // So many bits that the quotient has 66 or 67: two more than a mantissa, for rounding.
        let scale =
            66 + i32::try_from(divisor.n_bits()).ok()? - i32::try_from(magnitude.n_bits()).ok()?;
        match usize::try_from(scale) {
            Ok(n_bits) => magnitude = magnitude.shl(n_bits),
            Err(_) => divisor = divisor.shl(usize::try_from(scale.unsigned_abs()).ok()?),
        }
        let (quotient, more) = magnitude.divided_by(&divisor, 67);
        round(negative, &Big::from(quotient), -scale, more)
    }
}

fn parse_exponent(text: &[u8]) -> Option<i32> {
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let magnitude = digits.iter().fold(0, |sum: i32, &it| {
        (sum.saturating_mul(10).saturating_add(i32::from(it - b'0'))).min(LITERAL_EXPONENT_MAX)
    });
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::LongDouble;

    fn sum(a: &str, b: &str) -> Option<String> {
        let (a, b) = (LongDouble::parse(a.as_bytes())?, LongDouble::parse(b.as_bytes())?);
        Some(a.plus(b).map_or("infinite".into(), LongDouble::to_text))
    }

    /// What redis-server 7.0.15 on x86-64 answers.
    #[test]
    fn sums_of_redis() {
        for (a, b, expected) in [
            ("10.5", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("3.0", "1.5", "4.5"),
            ("4.5", "0x10", "20.5"),
            ("20.5", "1e-4940", "20.5"),
            ("20.5", "+5", "25.5"),
            ("25.5", ".5", "26"),
            ("26", "5.", "31"),
            ("0", "-0", "0"),
            ("-0", "-0", "0"),
            ("0", "1e30", "1000000000000000000024696061952"),
            ("1e-17", "0", "0.00000000000000001"),
            ("-1e-20", "0", "0"),
            ("1", "inf", "infinite"),
            ("-Infinity", "inf", "infinite"),
        ] {
            assert_eq!(sum(a, b).as_deref(), Some(expected), "{a} + {b}");
        }
    }

    #[test]
    fn no_numbers() {
        for text in [
            "", "-", ".", "1e", "1e+", "nan", " 1", "1 ", "1,5", "0x", "0xg", "1e4933", "1e-5000",
            "--1", "1.2.3", "e5",
        ] {
            assert_eq!(sum(text, "0"), None, "{text:?}");
        }
        assert_eq!(sum(&"1".repeat(5120), "0"), None);
    }
}
