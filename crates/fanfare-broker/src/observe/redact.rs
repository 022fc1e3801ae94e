//! Passwords do not show, neither in the slow log nor to monitors.

use fanfare_engine::Request;
use fanfare_engine::table::Command;
use smallvec::SmallVec;

use crate::config;

/// What stands in a secret's place.
const REDACTED: &[u8] = b"(redacted)";

/// A request as others may see it.
pub(crate) type Shown<'a> = SmallVec<[&'a [u8]; 16]>;

/// The arguments of `request`, secrets replaced.
pub(crate) fn shown<'a>(command: Command, request: Request<'a>) -> Shown<'a> {
    let mut args: Shown<'a> = request.iter().collect();
    match command.spec.name {
        "auth" => args.iter_mut().skip(1).for_each(|it| *it = REDACTED),
        "hello" => hide_login(&mut args),
        "config|set" => hide_directives(&mut args),
        _ => {}
    }
    args
}

/// `HELLO 3 AUTH user password SETNAME name`
fn hide_login(args: &mut Shown<'_>) {
    let mut options = args.iter_mut().skip(2);
    while let Some(option) = options.next() {
        if option.eq_ignore_ascii_case(b"AUTH") {
            options.by_ref().take(2).for_each(|it| *it = REDACTED);
        } else if option.eq_ignore_ascii_case(b"SETNAME") {
            options.next();
        }
    }
}

/// `CONFIG SET name value name value`
fn hide_directives(args: &mut Shown<'_>) {
    for pair in args.get_mut(2..).unwrap_or_default().chunks_exact_mut(2) {
        if let [name, value] = pair
            && is_secret(name)
        {
            *value = REDACTED;
        }
    }
}

fn is_secret(name: &[u8]) -> bool {
    let is = |spelling: &str| spelling.as_bytes().eq_ignore_ascii_case(name);
    config::reference().filter(|it| it.secret).any(|it| it.spellings().any(is))
}

#[cfg(test)]
mod tests {
    use fanfare_engine::{CommandTable, Request};
    use fanfare_resp::Span;

    use super::shown;

    fn show(line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let mut start = 0;
        let spans: Vec<Span> = words
            .iter()
            .map(|word| {
                let span = Span { start, end: start + word.len() };
                start = span.end;
                span
            })
            .collect();
        let data = words.concat();
        let table = CommandTable::new(&[]).unwrap();
        let command = table.find(words[0].as_bytes()).unwrap();
        let command = table.find_subcommand(command, words[1].as_bytes()).unwrap_or(command);
        let shown = shown(command, Request::new(data.as_bytes(), &spans));
        shown.iter().map(|it| str::from_utf8(it).unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn secrets_are_hidden_and_nothing_else() {
        for (line, expected) in [
            ("AUTH secret", "AUTH (redacted)"),
            ("auth user secret", "auth (redacted) (redacted)"),
            ("AUTH user secret more", "AUTH (redacted) (redacted) (redacted)"),
            (
                "HELLO 3 AUTH auth secret SETNAME me",
                "HELLO 3 AUTH (redacted) (redacted) SETNAME me",
            ),
            (
                "HELLO 3 SETNAME auth auth user secret",
                "HELLO 3 SETNAME auth auth (redacted) (redacted)",
            ),
            ("HELLO 3 AUTH user", "HELLO 3 AUTH (redacted)"),
            ("CONFIG SET port 1 requirePass secret", "CONFIG SET port 1 requirePass (redacted)"),
            ("CONFIG GET requirepass", "CONFIG GET requirepass"),
            ("SET auth secret", "SET auth secret"),
        ] {
            assert_eq!(show(line), expected, "{line}");
        }
    }
}
