//! Requests as redis-server 7.0.15 reads them; `redis_server.rs` asks it the same.

use fanfare_resp::{Limits, Progress, RequestDecoder};

use crate::support::{every_byte, requests_cut};

/// A connection as a server sees it: what it sent, the answers, whether the server hangs up.
///
/// The answers are those of `PING` and `ECHO`, and protocol errors.
pub(crate) struct Case {
    pub(crate) sent: &'static [u8],
    pub(crate) answer: &'static [u8],
    pub(crate) is_closed: bool,
}

const fn kept(sent: &'static [u8], answer: &'static [u8]) -> Case {
    Case { sent, answer, is_closed: false }
}

const fn closed(sent: &'static [u8], answer: &'static [u8]) -> Case {
    Case { sent, answer, is_closed: true }
}

const BAD_COUNT: &[u8] = b"-ERR Protocol error: invalid multibulk length\r\n";
const BAD_LENGTH: &[u8] = b"-ERR Protocol error: invalid bulk length\r\n";
const UNBALANCED: &[u8] = b"-ERR Protocol error: unbalanced quotes in request\r\n";
const UNAUTHENTICATED_COUNT: &[u8] = b"-ERR Protocol error: unauthenticated multibulk length\r\n";
const UNAUTHENTICATED_LENGTH: &[u8] = b"-ERR Protocol error: unauthenticated bulk length\r\n";

/// `START` followed by ones, `LEN` bytes in all: a line without an end.
const fn endless<const LEN: usize>(start: &[u8]) -> [u8; LEN] {
    let mut line = [b'1'; LEN];
    let mut idx = 0;
    while idx < start.len() {
        #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
        {
            line[idx] = start[idx];
        }
        idx += 1;
    }
    line
}

