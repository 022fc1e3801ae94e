//! Finds the ends of RESP2 and RESP3 frames, so that replies can be counted.

/// Length of the first whole frame of `bytes`; `None` if it is not complete or not RESP.
///
/// An attribute and the value that it annotates count as one frame.
#[must_use]
pub fn frame_len(bytes: &[u8]) -> Option<usize> {
    let mut end = 0;
    let mut wanted: usize = 1;
    while 0 < wanted {
        wanted -= 1;
        let (token_len, n_children) = token(bytes.get(end..)?)?;
        end += token_len;
        wanted = wanted.checked_add(n_children)?;
    }
    Some(end)
}

/// The whole frames at the start of `bytes`, and what remains.
#[must_use]
pub fn split_frames(bytes: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut frames = Vec::new();
    let mut rest = bytes;
    while let Some((frame, after)) = frame_len(rest).and_then(|len| rest.split_at_checked(len)) {
        frames.push(frame);
        rest = after;
    }
    (frames, rest)
}

/// The headers and values of which `frame` consists, in order, without their nesting.
pub(crate) fn tokens(frame: &[u8]) -> Vec<&[u8]> {
    let mut tokens = Vec::new();
    let mut rest = frame;
    while let Some((found, after)) = token(rest).and_then(|(len, _)| rest.split_at_checked(len)) {
        tokens.push(found);
        rest = after;
    }
    tokens
}

/// The values inside a frame that is an array, set or push; for a map, its pairs.
pub(crate) fn children(frame: &[u8]) -> Option<(&[u8], Vec<&[u8]>)> {
    let (header_len, n_children) = token(frame)?;
    let (header, mut rest) = frame.split_at_checked(header_len)?;
    let per_child = if header.starts_with(b"%") { 2 } else { 1 };
    let mut found = Vec::new();
    for _ in 0..n_children / per_child {
        let mut child_len = 0;
        for _ in 0..per_child {
            child_len += frame_len(rest.get(child_len..)?)?;
        }
        let (child, after) = rest.split_at_checked(child_len)?;
        found.push(child);
        rest = after;
    }
    Some((header, found))
}

/// Length of the token at the start of `bytes`, and how many values must follow it.
fn token(bytes: &[u8]) -> Option<(usize, usize)> {
    let line_end = bytes.windows(2).position(|it| it == b"\r\n")?;
    let line = bytes.get(1..line_end)?;
    let header_len = line_end + 2;
    match bytes.first()? {
        b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => Some((header_len, 0)),
        b'$' | b'!' | b'=' => match count(line)? {
            None => Some((header_len, 0)),
            Some(len) => {
                let end = header_len.checked_add(len)?.checked_add(2)?;
                (end <= bytes.len()).then_some((end, 0))
            }
        },
        b'*' | b'~' | b'>' => Some((header_len, count(line)?.unwrap_or(0))),
        b'%' => Some((header_len, count(line)?.unwrap_or(0).checked_mul(2)?)),
        b'|' => Some((header_len, count(line)?.unwrap_or(0).checked_mul(2)?.checked_add(1)?)),
        _ => None,
    }
}

/// A length; the inner `None` is the null form `-1`.
fn count(line: &[u8]) -> Option<Option<usize>> {
    let text = std::str::from_utf8(line).ok()?;
    if text == "-1" { Some(None) } else { Some(Some(text.parse().ok()?)) }
}

#[cfg(test)]
mod tests {
    use super::{children, frame_len, split_frames, tokens};

    #[test]
    fn every_type_ends_where_it_should() {
        let frames: [&[u8]; 17] = [
            b"+OK\r\n",
            b"-ERR no\r\n",
            b":-1\r\n",
            b"$-1\r\n",
            b"$0\r\n\r\n",
            b"$4\r\n\r\n\r\n\r\n",
            b"*-1\r\n",
            b"*0\r\n",
            b"*2\r\n*1\r\n:1\r\n$1\r\na\r\n",
            b"_\r\n",
            b"#t\r\n",
            b",1.5\r\n",
            b"(123\r\n",
            b"=7\r\ntxt:abc\r\n",
            b"%1\r\n+a\r\n~1\r\n:1\r\n",
            b">2\r\n+a\r\n:1\r\n",
            b"|1\r\n+k\r\n:1\r\n*1\r\n:2\r\n",
        ];
        for frame in frames {
            assert_eq!(frame_len(frame), Some(frame.len()), "{}", crate::escape(frame));
            for cut in 0..frame.len() {
                assert_eq!(frame_len(&frame[..cut]), None, "{} at {cut}", crate::escape(frame));
            }
        }
        let all = frames.concat();
        assert_eq!(split_frames(&all), (frames.to_vec(), b"".as_slice()));
    }

    #[test]
    fn frames_come_apart() {
        let frame = b"%1\r\n+a\r\n*1\r\n:1\r\n";
        assert_eq!(tokens(frame), [b"%1\r\n".as_slice(), b"+a\r\n", b"*1\r\n", b":1\r\n"]);
        let (header, pairs) = children(frame).unwrap();
        assert_eq!(header, b"%1\r\n");
        assert_eq!(pairs, [b"+a\r\n*1\r\n:1\r\n"]);
    }
}
