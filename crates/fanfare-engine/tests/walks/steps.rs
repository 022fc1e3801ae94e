//! The next command of a client.

use fanfare_engine::client::Mode;

use crate::catalog;
use crate::draw::Draw;
use crate::grammar;
use crate::words::KEYS;
use crate::world::World;

/// Scripts; each calls the command that its arguments are.
const SCRIPTS: [&str; 3] = [
    "return redis.call(unpack(ARGV))",
    "return redis.pcall(unpack(ARGV))",
    "redis.call(unpack(ARGV)) return redis.call('TYPE', KEYS[1])",
];

/// The words of a command for a client that may be inside `MULTI`.
pub(crate) fn next(draw: &mut Draw, in_multi: bool) -> Vec<String> {
    if in_multi && draw.once_in(8) {
        return grammar::command(draw, catalog::QUEUE_ENDS);
    }
    if !in_multi && draw.once_in(24) {
        return grammar::command(draw, catalog::TRANSACTIONS);
    }
    if !draw.is_about_streams && draw.once_in(3000) {
        return grammar::command(draw, catalog::FLUSHES);
    }
    let words = on_keys(draw);
    if draw.once_in(12) {
        return script(draw, words);
    }
    if !in_multi && waits(&words) {
        return vec!["MULTI".into()];
    }
    if in_multi { without_chance(words) } else { words }
}

fn on_keys(draw: &mut Draw) -> Vec<String> {
    if draw.once_in(300) {
        return grammar::command(draw, catalog::STREAM_ENDS);
    }
    if draw.is_about_streams {
        let families = [catalog::ENTRIES, catalog::ENTRIES, catalog::STREAMS, catalog::GROUPS];
        let family = draw.pick(&families);
        return grammar::command(draw, family);
    }
    let families = [
        catalog::STRINGS,
        catalog::STRINGS,
        catalog::LISTS,
        catalog::LISTS,
        catalog::HASHES,
        catalog::HASHES,
        catalog::SETS,
        catalog::SETS,
        catalog::SORTED_SETS,
        catalog::SORTED_SETS,
        catalog::LEXSETS,
        catalog::STREAMS,
        catalog::GROUPS,
        catalog::KEYS,
    ];
    let family = match draw.below(16) {
        // Without a real clock beside it there is no redis-server either, which lacks these.
        0 if draw.has_own_clock => catalog::FIELDS,
        1 if draw.has_own_clock => catalog::NEWER,
        2..6 => catalog::ADDITIONS,
        _ => draw.pick(&families),
    };
    grammar::command(draw, family)
}

/// Whether the client could wait, outside of transactions and scripts.
fn waits(words: &[String]) -> bool {
    let is_reader =
        |it: &str| it.eq_ignore_ascii_case("XREAD") || it.eq_ignore_ascii_case("XREADGROUP");
    if is_reader(&words[0]) {
        return words.iter().any(|it| it.eq_ignore_ascii_case("BLOCK"));
    }
    matches!(words[0].as_bytes(), [b'B' | b'b', b'l' | b'L' | b'r' | b'R' | b'z' | b'Z', ..])
}

fn script(draw: &mut Draw, command: Vec<String>) -> Vec<String> {
    let text = draw.pick(&SCRIPTS);
    let start = ["EVAL".to_owned(), text.into(), KEYS.len().to_string()];
    let keys = KEYS.iter().map(|&it| it.into());
    start.into_iter().chain(keys).chain(without_chance(command)).collect()
}

/// Inside transactions and scripts all members are popped: what chance took can not be taken from redis-server as well.
fn without_chance(mut words: Vec<String>) -> Vec<String> {
    if words[0].eq_ignore_ascii_case("SPOP") && 2 <= words.len() {
        words.truncate(2);
        words.push("1000000".into());
    }
    words
}

/// Whether a client of a world is inside `MULTI`.
pub(crate) fn in_multi(world: &World, client_idx: usize) -> bool {
    matches!(world.clients[client_idx].mode, Mode::Multi { .. })
}
