//! Bytes as readable text, in the notation that transcripts use.

use std::fmt::Write;

/// `bytes` between double quotes, with everything unprintable escaped as redis-cli does.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push('"');
    for &byte in bytes {
        match byte {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            other => {
                // Writing to a String does not fail.
                let _ = write!(text, "\\x{other:02x}");
            }
        }
    }
    text.push('"');
    text
}

/// Splits a line into words as redis-cli does, with `"..."*N` to repeat a quoted word N times.
///
/// # Errors
/// Says what is wrong with the line.
pub(crate) fn words(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut rest = line.trim();
    let mut words = Vec::new();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(body) => quoted(body)?,
            None => bare(rest),
        };
        words.push(word);
        rest = after.trim_start();
    }
    Ok(words)
}

fn bare(text: &str) -> (Vec<u8>, &str) {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word.as_bytes().to_vec(), rest)
}

/// Reads a quoted word whose opening quote is already consumed.
fn quoted(body: &str) -> Result<(Vec<u8>, &str), String> {
    let mut word = Vec::new();
    let mut chars = body.char_indices();
    while let Some((_, current)) = chars.next() {
        match current {
            '"' => return repeat(word, chars.as_str()),
            '\\' => {
                let (_, code) = chars.next().ok_or("a backslash ends the line")?;
                if code == 'x' {
                    let digits: String = chars.by_ref().take(2).map(|(_, it)| it).collect();
                    let byte = u8::from_str_radix(&digits, 16);
                    word.push(byte.map_err(|_| format!("\\x{digits} is not a byte"))?);
                } else {
                    word.push(escaped(code)?);
                }
            }
            other => word.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Err("a quote is not closed".to_owned())
}

fn escaped(code: char) -> Result<u8, String> {
    match code {
        'r' => Ok(b'\r'),
        'n' => Ok(b'\n'),
        't' => Ok(b'\t'),
        'a' => Ok(0x07),
        'b' => Ok(0x08),
        '"' => Ok(b'"'),
        '\\' => Ok(b'\\'),
        other => Err(format!("\\{other} is not an escape")),
    }
}

/// Applies a `*N` that follows a closing quote.
fn repeat(word: Vec<u8>, rest: &str) -> Result<(Vec<u8>, &str), String> {
    let Some(count) = rest.strip_prefix('*') else {
        return Ok((word, rest));
    };
    let end = count.find(|it: char| !it.is_ascii_digit()).unwrap_or(count.len());
    let (digits, rest) = count.split_at(end);
    let times: usize = digits.parse().map_err(|_| format!("`*{digits}` is not a repetition"))?;
    Ok((word.repeat(times), rest))
}

#[cfg(test)]
mod tests {
    use super::{escape, words};

    #[test]
    fn words_are_split_and_unescaped() {
        let words = words(r#"SET "a b" "\x00\r\"" "xy"*3 plain"#).unwrap();
        assert_eq!(words, [b"SET".as_slice(), b"a b", b"\0\r\"", b"xyxyxy", b"plain"]);
    }

    #[test]
    fn broken_quoting_is_refused() {
        for line in [r#""open"#, r#""\xzz""#, r#""\q""#, r#""a"*"#] {
            assert!(words(line).is_err(), "{line}");
        }
    }

    #[test]
    fn escape_can_be_read_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(words(&escape(&all)).unwrap(), [all]);
    }
}
