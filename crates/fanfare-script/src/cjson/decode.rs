//! `cjson.decode`. How deep arrays and objects are nested costs heap, not stack.

use std::{cell::RefCell, rc::Rc};

use mlua::{Lua, LuaString, MultiValue, Result, Table, Value};

use super::options::Options;
use crate::api::Args;

/// In Redis an array takes so many slots of Lua's stack, and an object one more.
const SLOTS_PER_ARRAY: usize = 2;
const SLOTS_MAX: usize = 7_900;

pub(super) fn register(lua: &Lua, table: &Table, options: &Rc<RefCell<Options>>) -> Result<()> {
    let options = Rc::clone(options);
    let decode = move |lua: &Lua, values: MultiValue| {
        let args = Args::new(lua, &values);
        if args.len() != 1 {
            return Err(args.argument(1, "expected 1 argument"));
        }
        let text = args.string(1)?;
        let text = text.as_bytes();
        if 2 <= text.len() && text.iter().take(2).any(|it| *it == 0) {
            return Err(args.error("JSON parser does not support UTF-16 or UTF-32"));
        }
        let options = options.borrow();
        let mut decoder = Decoder { args: &args, options: &options, text: &text, at: 0 };
        decoder.document()
    };
    table.raw_set("decode", lua.create_function(decode)?)
}

struct Decoder<'a> {
    args: &'a Args<'a>,
    options: &'a Options,
    text: &'a [u8],
    at: usize,
}

/// One token, and where it begins.
struct Token {
    kind: Kind,
    at: usize,
}

enum Kind {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(LuaString),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::ObjectBegin => "T_OBJ_BEGIN",
            Self::ObjectEnd => "T_OBJ_END",
            Self::ArrayBegin => "T_ARR_BEGIN",
            Self::ArrayEnd => "T_ARR_END",
            Self::String(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::End => "T_END",
            Self::Error(text) => text,
        }
    }
}

/// An array or an object whose end has not come yet.
struct Open {
    table: Table,
    /// The key that waits for its value, in an object.
    key: Option<LuaString>,
    n_items: usize,
    is_object: bool,
}

