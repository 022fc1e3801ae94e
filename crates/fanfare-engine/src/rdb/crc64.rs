//! Redis's checksum: CRC-64 with the polynomial of Jones, reflected, begun with 0 and not inverted.

/// The polynomial, its bits reversed.
const POLYNOMIAL: u64 = 0x95AC_9329_AC4B_C9B5;

/// `TABLES[n][byte]` is the checksum of `byte` followed by `n` zeros: eight bytes are taken in one step.
static TABLES: [[u64; 256]; 8] = tables();

/// The checksum of what `crc` is the checksum of, followed by `bytes`. Begin with 0.
///
/// ```
/// assert_eq!(fanfare_engine::rdb::crc64(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
/// ```
#[must_use]
pub fn crc64(crc: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let crc = words.iter().fold(crc, |crc, word| {
        // The last byte has no zeros behind it, the first one seven.
        let mixed = (crc ^ u64::from_le_bytes(*word)).to_le_bytes();
        mixed.iter().zip(TABLES.iter().rev()).fold(0, |sum, (byte, table)| sum ^ look(table, *byte))
    });
    rest.iter().fold(crc, |crc, byte| step(crc, *byte))
}

fn step(crc: u64, byte: u8) -> u64 {
    let [low, ..] = crc.to_le_bytes();
    let [table, ..] = &TABLES;
    look(table, low ^ byte) ^ (crc >> 8)
}

/// The compiler sees that a byte is always within the table.
fn look(table: &[u64; 256], byte: u8) -> u64 {
    table.get(usize::from(byte)).copied().unwrap_or_default()
}

#[expect(clippy::indexing_slicing, reason = "evaluated while compiling, where a panic is an error")]
const fn tables() -> [[u64; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ if crc & 1 == 0 { 0 } else { POLYNOMIAL };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut n = 1;
    while n < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[n - 1][byte];
            tables[n][byte] = tables[0][(before & 0xFF) as usize] ^ (before >> 8);
            byte += 1;
        }
        n += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::{crc64, step};

    #[test]
    fn eight_at_a_time_is_one_at_a_time() {
        let bytes: Vec<u8> = (0..100_u8).map(|it| it.wrapping_mul(37)).collect();
        for len in 0..bytes.len() {
            let slowly = bytes[..len].iter().fold(7, |crc, byte| step(crc, *byte));
            assert_eq!(crc64(7, &bytes[..len]), slowly);
            let (head, tail) = bytes[..len].split_at(len / 3);
            assert_eq!(crc64(crc64(7, head), tail), slowly);
        }
    }

    #[test]
    fn the_check_value_is_redis_s() {
        assert_eq!(crc64(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }
}
