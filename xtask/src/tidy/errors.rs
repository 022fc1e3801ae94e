//! Error codes and deviations: what the code says and what the documents say must agree.

use std::collections::BTreeSet;

use super::Tree;

/// Every `FF-1234` in the code is explained in docs/generated/errors.md, and no other.
pub(super) fn codes(tree: &Tree) -> Vec<String> {
    let mut in_code = BTreeSet::new();
    for file in tree.below("crates/", ".rs").filter(|it| it.path.contains("/src/")) {
        // The catalogue is the other side of the comparison.
        if file.path != "crates/fanfare/src/catalogue.rs" {
            let lines = file.code().filter(|(_, line)| line.contains("=> \"FF-"));
            in_code.extend(lines.flat_map(|(_, line)| codes_in(line)));
        }
    }
    let Some(document) = tree.get("docs/generated/errors.md") else {
        return vec!["docs/generated/errors.md is missing: cargo xtask gen".to_owned()];
    };
    let explained: BTreeSet<String> = codes_in(&document.text).collect();
    let missing = in_code.difference(&explained).map(|it| format!("{it} is not in errors.md"));
    let unused = explained.difference(&in_code).map(|it| format!("{it} is nowhere in the code"));
    missing.chain(unused).collect()
}

fn codes_in(text: &str) -> impl Iterator<Item = String> {
    text.match_indices("FF-").filter_map(|(at, _)| {
        let digits = text.get(at + 3..at + 7)?;
        digits.bytes().all(|it| it.is_ascii_digit()).then(|| format!("FF-{digits}"))
    })
}

/// Every id in docs/differences.md is used by a transcript or test, every used id is listed, and
/// the files in its last column exist.
pub(super) fn differences(tree: &Tree) -> Vec<String> {
    const FOLDER: &str = "crates/fanfare-testkit/transcripts/";
    let Some(document) = tree.get("docs/differences.md") else {
        return vec!["docs/differences.md is missing".to_owned()];
    };
    let mut listed = BTreeSet::new();
    let mut found = Vec::new();
    for row in document.text.lines().filter(|it| it.starts_with("| D")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let Some(id) = cells.get(1) else { continue };
        listed.insert((*id).to_owned());
        let shown_by = cells.get(4).copied().unwrap_or_default();
        for path in shown_by.split('`').skip(1).step_by(2) {
            if tree.get(&format!("{FOLDER}{path}")).is_none() && tree.get(path).is_none() {
                found.push(format!("docs/differences.md: {id} names {path}, which does not exist"));
            }
        }
    }
    let mut used = BTreeSet::new();
    for file in tree.files.iter().filter(|it| it.path.starts_with(FOLDER)) {
        let marks = file.text.lines().filter_map(|it| it.trim().strip_prefix("differs: "));
        used.extend(marks.filter_map(|it| Some(it.split_whitespace().next()?.to_owned())));
    }
    for file in tree.below("crates/", ".rs").filter(|it| it.path.contains("/tests/")) {
        let marks = file.text.lines().filter_map(|it| it.split_once("differences.md: "));
        used.extend(marks.filter_map(|(_, id)| {
            Some(id.split(|it: char| !it.is_ascii_alphanumeric()).next()?.to_owned())
        }));
    }
    found.extend(
        listed.difference(&used).map(|it| format!("{it} is shown by no transcript or test")),
    );
    found.extend(used.difference(&listed).map(|it| format!("{it} is not in docs/differences.md")));
    found
}