impl Decoder<'_> {
    fn document(&mut self) -> Result<Value> {
        let mut open: Vec<Open> = Vec::new();
        let mut n_slots = 0;
        let mut token = self.token()?;
        loop {
            let is_object = matches!(token.kind, Kind::ObjectBegin);
            let mut value = match token.kind {
                Kind::String(text) => Value::String(text),
                Kind::Number(number) => Value::Number(number),
                Kind::Boolean(it) => Value::Boolean(it),
                Kind::Null => Value::NULL,
                Kind::ObjectBegin | Kind::ArrayBegin => {
                    n_slots += SLOTS_PER_ARRAY + usize::from(is_object);
                    self.check_depth(open.len() + 1, n_slots)?;
                    let table = self.args.lua.create_table()?;
                    open.push(Open { table, key: None, n_items: 0, is_object });
                    token = self.token()?;
                    match (&token.kind, is_object) {
                        (Kind::ObjectEnd, true) | (Kind::ArrayEnd, false) => {}
                        (_, true) => {
                            token = self.key(token, &mut open)?;
                            continue;
                        }
                        (_, false) => continue,
                    }
                    n_slots -= SLOTS_PER_ARRAY + usize::from(is_object);
                    open.pop().map_or(Value::Nil, |it| Value::Table(it.table))
                }
                other => return Err(self.unexpected("value", &Token { kind: other, at: token.at })),
            };
            // The value belongs to what is open; that may end with it, and so on.
            loop {
                let Some(top) = open.last_mut() else {
                    let rest = self.token()?;
                    return match rest.kind {
                        Kind::End => Ok(value),
                        _ => Err(self.unexpected("the end", &rest)),
                    };
                };
                top.take(value)?;
                let is_object = top.is_object;
                token = self.token()?;
                match (&token.kind, is_object) {
                    (Kind::ObjectEnd, true) | (Kind::ArrayEnd, false) => {
                        n_slots -= SLOTS_PER_ARRAY + usize::from(is_object);
                        value = open.pop().map_or(Value::Nil, |it| Value::Table(it.table));
                    }
                    (Kind::Comma, true) => {
                        token = self.token()?;
                        token = self.key(token, &mut open)?;
                        break;
                    }
                    (Kind::Comma, false) => {
                        token = self.token()?;
                        break;
                    }
                    (_, true) => return Err(self.unexpected("comma or object end", &token)),
                    (_, false) => return Err(self.unexpected("comma or array end", &token)),
                }
            }
        }
    }

    /// Takes a key and its colon, and answers the token after them.
    fn key(&mut self, token: Token, open: &mut [Open]) -> Result<Token> {
        let Kind::String(key) = token.kind else {
            return Err(self.unexpected("object key string", &token));
        };
        let colon = self.token()?;
        if !matches!(colon.kind, Kind::Colon) {
            return Err(self.unexpected("colon", &colon));
        }
        if let Some(top) = open.last_mut() {
            top.key = Some(key);
        }
        self.token()
    }

    fn check_depth(&self, depth: usize, n_slots: usize) -> Result<()> {
        let max = usize::try_from(self.options.decode_depth_max).unwrap_or(0);
        if depth <= max && n_slots <= SLOTS_MAX {
            return Ok(());
        }
        Err(self.args.error(format!(
            "Found too many nested data structures ({depth}) at character {}",
            self.at
        )))
    }

    fn unexpected(&self, expected: &str, token: &Token) -> mlua::Error {
        let (found, at) = (token.kind.name(), token.at + 1);
        self.args.error(format!("Expected {expected} but found {found} at character {at}"))
    }

    /// The byte there; 0 after the end, as in a C string.
    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn token(&mut self) -> Result<Token> {
        while matches!(self.byte(self.at), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        let at = self.at;
        let single = match self.byte(at) {
            b'{' => Kind::ObjectBegin,
            b'}' => Kind::ObjectEnd,
            b'[' => Kind::ArrayBegin,
            b']' => Kind::ArrayEnd,
            b',' => Kind::Comma,
            b':' => Kind::Colon,
            0 => return Ok(Token { kind: Kind::End, at }),
            b'"' => {
                let kind = self.string()?;
                let at = if matches!(kind, Kind::Error(_)) { self.at } else { at };
                return Ok(Token { kind, at });
            }
            b'-' | b'0'..=b'9' if self.options.decodes_invalid || !self.is_invalid_number() => {
                return Ok(Token { kind: self.number(), at });
            }
            b'-' | b'0'..=b'9' => return Ok(Token { kind: Kind::Error("invalid number"), at }),
            b'f' | b'i' | b'I' | b'n' | b'N' | b't' | b'+' => {
                return Ok(Token { kind: self.word(), at });
            }
            _ => return Ok(Token { kind: Kind::Error("invalid token"), at }),
        };
        self.at += 1;
        Ok(Token { kind: single, at })
    }

    fn word(&mut self) -> Kind {
        for (word, kind) in
            [("true", Kind::Boolean(true)), ("false", Kind::Boolean(false)), ("null", Kind::Null)]
        {
            if self.rest().starts_with(word.as_bytes()) {
                self.at += word.len();
                return kind;
            }
        }
        if self.options.decodes_invalid && self.is_invalid_number() {
            return self.number();
        }
        Kind::Error("invalid token")
    }

    /// What `strtod` takes and JSON does not.
    fn is_invalid_number(&self) -> bool {
        let mut at = self.at;
        match self.byte(at) {
            b'+' => return true,
            b'-' => at += 1,
            _ => {}
        }
        match self.byte(at) {
            b'0' => matches!(self.byte(at + 1), b'x' | b'X' | b'0'..=b'9'),
            0..=b'9' => false,
            _ => {
                let word = self.text.get(at..at + 3).unwrap_or_default();
                word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"nan")
            }
        }
    }

    fn number(&mut self) -> Kind {
        match strtod(self.rest()) {
            Some((number, len)) => {
                self.at += len;
                Kind::Number(number)
            }
            None => Kind::Error("invalid number"),
        }
    }

    fn string(&mut self) -> Result<Kind> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            match self.byte(self.at) {
                b'"' => break,
                0 => return Ok(Kind::Error("unexpected end of string")),
                b'\\' => {
                    let byte = match self.byte(self.at + 1) {
                        it @ (b'"' | b'\\' | b'/') => it,
                        b'b' => 0x08,
                        b't' => b'\t',
                        b'n' => b'\n',
                        b'f' => 0x0C,
                        b'r' => b'\r',
                        b'u' => match self.unicode(&mut out) {
                            Some(len) => {
                                self.at += len;
                                continue;
                            }
                            None => return Ok(Kind::Error("invalid unicode escape code")),
                        },
                        _ => return Ok(Kind::Error("invalid escape code")),
                    };
                    out.push(byte);
                    self.at += 2;
                }
                byte => {
                    out.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        Ok(Kind::String(self.args.lua.create_string(out)?))
    }

    /// Takes `\uXXXX` or a pair of them, and answers how long it is.
    fn unicode(&self, out: &mut Vec<u8>) -> Option<usize> {
        let (code, len) = match self.hex4(self.at + 2)? {
            high @ 0xD800..=0xDBFF => {
                if self.byte(self.at + 6) != b'\\' || self.byte(self.at + 7) != b'u' {
                    return None;
                }
                let low = self.hex4(self.at + 8).filter(|it| it & 0xFC00 == 0xDC00)?;
                (((high & 0x3FF) << 10 | low & 0x3FF) + 0x1_0000, 12)
            }
            0xDC00..=0xDFFF => return None,
            code => (code, 6),
        };
        let letter = char::from_u32(code)?;
        out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        Some(len)
    }

    fn hex4(&self, at: usize) -> Option<u32> {
        (at..at + 4)
            .try_fold(0, |code, at| Some(code << 4 | char::from(self.byte(at)).to_digit(16)?))
    }
}

