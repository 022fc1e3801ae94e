//! `# Server` and `# CPU`.

use std::sync::atomic::Ordering;

use super::source::{Source, directive};
use super::text::Text;
use crate::observe::process;

/// The Redis whose commands and replies are meant; clients branch on it.
const REDIS_VERSION: &str = "7.2.4";

pub(super) fn server(source: &Source<'_>, text: &mut Text) {
    let shared = source.shared;
    let identity = &shared.identity;
    let machine = process::machine();
    let config = shared.config.read();
    let config_file = config.config_file.as_ref().map(|it| it.display().to_string());
    let uptime_s = shared.uptime_ms() / 1000;
    text.field("redis_version", REDIS_VERSION);
    text.field("fanfare_version", env!("CARGO_PKG_VERSION"));
    text.field("redis_git_sha1", "00000000");
    text.field("redis_git_dirty", 0);
    text.field("redis_build_id", 0);
    text.field("redis_mode", "standalone");
    text.field("os", &machine.os);
    text.field("arch_bits", usize::BITS);
    text.field("monotonic_clock", "POSIX clock_gettime");
    text.field("multiplexing_api", if cfg!(target_os = "linux") { "epoll" } else { "kqueue" });
    text.field("atomicvar_api", "rust-core");
    text.field("gcc_version", "0.0.0");
    text.field("process_id", std::process::id());
    text.field("process_supervised", directive(&config, "supervised"));
    text.field("run_id", &identity.run_id);
    text.field("tcp_port", identity.port);
    text.field("server_time_usec", source.now_unix_us);
    text.field("uptime_in_seconds", uptime_s);
    text.field("uptime_in_days", uptime_s / (24 * 60 * 60));
    text.field("hz", config.hz);
    text.field("configured_hz", config.hz);
    text.field("lru_clock", source.now_unix_s() & 0xff_ffff);
    text.field("executable", one_line(&machine.executable));
    text.field("config_file", one_line(&config_file.unwrap_or_default()));
    text.field("io_threads_active", 0);
    text.field("fanfare_reactors", shared.mailboxes.len());
    text.field("fanfare_reactors_active", shared.n_active.load(Ordering::Relaxed));
    let mut n_listeners = 0;
    let mut listener = |line: String| {
        text.field(format_args!("listener{n_listeners}"), line);
        n_listeners += 1;
    };
    if identity.port != 0 {
        let bind = directive(&config, "bind");
        let binds: String = bind.split_whitespace().map(|it| format!(",bind={it}")).collect();
        listener(format!("name=tcp{binds},port={}", identity.port));
    }
    if !identity.unix_path.is_empty() {
        listener(format!("name=unix,bind={}", one_line(&identity.unix_path)));
    }
}

/// The threads of all reactors together do what is redis-server's main thread's work.
pub(super) fn cpu(_: &Source<'_>, text: &mut Text) {
    let cpu = process::cpu();
    let mut field = |name, seconds| text.field(name, format_args!("{seconds:.6}"));
    field("used_cpu_sys", cpu.system);
    field("used_cpu_user", cpu.user);
    field("used_cpu_sys_children", cpu.children_system);
    field("used_cpu_user_children", cpu.children_user);
    field("used_cpu_sys_main_thread", cpu.system);
    field("used_cpu_user_main_thread", cpu.user);
}

/// A path must not look like a field of its own.
fn one_line(path: &str) -> String {
    path.replace(['\r', '\n'], "_")
}
