//! Decimal numbers as Redis reads and writes them.

use std::io::Write as _;

/// Redis's `string2ll`: no plus sign, no leading zero, no `-0`, nothing but digits.
pub(crate) fn strict_int(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'0'] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.first() == Some(&b'0') {
        return None;
    }
    magnitude(digits).and_then(|value| signed(is_negative, value))
}

/// An integer as a server may send it: an optional sign and digits.
pub(crate) fn lenient_int(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', digits @ ..] => magnitude(digits).and_then(|value| signed(true, value)),
        [b'+', digits @ ..] | digits => magnitude(digits).and_then(|value| signed(false, value)),
    }
}

/// Only digits, at least one.
fn magnitude(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if 9 < digit {
            return None;
        }
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

fn signed(is_negative: bool, magnitude: u64) -> Option<i64> {
    if is_negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// A double as a server may send it. Narrower than Rust's parser, which takes `Infinity` and `NaN`.
pub(crate) fn double(text: &[u8]) -> Option<f64> {
    match text {
        b"inf" | b"+inf" => return Some(f64::INFINITY),
        b"-inf" => return Some(f64::NEG_INFINITY),
        // C libraries write the sign of a NaN; it means nothing.
        b"nan" | b"-nan" => return Some(f64::NAN),
        _ => (),
    }
    if !text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// An optional sign and digits.
pub(crate) fn is_big_number(text: &[u8]) -> bool {
    let digits = match text {
        [b'-' | b'+', digits @ ..] | digits => digits,
    };
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// The longest text of a double: `-1.2345678901234567e-308`, with room to spare.
const DOUBLE_LEN_MAX: usize = 40;

/// Below this, `%.17g` writes an integer digit by digit.
const PLAIN_INT_MAX: f64 = 1e17;

/// A double as C's `%.17g` writes it, which is how redis-server 7.0 does; it reads back exactly.
///
/// # Example
/// ```
/// use fanfare_resp::DoubleText;
///
/// assert_eq!(DoubleText::new(0.1).as_bytes(), b"0.10000000000000001");
/// assert_eq!(DoubleText::new(-3.0).as_bytes(), b"-3");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DoubleText {
    buf: [u8; DOUBLE_LEN_MAX],
    len: usize,
}

impl DoubleText {
    /// Writes `value`.
    #[must_use]
    pub fn new(value: f64) -> Self {
        let mut text = Self { buf: [0; DOUBLE_LEN_MAX], len: 0 };
        if let Some(int) = plain_int(value) {
            text.push(itoa::Buffer::new().format(int).as_bytes());
        } else if value.is_nan() {
            text.push(b"nan");
        } else if value.is_infinite() {
            text.push(if value < 0.0 { b"-inf" } else { b"inf" });
        } else {
            text.push_finite(value);
        }
        text
    }

    /// The text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.buf.get(..self.len).unwrap_or_default()
    }

    fn push_finite(&mut self, value: f64) {
        let mut scientific = [0_u8; DOUBLE_LEN_MAX];
        let mut unused = &mut scientific[..];
        // Cannot fail: 17 digits, signs, point and exponent are 24 bytes at most.
        let _ = write!(unused, "{:.16e}", value.abs());
        let len = DOUBLE_LEN_MAX - unused.len();
        let text = scientific.get(..len).unwrap_or_default();

        let e_at = memchr::memchr(b'e', text).unwrap_or(len);
        let (mantissa, exponent) = text.split_at(e_at);
        let exponent = exponent.get(1..).and_then(lenient_int).unwrap_or(0);
        let mut digits = [b'0'; 17];
        for (to, from) in digits.iter_mut().zip(mantissa.iter().filter(|byte| **byte != b'.')) {
            *to = *from;
        }
        let n_significant = digits.iter().rposition(|byte| *byte != b'0').map_or(1, |at| at + 1);

        if value.is_sign_negative() {
            self.push(b"-");
        }
        let digits = digits.get(..n_significant).unwrap_or_default();
        match usize::try_from(exponent) {
            Ok(exponent) if exponent < 17 => self.push_large(digits, exponent),
            Err(_) if -5 < exponent => {
                self.push(b"0.");
                for _ in 1..exponent.unsigned_abs() {
                    self.push(b"0");
                }
                self.push(digits);
            }
            Ok(_) | Err(_) => self.push_scientific(digits, exponent),
        }
    }

    /// `digits` with the point after `exponent + 1` of them.
    fn push_large(&mut self, digits: &[u8], exponent: usize) {
        let n_integral = exponent + 1;
        match digits.split_at_checked(n_integral) {
            Some((integral, [])) => self.push(integral),
            Some((integral, fraction)) => {
                self.push(integral);
                self.push(b".");
                self.push(fraction);
            }
            None => {
                self.push(digits);
                for _ in digits.len()..n_integral {
                    self.push(b"0");
                }
            }
        }
    }

    fn push_scientific(&mut self, digits: &[u8], exponent: i64) {
        let (first, fraction) = digits.split_at_checked(1).unwrap_or((digits, b""));
        self.push(first);
        if !fraction.is_empty() {
            self.push(b".");
            self.push(fraction);
        }
        self.push(if exponent < 0 { b"e-" } else { b"e+" });
        if exponent.unsigned_abs() < 10 {
            self.push(b"0");
        }
        self.push(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if let Some(to) = self.buf.get_mut(self.len..end) {
            to.copy_from_slice(bytes);
            self.len = end;
        }
    }
}

/// The integer that `value` is, if it is written as one: a quick way for most of them. -0 is none.
#[expect(clippy::cast_possible_truncation, reason = "what does not fit was sorted out")]
fn plain_int(value: f64) -> Option<i64> {
    if PLAIN_INT_MAX <= value.abs() {
        return None;
    }
    let int = value as i64;
    let is_same = (int as f64).to_bits() == value.to_bits();
    is_same.then_some(int)
}
