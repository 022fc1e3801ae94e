//! What can be an argument of a command.

use std::borrow::Cow;

use bytes::Bytes;
use fanfare_client::Error;
use serde::Serialize;

use crate::codec::json::{self, Json};

/// A value that can be sent: bytes and text as they are, numbers in decimal, anything that `serde`
/// knows as [`Json`].
pub trait ToArg {
    /// Appends the argument's bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`](crate::ErrorKind::Encode): the value has no JSON.
    fn write_arg(&self, out: &mut Vec<u8>) -> Result<(), Error>;
}

impl<T: Serialize> ToArg for Json<T> {
    fn write_arg(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        out.extend_from_slice(&json::encode(&self.0)?);
        Ok(())
    }
}

impl<T: ToArg + ?Sized> ToArg for &T {
    fn write_arg(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        (**self).write_arg(out)
    }
}

/// What is sent byte by byte.
macro_rules! bytes {
    ($($type:ty),+) => {$(
        impl ToArg for $type {
            fn write_arg(&self, out: &mut Vec<u8>) -> Result<(), Error> {
                out.extend_from_slice(self.as_ref());
                Ok(())
            }
        }
    )+};
}

bytes!([u8], Vec<u8>, Bytes);

impl<const N: usize> ToArg for [u8; N] {
    fn write_arg(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.as_slice().write_arg(out)
    }
}

impl ToArg for Cow<'_, str> {
    fn write_arg(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.as_bytes().write_arg(out)
    }
}

/// What is sent as it is displayed.
macro_rules! displayed {
    ($($type:ty),+) => {$(
        impl ToArg for $type {
            fn write_arg(&self, out: &mut Vec<u8>) -> Result<(), Error> {
                out.extend_from_slice(self.to_string().as_bytes());
                Ok(())
            }
        }
    )+};
}

displayed!(str, String, i16, u16, i32, u32, i64, u64, isize, usize, f32, f64);
