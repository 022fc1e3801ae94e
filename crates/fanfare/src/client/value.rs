//! What replies can be turned into.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::Hash,
};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind, Value};
use serde::de::DeserializeOwned;

use crate::Json;

/// A type that a reply can be turned into, the same from both versions of the protocol.
///
/// | type | from |
/// |---|---|
/// | [`Value`] | anything, as it came |
/// | `String` | text that is UTF-8, or a number |
/// | [`Bytes`], `Vec<u8>` | text, whatever its bytes |
/// | integers, `f64` | a number, or text that is one |
/// | `bool` | true and false, 1 and 0 |
/// | `Option<T>` | a null, or a `T` |
/// | `Vec<T>`, `HashSet<T>` | a list |
/// | `HashMap<K, V>`, `BTreeMap<K, V>` | a map, or a list of alternating keys and values |
/// | `(A, B)` | a list of two |
/// | [`Json<T>`] | text that is JSON |
/// | `()` | anything, which is thrown away |
pub trait FromValue: Sized + Send + 'static {
    /// Converts.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`], naming what was expected.
    fn from_value(value: Value) -> Result<Self, Error>;
}

pub(crate) fn not(what: &str, value: &Value) -> Error {
    let got = match value.inner() {
        value if value.is_null() => "nothing",
        Value::Integer(_) | Value::BigNumber(_) => "a number",
        Value::Double(_) => "a floating-point number",
        Value::Boolean(_) => "true or false",
        Value::Map(_) => "a map",
        value if value.as_array().is_some() => "a list",
        _ => "text",
    };
    Error::new(ErrorKind::Decode, format!("the server's answer is {got}, not {what}"))
}

impl FromValue for Value {
    fn from_value(value: Value) -> Result<Self, Error> {
        Ok(value)
    }
}

impl FromValue for () {
    fn from_value(_: Value) -> Result<Self, Error> {
        Ok(())
    }
}

