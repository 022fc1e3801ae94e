//! What was sent by whom, for the report when something differs.

use fanfare_engine::effect::Effect;

use crate::words::KEYS;

/// Entries shown.
const N_SHOWN: usize = 40;

#[derive(Default)]
pub(crate) struct Diary(Vec<(String, Vec<String>)>);

impl Diary {
    pub(crate) fn note(&mut self, (client_idx, db): (usize, u16), words: &[String]) {
        self.0.push((format!("{client_idx} in {db}"), words.to_vec()));
    }

    /// What a command recorded as its effect.
    pub(crate) fn note_effect(&mut self, effect: &Effect) {
        let words = effect.args.iter().map(|it| String::from_utf8_lossy(it).into_owned());
        self.0.push((format!("    effect in {}", effect.db), words.collect()));
    }

    /// The last commands that named one of the keys in `words`, or all keys.
    pub(crate) fn tail(&self, words: &[String]) -> String {
        let is_script = |words: &[String]| words[0].eq_ignore_ascii_case("EVAL");
        // A script is given all keys; those that count are in the command that it calls.
        let keys_of = |words: &[String]| -> Vec<String> {
            let n_skipped = if is_script(words) { 3 + KEYS.len() } else { 0 };
            let words = words.iter().skip(n_skipped);
            words.filter(|it| KEYS.contains(&it.as_str())).cloned().collect()
        };
        let wanted = keys_of(words);
        let touches = |line: &[String]| {
            let keys = keys_of(line);
            let always = ["MULTI", "EXEC", "DISCARD", "FLUSHALL", "FLUSHDB"];
            let name = line[0].to_ascii_uppercase();
            always.contains(&&*name)
                || wanted.is_empty()
                || keys.iter().any(|it| wanted.contains(it))
        };
        let found: Vec<_> = self.0.iter().rev().filter(|it| touches(&it.1)).take(N_SHOWN).collect();
        let lines =
            found.iter().rev().map(|(client, words)| format!("{client}> {}", words.join(" ")));
        lines.collect::<Vec<_>>().join("\n")
    }
}
