//! What the manifests say.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::Tree;
use crate::command::cargo;

/// One package of the workspace.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) is_published: bool,
    /// Its features, `default` left out.
    pub(crate) features: Vec<String>,
    /// Packages of this workspace that it depends on, and whether for its tests only.
    depends_on: Vec<(String, bool)>,
}

/// Which packages of ours each may depend on, the lowest first. Tests may use `fanfare-testkit`
/// too.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("fanfare-resp", &[]),
    ("fanfare-testkit", &[]),
    ("fanfare-allocator", &[]),
    ("fanfare-script", &["fanfare-resp"]),
    ("fanfare-engine", &["fanfare-resp", "fanfare-script"]),
    ("fanfare-client", &["fanfare-resp"]),
    ("fanfare-broker", &["fanfare-engine", "fanfare-resp"]),
    ("fanfare", &["fanfare-client", "fanfare-broker"]),
    ("fanfare-cli", &["fanfare", "fanfare-allocator", "fanfare-broker"]),
    ("fanfare-bench", &["fanfare", "fanfare-testkit"]),
    ("xtask", &[]),
];

/// The packages of the workspace.
pub(crate) fn packages() -> Result<Vec<Package>> {
    let output = cargo(["metadata", "--no-deps", "--format-version=1"])
        .output()
        .context("failed to run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata.get("packages").and_then(Value::as_array).context("no packages")?;
    packages.iter().map(|it| package(it).context("a package of another form")).collect()
}

fn package(value: &Value) -> Option<Package> {
    let dependencies = value.get("dependencies")?.as_array()?.iter();
    let depends_on = dependencies.filter(|it| it.get("path").is_some_and(Value::is_string));
    let features = value.get("features")?.as_object()?.keys();
    Some(Package {
        name: value.get("name")?.as_str()?.to_owned(),
        is_published: value.get("publish")?.is_null(),
        features: features.filter(|it| *it != "default").cloned().collect(),
        depends_on: depends_on
            .filter_map(|it| Some((it.get("name")?.as_str()?.to_owned(), it.get("kind")? == "dev")))
            .collect(),
    })
}

/// A lower crate never names a higher one, but for what its tests and benchmarks need.
pub(super) fn direction(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages {
        let Some((_, allowed)) = MAY_DEPEND_ON.iter().find(|it| it.0 == package.name) else {
            found.push(format!("{} is missing in xtask/src/tidy/packages.rs", package.name));
            continue;
        };
        for (name, is_dev) in &package.depends_on {
            // A crate's own tests may need a feature of it that nobody else's build gets.
            let for_tests = *is_dev
                && (["fanfare-testkit", "fanfare-allocator"].contains(&&**name)
                    || package.name == "xtask"
                    || package.name == *name);
            if !allowed.contains(&&**name) && !for_tests {
                found.push(format!("{} may not depend on {name}", package.name));
            }
        }
    }
    found
}

/// Every package takes the lints of the workspace, but for the one that calls C (docs/adr/0007-allocator.md).
pub(super) fn lints_everywhere(tree: &Tree) -> Vec<String> {
    let manifests = tree.files.iter().filter(|it| {
        it.path == "xtask/Cargo.toml"
            || (it.path.starts_with("crates/") && it.path.ends_with("/Cargo.toml"))
    });
    let without = manifests.filter(|it| {
        !it.path.contains("fanfare-allocator") && !it.text.contains("[lints]\nworkspace = true")
    });
    without.map(|it| format!("{}: no `[lints] workspace = true`", it.path)).collect()
}
