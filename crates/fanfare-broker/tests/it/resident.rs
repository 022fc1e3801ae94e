//! The memory of a server process, as the system sees it.

/// Resident bytes of the process.
pub(crate) fn resident_bytes(pid: Option<u32>) -> u64 {
    let Some(pid) = pid else { panic!("the server does not run") };
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else {
        panic!("process {pid} is gone, or this system has no /proc");
    };
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
    let kib = line.and_then(|it| it.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_else(|| panic!("no VmRSS in:\n{status}")) * 1024
}