impl Open {
    fn take(&mut self, value: Value) -> Result<()> {
        match self.key.take() {
            Some(key) => self.table.raw_set(key, value),
            None => {
                self.n_items += 1;
                self.table.raw_seti(self.n_items, value)
            }
        }
    }
}

/// The number at the beginning of the text as C reads it, and its length.
fn strtod(text: &[u8]) -> Option<(f64, usize)> {
    let (sign, n_sign) = match text.first()? {
        b'-' => (-1.0, 1),
        b'+' => (1.0, 1),
        _ => (1.0, 0),
    };
    let rest = text.get(n_sign..)?;
    let begins = |word: &[u8]| {
        rest.get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word)).then_some(word.len())
    };
    if let Some(len) = begins(b"infinity").or_else(|| begins(b"inf")) {
        return Some((sign * f64::INFINITY, n_sign + len));
    }
    if let Some(len) = begins(b"nan") {
        return Some((f64::NAN.copysign(sign), n_sign + len));
    }
    if begins(b"0x").is_some()
        && let Some((number, len)) = hexadecimal(rest.get(2..)?)
    {
        return Some((sign * number, n_sign + 2 + len));
    }
    let digits = |from: usize| rest.iter().skip(from).take_while(|it| it.is_ascii_digit()).count();
    let n_whole = digits(0);
    let mut len = n_whole;
    let mut n_digits = n_whole;
    if rest.get(len) == Some(&b'.') {
        let n_fraction = digits(len + 1);
        n_digits += n_fraction;
        len += 1 + n_fraction;
    }
    if n_digits == 0 {
        return None;
    }
    len += exponent(rest.get(len..)?, b'e');
    let text = std::str::from_utf8(rest.get(..len)?).ok()?;
    Some((sign * text.parse::<f64>().ok()?, n_sign + len))
}

/// The length of an exponent that is there as a whole, otherwise 0.
fn exponent(rest: &[u8], letter: u8) -> usize {
    if rest.first().map(u8::to_ascii_lowercase) != Some(letter) {
        return 0;
    }
    let n_sign = usize::from(matches!(rest.get(1), Some(b'-' | b'+')));
    match rest.iter().skip(1 + n_sign).take_while(|it| it.is_ascii_digit()).count() {
        0 => 0,
        n_digits => 1 + n_sign + n_digits,
    }
}

/// What follows `0x`.
fn hexadecimal(text: &[u8]) -> Option<(f64, usize)> {
    let mut mantissa = 0.0_f64;
    let mut scale = 0_i32;
    let (mut n_digits, mut len, mut in_fraction) = (0, 0, false);
    for byte in text {
        if let Some(digit) = char::from(*byte).to_digit(16) {
            mantissa = mantissa * 16.0 + f64::from(digit);
            n_digits += 1;
            scale -= if in_fraction { 4 } else { 0 };
        } else if *byte == b'.' && !in_fraction {
            in_fraction = true;
        } else {
            break;
        }
        len += 1;
    }
    if n_digits == 0 {
        return None;
    }
    let n_exponent = exponent(text.get(len..)?, b'p');
    if 0 < n_exponent {
        let digits = std::str::from_utf8(text.get(len + 1..len + n_exponent)?).ok()?;
        scale = scale.saturating_add(digits.parse().unwrap_or(i32::MAX));
    }
    Some((mantissa * 2.0_f64.powi(scale), len + n_exponent))
}
