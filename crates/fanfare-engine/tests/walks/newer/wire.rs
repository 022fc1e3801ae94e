//! Replies of the model.

use fanfare_engine::Version;

pub(super) enum Wire {
    Ok,
    Int(i64),
    /// A score.
    Double(i64),
    Bulk(Option<Vec<u8>>),
    Array(Vec<Wire>),
    /// In RESP2 an array of keys and values.
    Map(Vec<(Wire, Wire)>),
    /// In RESP3 a map; in RESP2 an array of pairs.
    Pairs(Vec<(Wire, Wire)>),
    NullArray,
    Error(&'static str),
    /// Nothing: the client waits.
    Nothing,
}

impl Wire {
    pub(super) fn encoded(&self, version: Version) -> Vec<u8> {
        let newer = version == Version::Resp3;
        let array = |n: usize, elements: &mut dyn Iterator<Item = &Self>| {
            let head = format!("*{n}\r\n").into_bytes();
            elements.fold(head, |bytes, it| [bytes, it.encoded(version)].concat())
        };
        let both = |it: &(Self, Self)| [it.0.encoded(version), it.1.encoded(version)].concat();
        match self {
            Self::Ok => b"+OK\r\n".to_vec(),
            Self::Int(number) => format!(":{number}\r\n").into_bytes(),
            Self::Double(number) if newer => format!(",{number}\r\n").into_bytes(),
            Self::Double(number) => {
                Self::Bulk(Some(number.to_string().into_bytes())).encoded(version)
            }
            Self::Bulk(None) | Self::NullArray if newer => b"_\r\n".to_vec(),
            Self::Bulk(None) => b"$-1\r\n".to_vec(),
            Self::Bulk(Some(bytes)) => {
                [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
            }
            Self::Array(elements) => array(elements.len(), &mut elements.iter()),
            Self::Map(pairs) | Self::Pairs(pairs) if newer => {
                let head = format!("%{}\r\n", pairs.len()).into_bytes();
                [head, pairs.iter().flat_map(both).collect()].concat()
            }
            Self::Map(pairs) => {
                array(2 * pairs.len(), &mut pairs.iter().flat_map(|it| [&it.0, &it.1]))
            }
            Self::Pairs(pairs) => {
                let head = format!("*{}\r\n", pairs.len()).into_bytes();
                let pairs = pairs.iter().flat_map(|it| [b"*2\r\n".to_vec(), both(it)].concat());
                [head, pairs.collect()].concat()
            }
            Self::NullArray => b"*-1\r\n".to_vec(),
            Self::Error(text) => format!("-{text}\r\n").into_bytes(),
            Self::Nothing => Vec::new(),
        }
    }

    pub(super) fn count(n: usize) -> Self {
        Self::Int(i64::try_from(n).expect("few"))
    }
}
