//! Strings as bytes, sorted sets as maps of scores.

use super::wire::Wire;
use super::{Model, number};

impl Model {
    pub(super) fn text(&mut self, name: &str, args: &[Vec<u8>]) -> Wire {
        match name {
            "SET" => {
                self.texts.insert(args[1].clone(), args[2].clone());
                Wire::Ok
            }
            "GET" => Wire::Bulk(self.texts.get(&args[1]).cloned()),
            _ => {
                let sources: Vec<_> = args[3..]
                    .iter()
                    .map(|it| self.texts.get(it).cloned().unwrap_or_default())
                    .collect();
                let len = sources.iter().map(Vec::len).max().expect("there is a source");
                let result: Vec<_> = (0..len).map(|at| byte(&args[1], &sources, at)).collect();
                if result.is_empty() {
                    self.texts.remove(&args[2]);
                } else {
                    self.texts.insert(args[2].clone(), result);
                }
                Wire::count(len)
            }
        }
    }

    pub(super) fn rank(&mut self, name: &str, args: &[Vec<u8>]) -> Wire {
        let scores = self.scores.entry(args[1].clone()).or_default();
        if name == "ZADD" {
            let n_before = scores.len();
            for pair in args[2..].chunks(2) {
                scores.insert(pair[1].clone(), number(&pair[0]));
            }
            return Wire::count(scores.len() - n_before);
        }
        let mut members: Vec<_> = scores.iter().map(|(member, score)| (*score, member)).collect();
        members.sort_unstable();
        if name == "ZREVRANK" {
            members.reverse();
        }
        let Some(rank) = members.iter().position(|it| *it.1 == args[2]) else {
            return Wire::NullArray;
        };
        Wire::Array(vec![Wire::count(rank), Wire::Double(members[rank].0)])
    }
}

/// The byte at one place of the result, bit by bit.
fn byte(operation: &[u8], sources: &[Vec<u8>], at: usize) -> u8 {
    let bits = |mask: u8| -> Vec<bool> {
        sources.iter().map(|it| it.get(at).is_some_and(|it| it & mask != 0)).collect()
    };
    let is_set = |mask: &u8| {
        let bits = bits(*mask);
        let (first, others) = (bits[0], bits[1..].contains(&true));
        match &*operation.to_ascii_uppercase() {
            b"DIFF" => first && !others,
            b"DIFF1" => !first && others,
            b"ANDOR" => first && others,
            _ => bits.iter().filter(|it| **it).count() == 1,
        }
    };
    (0..8).map(|it| 1 << it).filter(is_set).sum()
}
