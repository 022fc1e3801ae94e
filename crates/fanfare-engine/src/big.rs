//! Unsigned integers of any size; just enough arithmetic for [`long_double`](crate::long_double).

use std::cmp::Ordering;

/// Limbs from the lowest to the highest; the highest is not 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Big {
    limbs: Vec<u32>,
}

const LIMB_BITS: usize = 32;

impl Big {
    /// The number that `digits` spell in base `base`, the highest first.
    pub(crate) fn from_digits(digits: impl Iterator<Item = u32>, base: u32) -> Self {
        let mut big = Self { limbs: Vec::new() };
        let (mut chunk, mut scale) = (0, 1);
        for digit in digits {
            if u32::MAX / base < scale {
                big.mul_add(scale, chunk);
                (chunk, scale) = (0, 1);
            }
            chunk = chunk * base + digit;
            scale *= base;
        }
        big.mul_add(scale, chunk);
        big
    }

    /// Multiplies by 10 to the power of `n`.
    pub(crate) fn scale_by_ten(&mut self, n: usize) {
        for _ in 0..n / 9 {
            self.mul_add(1_000_000_000, 0);
        }
        for _ in 0..n % 9 {
            self.mul_add(10, 0);
        }
    }

    /// `self * factor + addend`
    fn mul_add(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for limb in &mut self.limbs {
            carry += u64::from(*limb) * u64::from(factor);
            *limb = low(carry);
            carry >>= LIMB_BITS;
        }
        self.limbs.push(low(carry));
        self.trim();
    }

    /// Divides by `divisor`; returns the remainder.
    fn div_rem(&mut self, divisor: u32) -> u32 {
        let divisor = u64::from(divisor);
        let mut remainder = 0;
        for limb in self.limbs.iter_mut().rev() {
            let dividend = (remainder << LIMB_BITS) | u64::from(*limb);
            *limb = low(dividend / divisor);
            remainder = dividend % divisor;
        }
        self.trim();
        low(remainder)
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.limbs.is_empty()
    }

    /// Number of bits up to the highest that is set.
    pub(crate) fn n_bits(&self) -> usize {
        let highest = self.limbs.last().map_or(0, |it| it.leading_zeros() as usize);
        self.limbs.len() * LIMB_BITS - highest
    }

    pub(crate) fn shl(&self, n_bits: usize) -> Self {
        let (n_limbs, n_bits) = (n_bits / LIMB_BITS, n_bits % LIMB_BITS);
        let mut limbs = vec![0; n_limbs];
        let mut carry = 0;
        for &limb in &self.limbs {
            let wide = u64::from(limb) << n_bits;
            limbs.push(low(wide) | carry);
            carry = low(wide >> LIMB_BITS);
        }
        limbs.push(carry);
        let mut shifted = Self { limbs };
        shifted.trim();
        shifted
    }

    /// The 128 bits from bit `from` on.
    pub(crate) fn bits(&self, from: usize) -> u128 {
        let (n_limbs, n_bits) = (from / LIMB_BITS, from % LIMB_BITS);
        let wanted = self.limbs.iter().skip(n_limbs).take(5).enumerate();
        wanted.fold(0, |bits, (i, &limb)| {
            let limb = u128::from(limb);
            let at = i * LIMB_BITS;
            bits | if at < n_bits { limb >> n_bits } else { limb.unbounded_shl(shift(at - n_bits)) }
        })
    }

    /// Whether a bit below `end` is set.
    pub(crate) fn any_below(&self, end: usize) -> bool {
        let n_zeros = self.limbs.iter().take_while(|&&it| it == 0).count() * LIMB_BITS;
        let lowest = self.limbs.iter().find(|&&it| it != 0);
        lowest.is_some_and(|it| n_zeros + (it.trailing_zeros() as usize) < end)
    }