pub(crate) const MULTIBULK: &[Case] = &[
    kept(b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
    kept(b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", b"$0\r\n\r\n"),
    kept(b"*2\r\n$4\r\nECHO\r\n$11\r\n0123\r\n$6\x0089\r\n", b"$11\r\n0123\r\n$6\x0089\r\n"),
    kept(b"*0\r\n*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
    kept(b"*-1\r\n*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
    kept(b"*-9223372036854775808\r\nPING\r\n", b"+PONG\r\n"),
    // A line ends at CR, and an argument after its length: the bytes after them do not matter.
    kept(b"*1\rx$4\rxPINGxx", b"+PONG\r\n"),
    kept(b"*1\r\n$4\r\nPING\r\n+PIN", b"+PONG\r\n"),
    closed(b"*abc\r\n", BAD_COUNT),
    closed(b"*\r\n", BAD_COUNT),
    closed(b"*-\r\n", BAD_COUNT),
    closed(b"*+1\r\n", BAD_COUNT),
    closed(b"*01\r\n", BAD_COUNT),
    closed(b"*-0\r\n", BAD_COUNT),
    closed(b"* 1\r\n", BAD_COUNT),
    closed(b"*1 \r\n", BAD_COUNT),
    closed(b"*2147483648\r\n", BAD_COUNT),
    closed(b"*9999999999\r\n", BAD_COUNT),
    closed(b"*-9223372036854775809\r\n", BAD_COUNT),
    kept(b"*1048576\r\n", b""),
    closed(b"*1\r\n$-1\r\n", BAD_LENGTH),
    closed(b"*1\r\n$\r\n", BAD_LENGTH),
    closed(b"*1\r\n$abc\r\n", BAD_LENGTH),
    closed(b"*1\r\n$05\r\n", BAD_LENGTH),
    closed(b"*1\r\n$+5\r\n", BAD_LENGTH),
    kept(b"*1\r\n$536870912\r\n", b""),
    closed(b"*1\r\n$536870913\r\n", BAD_LENGTH),
    closed(b"*1\r\n$18446744073709551615\r\n", BAD_LENGTH),
    closed(b"*1\r\nX\r\n", b"-ERR Protocol error: expected '$', got 'X'\r\n"),
    closed(b"*1\r\n\r\n\r\n", b"-ERR Protocol error: expected '$', got ' '\r\n"),
    closed(b"*1\r\n\n\r\n", b"-ERR Protocol error: expected '$', got ' '\r\n"),
    closed(b"*1\r\n\xff\r\n", b"-ERR Protocol error: expected '$', got '\xff'\r\n"),
    closed(b"*2\r\n$4\r\nPING\r\n:1\r\n", b"-ERR Protocol error: expected '$', got ':'\r\n"),
    closed(b"PING\r\n*1\r\n*1\r\n", b"+PONG\r\n-ERR Protocol error: expected '$', got '*'\r\n"),
    // No CR yet: nothing is wrong so far.
    kept(b"*1\r\nX", b""),
    kept(b"*1\n$4\nPING\n", b""),
    // A NUL hides the CR behind it.
    kept(b"*1\x00\r\n$4\r\nPING\r\n", b""),
    kept(b"*1\r\n$4\x00\r\nPING\r\n", b""),
    kept(&endless::<65536>(b"*"), b""),
    closed(&endless::<65537>(b"*"), b"-ERR Protocol error: too big mbulk count string\r\n"),
    kept(&endless::<65540>(b"*1\r\n$"), b""),
    closed(&endless::<65541>(b"*1\r\n$"), b"-ERR Protocol error: too big bulk count string\r\n"),
];

pub(crate) const INLINE: &[Case] = &[
    kept(b"PING\r\n", b"+PONG\r\n"),
    kept(b"PING\n", b"+PONG\r\n"),
    kept(b"PING hello\r\n", b"$5\r\nhello\r\n"),
    kept(b" \tPING\t hello \r\n", b"$5\r\nhello\r\n"),
    kept(b"\r\n\n  \r\nPING\r\n", b"+PONG\r\n"),
    kept(b"PING \"a b\"\r\n", b"$3\r\na b\r\n"),
    kept(b"PING ''\r\n", b"$0\r\n\r\n"),
    kept(b"\"PING\" \"\"\r\n", b"$0\r\n\r\n"),
    kept(
        br#"PING "\x41\x4e\n\r\t\b\a\q\"\\\xZZ\x4"
"#,
        b"$15\r\nAN\n\r\t\x08\x07q\"\\xZZx4\r\n",
    ),
    kept(b"PING \"\\x00\\xff\"\r\n", b"$2\r\n\x00\xff\r\n"),
    kept(b"PING 'a\\'b\\n\"'\r\n", b"$6\r\na'b\\n\"\r\n"),
    kept(b"PING a\"b c\"\r\n", b"$4\r\nab c\r\n"),
    kept(b"PING a'b c'\r\n", b"$4\r\nab c\r\n"),
    kept(b"PING \xff\\x41\r\n", b"$5\r\n\xff\\x41\r\n"),
    // Vertical tab and form feed separate arguments only beside another blank or a quote.
    kept(b"\x0bPING \x0c\x0ba\x0bb\r\n", b"$3\r\na\x0bb\r\n"),
    kept(b"PING \"a\"\x0b\r\n", b"$1\r\na\r\n"),
    kept(b"PING a\r\r\n", b"$1\r\na\r\n"),
    closed(b"PING \"a\r\n", UNBALANCED),
    closed(b"PING 'a\r\n", UNBALANCED),
    closed(b"PING \"a\"b\r\n", UNBALANCED),
    closed(b"PING 'a'b\r\n", UNBALANCED),
    closed(b"PING \"\\\"\r\n", UNBALANCED),
    closed(b"PING \"\\\r\n", UNBALANCED),
    closed(b"PING '\\'\r\n", UNBALANCED),
    closed(b"PI\"N\"G\r\n", UNBALANCED),
    kept(b"PING a\x00b\r\nPING\r\n", b""),
    kept(b"PING", b""),
    kept(&endless::<65536>(b"PING "), b""),
    closed(&endless::<65537>(b"PING "), b"-ERR Protocol error: too big inline request\r\n"),
];

pub(crate) const UNAUTHENTICATED: &[Case] = &[
    kept(b"*10\r\n", b""),
    closed(b"*11\r\n", UNAUTHENTICATED_COUNT),
    closed(b"*2147483648\r\n", BAD_COUNT),
    kept(b"*1\r\n$16384\r\n", b""),
    closed(b"*1\r\n$16385\r\n", UNAUTHENTICATED_LENGTH),
    closed(b"*1\r\n$536870913\r\n", BAD_LENGTH),
];

fn check(cases: &[Case], is_authenticated: bool) {
    for case in cases {
        let mut n_cuts = vec![vec![], every_byte(case.sent)];
        if 1000 < case.sent.len() {
            n_cuts = vec![vec![], vec![1, 5, 65_535]];
        }
        for cuts in n_cuts {
            let mut decoder = RequestDecoder::new(Limits::default());
            decoder.set_authenticated(is_authenticated);
            let (requests, error) = requests_cut(&mut decoder, case.sent, &cuts);
            let mut answer = Vec::new();
            for args in &requests {
                respond(&mut answer, args);
            }
            if let Some(error) = error {
                error.write_reply(&mut answer);
                let display = error.to_string();
                if display.is_ascii() {
                    let tail = format!("-ERR Protocol error: {display}\r\n");
                    assert!(answer.ends_with(tail.as_bytes()), "{display}");
                }
            }
            let sent = case.sent.escape_ascii().to_string();
            let sent = sent.get(..sent.len().min(80)).unwrap_or_default();
            let answer = answer.escape_ascii().to_string();
            assert_eq!(answer, case.answer.escape_ascii().to_string(), "{sent}");
            assert_eq!(error.is_some(), case.is_closed, "{sent}");
        }
    }
}

fn respond(answer: &mut Vec<u8>, args: &[Vec<u8>]) {
    let mut writer = fanfare_resp::Writer::new(answer, fanfare_resp::Version::Resp2);
    match args {
        [] => (),
        [name] if name == b"PING" => writer.simple(b"PONG"),
        [name, text] if name == b"PING" || name == b"ECHO" => writer.bulk(text),
        other => writer.error(format!("ERR test knows no {other:?}").as_bytes()),
    }
}

#[test]
fn multibulk_as_redis() {
    check(MULTIBULK, true);
}

#[test]
fn inline_as_redis() {
    check(INLINE, true);
    check(INLINE, false);
}

#[test]
fn unauthenticated_as_redis() {
    check(UNAUTHENTICATED, false);
}

#[test]
fn an_inline_line_longer_than_the_limit_passes_if_its_end_is_there() {
    let mut line = vec![b'a'; 100_000];
    line.extend_from_slice(b" b\r\n*1\r\n$1\r\nx\r\n");
    let mut decoder = RequestDecoder::new(Limits::default());
    let (requests, error) = requests_cut(&mut decoder, &line, &[]);
    let lens: Vec<Vec<usize>> =
        requests.iter().map(|args| args.iter().map(Vec::len).collect()).collect();
    assert_eq!((lens, error), (vec![vec![100_000, 1], vec![1]], None));
}

#[test]
fn the_decoder_says_how_much_is_missing() {
    let mut decoder = RequestDecoder::new(Limits::default());
    let incomplete = |wanted| Ok(Progress::Incomplete { wanted });
    assert_eq!(decoder.decode(b""), incomplete(0));
    assert_eq!(decoder.decode(b"*"), incomplete(0));
    assert_eq!(decoder.decode(b"*2\r\n$1"), incomplete(0));
    assert_eq!(decoder.decode(b"*2\r\n$100\r\n"), incomplete(102));
    assert_eq!(decoder.decode(b"*2\r\n$100\r\nabc"), incomplete(99));
}

#[test]
fn many_arguments_and_then_few() {
    let mut decoder = RequestDecoder::new(Limits::default());
    let mut wire = format!("*5000\r\n{}", "$1\r\nx\r\n".repeat(5000)).into_bytes();
    wire.extend_from_slice(b"PING\r\n*1\r\n$4\r\nPING\r\n");
    let (requests, error) = requests_cut(&mut decoder, &wire, &[3, 4000, 20_001]);
    assert_eq!(error, None);
    assert_eq!(requests.iter().map(Vec::len).collect::<Vec<_>>(), [5000, 1, 1]);
}
