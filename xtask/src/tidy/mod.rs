//! `cargo xtask tidy`: what holds for the repository as a whole. Each check has the name by which
//! ARCHITECTURE.md refers to it.

mod architecture;
mod documents;
mod errors;
mod packages;
mod sources;

use anyhow::{Context, Result};

use crate::root;
use crate::steps::Steps;

pub(crate) use packages::packages;

/// The text files of the repository.
struct Tree {
    files: Vec<File>,
}

/// One file, by its path below the repository's folder, with `/`.
struct File {
    path: String,
    text: String,
}

type Check = fn(&Tree) -> Vec<String>;

/// Every check; a line here is all that a new one needs.
const CHECKS: &[(&str, Check)] = &[
    ("engine-is-pure", sources::engine_is_pure),
    ("one-place-for-resp-versions", sources::one_place_for_resp_versions),
    ("reactors-spawn-threads", sources::reactors_spawn_threads),
    ("sockets-in-one-module", sources::sockets_in_one_module),
    ("broker-through-the-library", sources::broker_through_the_library),
    ("module-docs", sources::module_docs),
    ("nothing-unfinished", sources::nothing_unfinished),
    ("lints-everywhere", packages::lints_everywhere),
    ("error-codes", errors::codes),
    ("differences", errors::differences),
    ("decisions", documents::decisions),
    ("links", documents::links),
    ("tested-examples", documents::tested_examples),
    ("two-commands", documents::two_commands),
    ("invariants", architecture::invariants),
];

/// Runs every check.
pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    let tree = Tree::read().context("failed to read the repository")?;
    let packages = packages()?;
    println!("\n=== tidy");
    steps.check("tidy dependency-direction", || packages::direction(&packages));
    for (name, check) in CHECKS {
        steps.check(&format!("tidy {name}"), || check(&tree));
    }
    Ok(())
}

/// Whether there is a check of this name.
fn is_check(name: &str) -> bool {
    name == "dependency-direction" || CHECKS.iter().any(|it| it.0 == name)
}

const KEPT: [&str; 7] = ["rs", "md", "toml", "txt", "list", "yml", "run"];
const LEFT_OUT: [&str; 5] = ["target", "node_modules", ".git", "corpus", ".venv"];

impl Tree {
    fn read() -> Result<Self> {
        let mut tree = Self { files: Vec::new() };
        tree.read_dir("")?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn read_dir(&mut self, path: &str) -> Result<()> {
        for entry in std::fs::read_dir(root().join(path))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if LEFT_OUT.contains(&&*name) || name.starts_with("target-") {
                continue;
            }
            let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            let kind = entry.file_type()?;
            let extension = name.rsplit('.').next().unwrap_or_default();
            if kind.is_dir() {
                self.read_dir(&path)?;
            } else if kind.is_file() && KEPT.contains(&extension) {
                let text = std::fs::read_to_string(entry.path())
                    .with_context(|| format!("failed to read {path}"))?;
                self.files.push(File { path, text });
            }
        }
        Ok(())
    }

    fn below<'a>(&'a self, folder: &'a str, extension: &'a str) -> impl Iterator<Item = &'a File> {
        self.files
            .iter()
            .filter(move |it| it.path.starts_with(folder) && it.path.ends_with(extension))
    }

    fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|it| it.path == path)
    }
}

impl File {
    /// The lines of the program itself, numbered from one: without comments and without tests.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let is_test = name == "tests.rs" || name.ends_with("_tests.rs");
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines
            .take_while(move |(_, line)| !is_test && *line != "#[cfg(test)]")
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Lines of code that contain one of `words`, as `path:line: text`.
    fn lines_with(&self, words: &[&str]) -> Vec<String> {
        let found = self.code().filter(|(_, line)| words.iter().any(|it| line.contains(it)));
        found.map(|(number, line)| format!("{}:{number}: {}", self.path, line.trim())).collect()
    }
}
