//! The Markdown files.

use crate::root;

use super::{File, Tree};

/// Every decision in docs/adr/ is numbered without a gap and has all its sections.
pub(super) fn decisions(tree: &Tree) -> Vec<String> {
    const SECTIONS: [&str; 4] = ["## Context", "## Options", "## Decision", "## Consequences"];
    let mut found = Vec::new();
    let decisions: Vec<&File> =
        tree.below("docs/adr/", ".md").filter(|it| is_decision(it)).collect();
    for (index, file) in decisions.iter().enumerate() {
        if !file.path.starts_with(&format!("docs/adr/{:04}-", index + 1)) {
            found.push(format!("{}: expected number {:04}", file.path, index + 1));
        }
        let missing = SECTIONS.iter().chain(&["| date |", "| status |"]);
        let missing = missing.filter(|it| !file.text.contains(**it));
        found.extend(missing.map(|it| format!("{}: `{it}` is missing", file.path)));
        let name = file.path.rsplit('/').next().unwrap_or_default();
        if !tree.get("docs/adr/README.md").is_some_and(|it| it.text.contains(name)) {
            found.push(format!("docs/adr/README.md does not list {name}"));
        }
    }
    found
}

fn is_decision(file: &File) -> bool {
    let name = file.path.trim_start_matches("docs/adr/");
    name.starts_with(|it: char| it.is_ascii_digit())
}

/// Relative links lead to files that exist.
pub(super) fn links(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|it| it.path.ends_with(".md")) {
        let folder = file.path.rsplit_once('/').map_or("", |it| it.0);
        for target in link_targets(&file.text) {
            let path = target.split('#').next().unwrap_or_default();
            let is_elsewhere = path.contains("://") || path.starts_with("mailto:");
            if !path.is_empty() && !is_elsewhere && !root().join(folder).join(path).exists() {
                found.push(format!("{}: {target} does not exist", file.path));
            }
        }
    }
    found
}

/// The targets of `[text](target)`, code left out.
fn link_targets(text: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if !in_code {
            let rest = line.split("](").skip(1);
            targets.extend(rest.filter_map(|it| Some(it.split_once(')')?.0.trim())));
        }
    }
    targets
}

/// The README names the two commands, and CI runs the second one and nothing else.
pub(super) fn two_commands(tree: &Tree) -> Vec<String> {
    const TEST: &str = "cargo xtask ci";
    let readme = tree.get("README.md").map(|it| &*it.text).unwrap_or_default();
    let mut found: Vec<String> =
        ["cargo run --release -- demo", "cargo run --release -- serve", TEST]
            .into_iter()
            .filter(|it| !readme.lines().any(|line| line.trim() == *it))
            .map(|it| format!("README.md: no line `{it}`"))
            .collect();
    let script = std::fs::read_to_string(root().join(".ci/run")).unwrap_or_default();
    let commands = script.lines().filter(|it| {
        !it.is_empty() && !it.starts_with('#') && !it.starts_with("set ") && !it.starts_with("cd ")
    });
    if !commands.eq([TEST]) {
        found.push(format!(".ci/run: expected `{TEST}` and nothing else"));
    }
    found
}

/// Rust in the README and the guide stands in the library's documentation too, where it is compiled
/// and run.
pub(super) fn tested_examples(tree: &Tree) -> Vec<String> {
    let sources: Vec<String> =
        tree.below("crates/fanfare/src/", ".rs").map(|it| documentation(&it.text)).collect();
    let mut found = Vec::new();
    let guide = tree.below("docs/guide/", ".md");
    for file in guide.chain(tree.get("README.md")) {
        for block in rust_blocks(&file.text) {
            if !sources.iter().any(|it| it.contains(&block)) {
                let first = block.lines().next().unwrap_or_default();
                found.push(format!("{}: not in the library's documentation: {first}", file.path));
            }
        }
    }
    found
}

/// The text of doc comments as it is shown: without what is hidden in examples.
fn documentation(source: &str) -> String {
    let mut out = String::new();
    for line in source.lines() {
        let line = line.trim_start();
        let Some(text) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) else {
            continue;
        };
        let text = text.strip_prefix(' ').unwrap_or(text);
        if !text.starts_with("# ") && text != "#" {
            out.push_str(text);
            out.push('\n');
        }
    }
    out
}

fn rust_blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while lines.by_ref().any(|it| it == "```rust") {
        blocks.push(
            lines.by_ref().take_while(|it| *it != "```").map(|it| format!("{it}\n")).collect(),
        );
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::{documentation, link_targets, rust_blocks};

    #[test]
    fn examples_are_compared_as_they_are_shown() {
        let source = "/// Text.\n/// ```\n/// # hidden\n/// let a = 1;\n/// ```\nfn f() {}";
        assert_eq!(documentation(source), "Text.\n```\nlet a = 1;\n```\n");
        assert_eq!(rust_blocks("a\n```rust\nb\nc\n```\n```sh\nd\n```"), ["b\nc\n"]);
    }

    #[test]
    fn links_are_found_outside_of_code() {
        let text = "[a](b.md) and [c](d.md#e)\n```\n[f](g)\n```\n![h](i.svg)";
        assert_eq!(link_targets(text), ["b.md", "d.md#e", "i.svg"]);
    }
}
