//! The list of deviations, `docs/differences.md`.

use std::collections::BTreeSet;
use std::path::Path;

/// The ids in the table of `docs/differences.md`.
#[derive(Debug, Default)]
pub struct Differences(BTreeSet<String>);

impl Differences {
    /// Reads the repository's `docs/differences.md`.
    ///
    /// # Errors
    /// If the file can not be read.
    pub fn load() -> std::io::Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/differences.md");
        Ok(Self::parse(&std::fs::read_to_string(path)?))
    }

    /// Collects the ids (`D7`) that stand in the first column of a table.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let first_cells = text.lines().filter_map(|it| it.strip_prefix('|')?.split('|').next());
        let is_id = |cell: &&str| {
            let digits = cell.strip_prefix('D');
            digits.is_some_and(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()))
        };
        Self(first_cells.map(str::trim).filter(is_id).map(str::to_owned).collect())
    }

    /// Whether the list has this id.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.0.contains(id)
    }
}

#[cfg(test)]
mod tests {
    use super::Differences;

    #[test]
    fn ids_are_first_cells() {
        let list = Differences::parse("| id | D9 |\n|---|---|\n| D1 | x |\n|D12|y|\nD3\n");
        assert!(list.contains("D1") && list.contains("D12"));
        assert!(!list.contains("D9") && !list.contains("D3") && !list.contains("id"));
    }
}
