//! Every command: one file per family, one line per command in [`COMMANDS`].

mod admin;
mod conn;
mod key;
mod pubsub;
mod string;
mod txn;

use crate::Spec;

/// All commands, sorted by name. Dispatch, `COMMAND`, ACL categories and the generated docs read this list.
pub static COMMANDS: &[&Spec] = &[
    &conn::auth::AUTH,
    &conn::client::CLIENT,
    &conn::command::COMMAND,
    &admin::config::CONFIG,
    &key::dbsize::DBSIZE,
    &admin::debug::DEBUG,
    &string::incr::DECR,
    &string::incr::DECRBY,
    &key::del::DEL,
    &txn::multi::DISCARD,
    &conn::echo::ECHO,
    &txn::exec::EXEC,
    &key::exists::EXISTS,
    &key::expire::EXPIRE,
    &key::expire::EXPIREAT,
    &key::ttl::EXPIRETIME,
    &key::flush::FLUSHALL,
    &key::flush::FLUSHDB,
    &string::get::GET,
    &conn::hello::HELLO,
    &string::incr::INCR,
    &string::incr::INCRBY,
    &string::incr::INCRBYFLOAT,
    &admin::info::INFO,
    &admin::latency::LATENCY,
    &admin::monitor::MONITOR,
    &txn::multi::MULTI,
    &key::persist::PERSIST,
    &key::expire::PEXPIRE,
    &key::expire::PEXPIREAT,
    &key::ttl::PEXPIRETIME,
    &conn::ping::PING,
    &pubsub::subscribe::PSUBSCRIBE,
    &key::ttl::PTTL,
    &pubsub::publish::PUBLISH,
    &pubsub::pubsub::PUBSUB,
    &pubsub::subscribe::PUNSUBSCRIBE,
    &conn::quit::QUIT,
    &conn::reset::RESET,
    &admin::role::ROLE,
    &conn::select::SELECT,
    &string::set::SET,
    &admin::shutdown::SHUTDOWN,
    &admin::slowlog::SLOWLOG,
    &pubsub::publish::SPUBLISH,
    &pubsub::subscribe::SSUBSCRIBE,
    &pubsub::subscribe::SUBSCRIBE,
    &pubsub::subscribe::SUNSUBSCRIBE,
    &admin::time::TIME,
    &key::ttl::TTL,
    &key::r#type::TYPE,
    &key::del::UNLINK,
    &pubsub::subscribe::UNSUBSCRIBE,
    &txn::watch::UNWATCH,
    &txn::watch::WATCH,
];

#[cfg(test)]
mod tests {
    use super::COMMANDS;

    #[test]
    fn commands_are_sorted_and_documented() {
        assert!(COMMANDS.is_sorted_by_key(|spec| spec.name));
        for spec in COMMANDS.iter().flat_map(|it| std::iter::once(it).chain(it.subcommands)) {
            assert!(!spec.docs.summary.is_empty(), "{} has no summary", spec.name);
            assert!(!spec.docs.since.is_empty(), "{} has no first version", spec.name);
        }
    }
}
