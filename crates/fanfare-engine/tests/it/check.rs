//! Transcripts as tests.
//!
//! | line | means |
//! |---|---|
//! | `> SET a 1` | the first client sends this; `2>` and `3>` are the others; `""` is an empty argument |
//! | `< +OK` | what it must receive, with spaces for line ends; several such lines are one reply |
//! | `<2 *2`, `<3 >2` | the same for one version of the protocol only |
//! | `+1500` | time passes: milliseconds |
//! | `# …` | a remark |

use fanfare_engine::Version;

use crate::world::{World, shown};

/// Runs a transcript in both versions of the protocol.
pub(crate) fn check(transcript: &str) {
    run(transcript, Version::Resp2, "<2");
    run(transcript, Version::Resp3, "<3");
}

fn run(transcript: &str, version: Version, own_mark: &str) {
    let mut world = World::new(version);
    let mut lines = transcript.lines().map(str::trim).filter(|it| !it.is_empty()).peekable();
    while let Some(line) = lines.next() {
        if line.starts_with('#') {
            continue;
        }
        if let Some(passed_ms) = line.strip_prefix('+') {
            world.now_ms += passed_ms.parse::<u64>().expect("milliseconds after `+`");
            continue;
        }
        let (who, command) = line.split_once("> ").unwrap_or_else(|| panic!("odd line: {line}"));
        let client_idx = who.parse::<usize>().map_or(0, |it| it - 1);
        let args: Vec<_> = command.split_whitespace().map(argument).collect();
        let received = shown(&world.call(client_idx, &args));
        let mut expected: Vec<&str> = Vec::new();
        while let Some(line) = lines.next_if(|it| it.starts_with('<')) {
            let (mark, text) = line.split_once(' ').expect("a space after `<`");
            if mark == "<" || mark == own_mark {
                expected.push(text);
            }
        }
        assert_eq!(received, expected.join(" "), "after `{line}` ({version:?})");
    }
}

fn argument(word: &str) -> Vec<u8> {
    if word == r#""""# { Vec::new() } else { word.into() }
}
