//! Settings of the operating system under a broker on this machine.

use std::{fs, path::Path};

use super::{Ailment, Diagnosis};
use crate::monitor::Severity::Info;

pub(super) const OVERCOMMIT: Ailment = Ailment::new(
    "no-overcommit",
    Info,
    "A snapshot, or the rewriting of the append-only file, may fail for lack of memory although there is enough.",
    "Let the system promise more memory than it has.",
);

pub(super) const HUGE_PAGES: Ailment = Ailment::new(
    "huge-pages",
    Info,
    "After a fork each write copies two megabytes; memory and delays grow.",
    "Use transparent huge pages only where a program asks for them.",
);

/// Looks below `root`, which is `/`.
pub(super) fn check(root: &Path, diagnosis: &mut Diagnosis) {
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    if read("proc/sys/vm/overcommit_memory").trim() == "0" {
        let finding = OVERCOMMIT.found("this machine", "vm.overcommit_memory is 0");
        diagnosis.add(finding.command("sysctl -w vm.overcommit_memory=1"));
    }
    if read("sys/kernel/mm/transparent_hugepage/enabled").contains("[always]") {
        let finding = HUGE_PAGES.found("this machine", "transparent huge pages are on for all");
        let command = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled";
        diagnosis.add(finding.command(command));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_where_the_system_has_them() {
        let root = std::env::temp_dir().join(format!("fanfare-host-{}", std::process::id()));
        let huge = root.join("sys/kernel/mm/transparent_hugepage");
        fs::create_dir_all(root.join("proc/sys/vm")).unwrap();
        fs::create_dir_all(&huge).unwrap();
        let mut told = Vec::new();
        for (overcommit, pages) in
            [("0", "[always] madvise never"), ("1", "always [madvise] never")]
        {
            fs::write(root.join("proc/sys/vm/overcommit_memory"), overcommit).unwrap();
            fs::write(huge.join("enabled"), pages).unwrap();
            let mut diagnosis = Diagnosis::default();
            check(&root, &mut diagnosis);
            told.push(diagnosis.findings.iter().map(|it| it.name).collect::<Vec<_>>());
        }
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(told, [vec!["no-overcommit", "huge-pages"], vec![]]);
    }
}
