//! Replies of the model.

pub(super) enum Wire {
    Ok,
    Int(i64),
    Bulk(Option<Vec<u8>>),
    Array(Vec<Wire>),
    NullArray,
    Error(&'static str),
}

impl Wire {
    /// In RESP2.
    pub(super) fn encoded(&self) -> Vec<u8> {
        match self {
            Self::Ok => b"+OK\r\n".to_vec(),
            Self::Int(number) => format!(":{number}\r\n").into_bytes(),
            Self::Bulk(None) => b"$-1\r\n".to_vec(),
            Self::Bulk(Some(bytes)) => {
                [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
            }
            Self::Array(elements) => {
                let mut bytes = format!("*{}\r\n", elements.len()).into_bytes();
                elements.iter().for_each(|it| bytes.extend(it.encoded()));
                bytes
            }
            Self::NullArray => b"*-1\r\n".to_vec(),
            Self::Error(text) => format!("-{text}\r\n").into_bytes(),
        }
    }

    pub(super) fn count(n: usize) -> Self {
        Self::Int(i64::try_from(n).expect("few"))
    }
}