impl FromValue for Bytes {
    fn from_value(value: Value) -> Result<Self, Error> {
        if let Some(number) = value.as_int() {
            return Ok(number.to_string().into());
        }
        let error = not("text", &value);
        value.into_bytes().ok_or(error)
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value) -> Result<Self, Error> {
        Bytes::from_value(value).map(Into::into)
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Result<Self, Error> {
        if let Value::Double(number) = value.inner() {
            return Ok(number.to_string());
        }
        Self::from_utf8(Vec::from_value(value)?).map_err(|source| {
            Error::new(ErrorKind::Decode, "the server's answer is not UTF-8 text")
                .with_source(source)
        })
    }
}

macro_rules! integers {
    ($($type:ty),+) => {$(
        impl FromValue for $type {
            fn from_value(value: Value) -> Result<Self, Error> {
                let number = match value.as_int() {
                    Some(number) => Self::try_from(number).ok(),
                    None => value.as_str().and_then(|text| text.parse().ok()),
                };
                number.ok_or_else(|| not(concat!("an integer of type ", stringify!($type)), &value))
            }
        }
    )+};
}

integers!(i16, u16, i32, u32, i64, u64, isize, usize);

impl FromValue for f64 {
    fn from_value(value: Value) -> Result<Self, Error> {
        value.as_double().ok_or_else(|| not("a number", &value))
    }
}

impl FromValue for bool {
    fn from_value(value: Value) -> Result<Self, Error> {
        let by_text = || match value.as_bytes()? {
            b"1" | b"true" => Some(true),
            b"0" | b"false" => Some(false),
            _ => None,
        };
        value.as_bool().or_else(by_text).ok_or_else(|| not("true or false", &value))
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Result<Self, Error> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }
}

fn list(value: Value) -> Result<Vec<Value>, Error> {
    let error = not("a list", &value);
    match value.into_inner() {
        Value::Map(pairs) => Ok(pairs.into_iter().flat_map(|(key, value)| [key, value]).collect()),
        value => value.into_array().ok_or(error),
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: Value) -> Result<Self, Error> {
        list(value)?.into_iter().map(item).collect()
    }
}

impl<T: FromValue + Eq + Hash> FromValue for HashSet<T> {
    fn from_value(value: Value) -> Result<Self, Error> {
        list(value)?.into_iter().map(item).collect()
    }
}

/// An error among the items (of EXEC, of a script) is one.
fn item<T: FromValue>(value: Value) -> Result<T, Error> {
    match value.as_error() {
        Some(text) => Err(Error::server(text)),
        None => T::from_value(value),
    }
}

/// Pairs, however they came: as a map, as a list of pairs, or one after the other.
pub(crate) fn pairs<A: FromValue, B: FromValue>(value: Value) -> Result<Vec<(A, B)>, Error> {
    let is_nested =
        value.as_array().and_then(<[Value]>::first).is_some_and(|first| first.as_array().is_some());
    if is_nested {
        return Vec::from_value(value);
    }
    let error = not("pairs", &value);
    let pairs = value.into_pairs().ok_or(error)?.into_iter();
    pairs.map(|(a, b)| Ok((A::from_value(a)?, B::from_value(b)?))).collect()
}

impl<K: FromValue + Eq + Hash, V: FromValue> FromValue for HashMap<K, V> {
    fn from_value(value: Value) -> Result<Self, Error> {
        Ok(pairs(value)?.into_iter().collect())
    }
}

impl<K: FromValue + Ord, V: FromValue> FromValue for BTreeMap<K, V> {
    fn from_value(value: Value) -> Result<Self, Error> {
        Ok(pairs(value)?.into_iter().collect())
    }
}

impl<A: FromValue, B: FromValue> FromValue for (A, B) {
    fn from_value(value: Value) -> Result<Self, Error> {
        let error = not("a list of two", &value);
        let mut items = list(value)?.into_iter();
        match (items.next(), items.next(), items.next()) {
            (Some(a), Some(b), None) => Ok((A::from_value(a)?, B::from_value(b)?)),
            _ => Err(error),
        }
    }
}

impl<T: DeserializeOwned + Send + 'static> FromValue for Json<T> {
    fn from_value(value: Value) -> Result<Self, Error> {
        let bytes = Bytes::from_value(value)?;
        serde_json::from_slice(&bytes).map(Json).map_err(|source| {
            Error::new(ErrorKind::Decode, "what is stored is not the expected JSON")
                .with_source(source)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_the_protocol_mean_the_same() {
        let flat = Value::Array(vec![Value::bulk("a"), Value::bulk("1.5")]);
        let map = Value::Map(vec![(Value::bulk("a"), Value::Double(1.5))]);
        let nested = Value::Array(vec![Value::Array(vec![Value::bulk("a"), Value::Double(1.5)])]);
        for value in [flat, map, nested] {
            let scores = HashMap::<String, f64>::from_value(value).unwrap();
            assert_eq!(scores, HashMap::from([("a".to_owned(), 1.5)]));
        }
        for null in [Value::Null, Value::NullBulk, Value::NullArray] {
            assert_eq!(Option::<u32>::from_value(null).unwrap(), None);
        }
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let told = |error: Error| {
            assert_eq!(error.kind(), ErrorKind::Decode);
            error.to_string()
        };
        let text = || Value::bulk("seven");
        assert!(told(u32::from_value(text()).unwrap_err()).contains("text, not an integer"));
        assert!(told(u16::from_value(Value::Integer(-1)).unwrap_err()).contains("u16"));
        assert!(told(String::from_value(Value::Null).unwrap_err()).contains("nothing, not text"));
        assert!(told(Vec::<u32>::from_value(text()).unwrap_err()).contains("not a list"));
        assert!(told(Json::<u32>::from_value(text()).unwrap_err()).contains("JSON"));
        let three = Value::Array(vec![Value::Integer(1), Value::Integer(2), Value::Integer(3)]);
        assert!(<(u32, u32)>::from_value(three).is_err());
        assert!(String::from_value(Value::bulk(&b"\xff"[..])).is_err());
    }
}
