//! Which servers have a command: those newer than Redis 6.0, by the version that brought it.

/// The commands that some servers in use do not have.
const NEWER: &[(&str, &str)] = &[
    ("BLMOVE", "6.2"),
    ("BLMPOP", "7.0"),
    ("BZMPOP", "7.0"),
    ("COPY", "6.2"),
    ("EXPIRETIME", "7.0"),
    ("FCALL", "7.0"),
    ("FCALL_RO", "7.0"),
    ("GETDEL", "6.2"),
    ("GETEX", "6.2"),
    ("HEXPIRE", "7.4"),
    ("HGETDEL", "8.0"),
    ("HGETEX", "8.0"),
    ("HPERSIST", "7.4"),
    ("HPEXPIRE", "7.4"),
    ("HPTTL", "7.4"),
    ("HRANDFIELD", "6.2"),
    ("HSETEX", "8.0"),
    ("LMOVE", "6.2"),
    ("LMPOP", "7.0"),
    ("PEXPIRETIME", "7.0"),
    ("SINTERCARD", "7.0"),
    ("SMISMEMBER", "6.2"),
    ("SPUBLISH", "7.0"),
    ("SSUBSCRIBE", "7.0"),
    ("ZDIFF", "6.2"),
    ("ZINTER", "6.2"),
    ("ZMPOP", "7.0"),
    ("ZMSCORE", "6.2"),
    ("ZRANDMEMBER", "6.2"),
    ("ZRANGESTORE", "6.2"),
    ("ZUNION", "6.2"),
];

/// The end of a sentence about a command that is missing.
pub(super) fn who_has(name: &str) -> String {
    match NEWER.iter().find(|(newer, _)| *newer == name) {
        Some((_, version)) => format!(": it came with Redis {version}"),
        None => ": it may be renamed or disabled there, or part of a module".to_owned(),
    }
}