    pub(crate) fn plus(&self, other: &Self) -> Self {
        let n_limbs = self.limbs.len().max(other.limbs.len());
        let mut limbs = Vec::with_capacity(n_limbs + 1);
        let mut carry = 0;
        for (a, b) in self.padded(n_limbs).zip(other.padded(n_limbs)) {
            carry += u64::from(a) + u64::from(b);
            limbs.push(low(carry));
            carry >>= LIMB_BITS;
        }
        limbs.push(low(carry));
        let mut sum = Self { limbs };
        sum.trim();
        sum
    }

    /// `self - other`, which must not be more than `self`.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        let n_limbs = self.limbs.len();
        let mut borrow = false;
        let difference = self.padded(n_limbs).zip(other.padded(n_limbs)).map(|(a, b)| {
            let (partial, first) = a.overflowing_sub(b);
            let (limb, second) = partial.overflowing_sub(u32::from(borrow));
            borrow = first || second;
            limb
        });
        let mut difference = Self { limbs: difference.collect() };
        difference.trim();
        difference
    }

    /// The quotient of two numbers, if it is below 2^`n_bits` (127 at most), and whether something remains.
    pub(crate) fn divided_by(&self, divisor: &Self, n_bits: usize) -> (u128, bool) {
        let divisor = divisor.shl(n_bits);
        let (mut quotient, mut rest) = (0, self.clone());
        for _ in 0..=n_bits {
            quotient <<= 1;
            if divisor <= rest {
                rest = rest.minus(&divisor);
                quotient |= 1;
            }
            rest = rest.shl(1);
        }
        (quotient, !rest.is_zero())
    }

    /// The decimal form.
    pub(crate) fn to_text(&self) -> String {
        let mut rest = self.clone();
        let mut groups = Vec::new();
        while !rest.is_zero() {
            groups.push(rest.div_rem(1_000_000_000));
        }
        let Some(highest) = groups.pop() else { return "0".into() };
        let mut text = highest.to_string();
        for group in groups.iter().rev() {
            text.push_str(&format!("{group:09}"));
        }
        text
    }

    fn padded(&self, n_limbs: usize) -> impl Iterator<Item = u32> + '_ {
        self.limbs.iter().copied().chain(std::iter::repeat(0)).take(n_limbs)
    }

    fn trim(&mut self) {
        let n_zeros = self.limbs.iter().rev().take_while(|&&it| it == 0).count();
        self.limbs.truncate(self.limbs.len() - n_zeros);
    }
}

impl From<u128> for Big {
    fn from(number: u128) -> Self {
        let limbs = (0..4).map(|i| low_of_wide(number >> (i * LIMB_BITS))).collect();
        let mut big = Self { limbs };
        big.trim();
        big
    }
}

impl PartialOrd for Big {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Big {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_len = self.limbs.len().cmp(&other.limbs.len());
        by_len.then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lowest limb is wanted")]
fn low(wide: u64) -> u32 {
    wide as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the lowest limb is wanted")]
fn low_of_wide(wide: u128) -> u32 {
    wide as u32
}

fn shift(n_bits: usize) -> u32 {
    u32::try_from(n_bits).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::Big;

    fn big(text: &str) -> Big {
        Big::from_digits(text.chars().map(|it| it.to_digit(10).unwrap()), 10)
    }

    #[test]
    fn text_and_back() {
        for text in [
            "0",
            "1",
            "4294967295",
            "4294967296",
            "1000000000",
            "340282366920938463463374607431768211456",
        ] {
            assert_eq!(big(text).to_text(), text);
        }
    }

    #[test]
    fn arithmetic() {
        let (a, b) = (big("340282366920938463463374607431768211456"), big("18446744073709551617"));
        assert_eq!(a.plus(&b).to_text(), "340282366920938463481821351505477763073");
        assert_eq!(a.minus(&b).to_text(), "340282366920938463444927863358058659839");
        assert_eq!(a.n_bits(), 129);
        assert_eq!(a.shl(31).bits(159), 1);
        assert_eq!(a.shl(31).bits(158), 2);
        assert!(!a.any_below(128));
        assert!(a.any_below(129));
        assert_eq!(a.divided_by(&b, 64), (18_446_744_073_709_551_615, true));
        assert_eq!(big("1000").divided_by(&big("8"), 10), (125, false));
    }
}
