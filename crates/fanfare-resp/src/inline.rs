//! `PING "a b"` typed by hand: splits a line into arguments as Redis's `sdssplitargs` does.

use crate::request::Span;

/// Splits a line typed by hand, or one of a `redis.conf`, into arguments as redis-server does.
///
/// Blanks separate arguments. Double quotes take the escapes `\n`, `\r`, `\t`, `\b`, `\a`, `\xff`,
/// and a backslash before any other byte stands for that byte; single quotes take only `\'`. A
/// closing quote must end its argument. A NUL byte hides the rest of the line.
///
/// `None` if a quote is not closed, or not followed by a blank.
///
/// ```
/// let args = fanfare_resp::split_args(br#"SET greeting "hello\x21 \"you\"" ''"#);
/// let expected = [&b"SET"[..], b"greeting", b"hello! \"you\"", b""];
/// assert_eq!(args.unwrap(), expected);
///
/// assert_eq!(fanfare_resp::split_args(b"  "), Some(vec![]));
/// assert_eq!(fanfare_resp::split_args(b"SET 'a b"), None);
/// assert_eq!(fanfare_resp::split_args(b"SET 'a'b"), None);
/// ```
pub fn split_args(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let (mut out, mut spans) = (Vec::with_capacity(line.len()), Vec::new());
    split(line, &mut out, &mut spans)?;
    let arg = |span: &Span| out.get(span.start..span.end).unwrap_or_default().to_vec();
    Some(spans.iter().map(arg).collect())
}

/// Splits `line`, which holds no NUL byte, into arguments: their bytes go to `out`, their places
/// in `out` to `spans`. `None` if a quote is not closed or not followed by a space.
pub(crate) fn split(line: &[u8], out: &mut Vec<u8>, spans: &mut Vec<Span>) -> Option<()> {
    let mut rest = line;
    loop {
        rest = skip_blanks(rest);
        if rest.is_empty() {
            return Some(());
        }
        let start = out.len();
        rest = argument(rest, out)?;
        spans.push(Span { start, end: out.len() });
    }
}

/// Vertical tab and form feed are blanks between arguments, but do not end one: so in Redis.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

fn skip_blanks(rest: &[u8]) -> &[u8] {
    let n_blanks = rest.iter().take_while(|byte| is_blank(**byte)).count();
    rest.get(n_blanks..).unwrap_or_default()
}

/// Copies one argument and returns what follows it. A quote may start within an argument.
fn argument<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] => return Some(rest),
            [b' ' | b'\n' | b'\r' | b'\t', tail @ ..] => return Some(tail),
            [b'"', tail @ ..] => return double_quoted(tail, out),
            [b'\'', tail @ ..] => return single_quoted(tail, out),
            [byte, tail @ ..] => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
}

fn double_quoted<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [] => return None,
            [b'"', tail @ ..] => return after_quote(tail),
            [b'\\', b'x', high, low, tail @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                out.push(hex(*high) << 4 | hex(*low));
                tail
            }
            [b'\\', escaped, tail @ ..] => {
                out.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                tail
            }
            [byte, tail @ ..] => {
                out.push(*byte);
                tail
            }
        }
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [] => return None,
            [b'\'', tail @ ..] => return after_quote(tail),
            [b'\\', b'\'', tail @ ..] => {
                out.push(b'\'');
                tail
            }
            [byte, tail @ ..] => {
                out.push(*byte);
                tail
            }
        }
    }
}

/// A closing quote ends the argument: only a blank or nothing may follow.
fn after_quote(rest: &[u8]) -> Option<&[u8]> {
    match rest.first() {
        None => Some(rest),
        Some(byte) if is_blank(*byte) => Some(rest),
        Some(_) => None,
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}
