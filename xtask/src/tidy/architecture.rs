//! ARCHITECTURE.md: every invariant names what holds it, and that exists.

use super::{Tree, is_check};

/// Each item of the section "Invariants" ends with its checks: `(tidy name)` or `(test name)`.
pub(super) fn invariants(tree: &Tree) -> Vec<String> {
    let Some(document) = tree.get("ARCHITECTURE.md") else {
        return vec!["ARCHITECTURE.md is missing".to_owned()];
    };
    let items = items(&document.text);
    if items.is_empty() {
        return vec!["ARCHITECTURE.md has no section `## Invariants`".to_owned()];
    }
    let mut found = Vec::new();
    for item in items {
        let checks: Vec<&str> = marks(&item).collect();
        if checks.is_empty() {
            found.push(format!("ARCHITECTURE.md: no check is named: {item}"));
        }
        for check in checks {
            let exists = match check.split_once(' ') {
                Some(("tidy", name)) => is_check(name),
                Some(("test", name)) => has_test(tree, name),
                Some(("transcripts", folder)) => tree.files.iter().any(|it| {
                    it.path.starts_with(&format!("crates/fanfare-testkit/transcripts/{folder}"))
                }),
                Some(("lint", name)) => ["Cargo.toml", "clippy.toml"]
                    .iter()
                    .any(|it| tree.get(it).is_some_and(|it| it.text.contains(name))),
                _ => false,
            };
            if !exists {
                found.push(format!("ARCHITECTURE.md: `{check}` does not exist"));
            }
        }
    }
    found
}

/// The items of the list below `## Invariants`, each on one line.
fn items(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|it| *it != "## Invariants").skip(1);
    let mut items: Vec<String> = Vec::new();
    for line in lines.take_while(|it| !it.starts_with("## ")) {
        if let Some(first) = line.strip_prefix("- ") {
            items.push(first.to_owned());
        } else if let Some(last) = items.last_mut()
            && line.starts_with("  ")
        {
            last.push(' ');
            last.push_str(line.trim());
        }
    }
    items
}

/// What stands in backquotes and begins with the kind of a check.
fn marks(item: &str) -> impl Iterator<Item = &str> {
    let quoted = item.split('`').skip(1).step_by(2);
    quoted.filter(|it| {
        let kind = it.split(' ').next().unwrap_or_default();
        it.contains(' ') && ["tidy", "test", "transcripts", "lint"].contains(&kind)
    })
}

/// A test function, or a name given to a macro that makes tests.
fn has_test(tree: &Tree, name: &str) -> bool {
    let function = format!("fn {name}(");
    let rust = tree.files.iter().filter(|it| it.path.ends_with(".rs"));
    rust.into_iter().any(|it| it.text.contains(&function))
}

#[cfg(test)]
mod tests {
    use super::{items, marks};

    #[test]
    fn items_and_their_checks() {
        let text = "# A\n## Invariants\nText.\n\n- One `x`\n  two (`tidy a`).\n- Three (`test b`)\n## B\n- no";
        let items = items(text);
        assert_eq!(items, ["One `x` two (`tidy a`).", "Three (`test b`)"]);
        assert_eq!(items.iter().flat_map(|it| marks(it)).collect::<Vec<_>>(), ["tidy a", "test b"]);
    }
}
