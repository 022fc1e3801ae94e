//! How long a client is ready to wait, as the blocking commands are told: seconds, with fractions; 0: for ever.

use crate::long_double::LongDouble;
use crate::{Now, WireError, wire_error};

/// Unix time in milliseconds at which the wait ends; `None`: never.
///
/// # Errors
/// If `raw` is no number or negative. So is, to Redis 7.0, what does not fit 63 bits of milliseconds.
pub(crate) fn deadline(now: Now, raw: &[u8]) -> Result<Option<u64>, WireError> {
    let seconds = LongDouble::parse(raw).ok_or(wire_error::TIMEOUT_NOT_A_FLOAT)?;
    let (is_negative, ms) = match seconds {
        LongDouble::Finite { negative, mantissa, exponent } => {
            (negative, milliseconds(mantissa, exponent, negative))
        }
        LongDouble::Infinite => (false, None),
    };
    match ms {
        // What rounds to nothing is not negative.
        Some(0) => Ok(None),
        Some(ms) if !is_negative => {
            Ok(now.unix_ms().checked_add(ms).filter(|it| i64::try_from(*it).is_ok()))
        }
        Some(_) | None => Err(wire_error::TIMEOUT_NEGATIVE),
    }
}

/// `1000 * mantissa * 2^exponent`, rounded up, or down for a time before now. `None`: more than 63 bits.
///
/// The product is rounded to 64 bits first, as the hardware does: 0.001 seconds are one millisecond.
fn milliseconds(mantissa: u64, exponent: i32, is_negative: bool) -> Option<u64> {
    let exact = u128::from(mantissa) * 1000;
    let n_bits = u128::BITS - exact.leading_zeros();
    let n_dropped = n_bits.saturating_sub(u64::BITS);
    let half = (1_u128 << n_dropped) >> 1;
    let kept = exact >> n_dropped;
    let rest = exact - (kept << n_dropped);
    let rounds_up = half < rest || (rest == half && half != 0 && kept & 1 == 1);
    let product = kept + u128::from(rounds_up);

    let exponent = exponent.checked_add_unsigned(n_dropped)?;
    let ms = match u32::try_from(exponent) {
        Ok(_) if product == 0 => 0,
        Ok(exponent) if exponent < u64::BITS => product.checked_shl(exponent)?,
        Ok(_) => return None,
        Err(_) => {
            let n_fraction = exponent.unsigned_abs();
            let whole = product.checked_shr(n_fraction).unwrap_or(0);
            let is_whole = whole.checked_shl(n_fraction).unwrap_or(0) == product;
            whole + u128::from(!is_whole && !is_negative)
        }
    };
    i64::try_from(ms).ok()?;
    u64::try_from(ms).ok()
}

#[cfg(test)]
mod tests {
    use super::deadline;
    use crate::{Now, wire_error};

    #[test]
    fn timeouts_are_rounded_up_to_milliseconds() {
        let now = Now { unix_us: 1_000_000 };
        let after = |ms: u64| Ok(Some(1000 + ms));
        for (raw, expected) in [
            ("0", Ok(None)),
            ("0.0", Ok(None)),
            ("-0", Ok(None)),
            ("-0.0005", Ok(None)),
            ("1", after(1000)),
            ("0.001", after(1)),
            ("0.1", after(100)),
            ("0.0001", after(1)),
            ("1e-300", after(1)),
            ("1.0005", after(1001)),
            ("0x10", after(16_000)),
            ("9223372036854775.806", Ok(None)),
            ("9223372036854", after(9_223_372_036_854_000)),
            ("9223372036854776", Err(wire_error::TIMEOUT_NEGATIVE)),
            ("1e300", Err(wire_error::TIMEOUT_NEGATIVE)),
            ("inf", Err(wire_error::TIMEOUT_NEGATIVE)),
            ("-inf", Err(wire_error::TIMEOUT_NEGATIVE)),
            ("-1", Err(wire_error::TIMEOUT_NEGATIVE)),
            ("x", Err(wire_error::TIMEOUT_NOT_A_FLOAT)),
            ("", Err(wire_error::TIMEOUT_NOT_A_FLOAT)),
        ] {
            assert_eq!(deadline(now, raw.as_bytes()), expected, "{raw:?}");
        }
    }
}
