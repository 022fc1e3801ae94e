//! Which node serves which slot. Pure.
//!
//! The rules are those of <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/>.

use std::collections::HashSet;

use fanfare_resp::Value;

use crate::Address;

/// How many slots the keys of a cluster are divided into.
const N_SLOTS: u16 = 16_384;

/// A slot's owner if it has none.
const NOBODY: u16 = u16::MAX;

/// CRC-16 of every byte (XMODEM: polynomial 0x1021, nothing reflected).
#[expect(clippy::indexing_slicing, reason = "at compile time, where a panic is an error")]
const CRC: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        #[expect(clippy::cast_possible_truncation, reason = "a byte's value fits")]
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// The slot of a key, or of a sharded channel: that of what stands between its first `{` and the
/// next `}`, if anything does.
pub fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|&byte| byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        let close = rest.iter().position(|&byte| byte == b'}')?;
        rest.get(..close).filter(|tag| !tag.is_empty())
    });
    let crc = tag.unwrap_or(key).iter().fold(0_u16, |crc, byte| {
        let at = usize::from((crc >> 8) ^ u16::from(*byte));
        (crc << 8) ^ CRC.get(at).copied().unwrap_or_default()
    });
    crc % N_SLOTS
}

/// A cluster as one of its nodes sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SlotMap {
    masters: Vec<Address>,
    nodes: HashSet<Address>,
    /// For each slot, which master serves it. Empty if nothing is known.
    owners: Vec<u16>,
}

impl SlotMap {
    /// Reads the answer to `CLUSTER SLOTS`. `asked` is who gave it: a node that does not know its
    /// own address leaves it out.
    pub(crate) fn parse(reply: Value, asked: &Address) -> Option<Self> {
        let mut map = Self { owners: vec![NOBODY; usize::from(N_SLOTS)], ..Self::default() };
        for range in reply.into_array()? {
            let mut parts = range.into_array()?.into_iter();
            let (first, last) = (number(parts.next()?)?, number(parts.next()?)?);
            let mut nodes = parts.filter_map(|node| address(node, asked));
            let Some(master) = nodes.next() else { continue };
            map.nodes.extend(nodes);
            map.nodes.insert(master.clone());
            let at = map.masters.iter().position(|it| *it == master).unwrap_or_else(|| {
                map.masters.push(master);
                map.masters.len() - 1
            });
            let at = u16::try_from(at).ok()?;
            map.owners.get_mut(usize::from(first)..=usize::from(last))?.fill(at);
        }
        Some(map)
    }

    pub(crate) fn owner(&self, slot: u16) -> Option<&Address> {
        let owner = self.owners.get(usize::from(slot))?;
        self.masters.get(usize::from(*owner))
    }

    /// Every node that serves slots.
    pub(crate) fn masters(&self) -> &[Address] {
        &self.masters
    }

    /// Masters and replicas.
    pub(crate) fn nodes(&self) -> &HashSet<Address> {
        &self.nodes
    }

    pub(crate) fn n_served(&self) -> usize {
        self.owners.iter().filter(|owner| **owner != NOBODY).count()
    }
}

fn number(value: Value) -> Option<u16> {
    u16::try_from(value.as_int()?).ok()
}

fn address(node: Value, asked: &Address) -> Option<Address> {
    let mut parts = node.into_array()?.into_iter();
    let host = parts.next()?;
    let port = number(parts.next()?)?;
    let host = match (host.as_str(), asked) {
        (Some(host), _) if !host.is_empty() && host != "?" => host.to_owned(),
        (Some("?"), _) => return None,
        (_, Address::Tcp { host, .. }) => host.clone(),
        (_, Address::Unix { .. }) => return None,
    };
    Some(Address::Tcp { host, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: &str, port: u16) -> Address {
        Address::Tcp { host: host.to_owned(), port }
    }

    /// Values of redis-server's `CLUSTER KEYSLOT`.
    #[test]
    fn slots_are_those_of_redis() {
        for (key, expected) in [
            ("123456789", 12_739),
            ("foo", 12_182),
            ("", 0),
            ("{user1000}.following", 3_443),
            ("{user1000}.followers", 3_443),
            ("foo{}{bar}", 8_363),
            ("foo{{bar}}zap", 4_015),
            ("foo{bar}{zap}", 5_061),
        ] {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
    }

    #[test]
    fn a_map_knows_owners_and_nodes() {
        let mut wire = bytes::BytesMut::from(
            "*2\r\n*4\r\n:0\r\n:99\r\n*3\r\n$1\r\na\r\n:1\r\n$1\r\nx\r\n*3\r\n$1\r\nb\r\n:2\r\n$1\r\ny\r\n\
             *3\r\n:101\r\n:16383\r\n*3\r\n$-1\r\n:3\r\n$1\r\nz\r\n",
        );
        let mut decoder = fanfare_resp::Decoder::new(fanfare_resp::Limits::default());
        let reply = decoder.decode(&mut wire).unwrap().unwrap();
        let map = SlotMap::parse(reply, &node("asked", 9)).unwrap();
        assert_eq!(map.owner(99), Some(&node("a", 1)));
        assert_eq!(map.owner(100), None);
        assert_eq!(map.owner(16_383), Some(&node("asked", 3)));
        assert_eq!((map.masters().len(), map.nodes().len(), map.n_served()), (2, 3, 16_383));
        assert_eq!(SlotMap::default().owner(0), None);
    }
}
