//! Which test puts a broker into which bad state: no ailment comes without one.

use fanfare::doctor::AILMENTS;

/// Where the tests are.
const SOURCES: [&str; 4] = [
    include_str!("../doctor.rs"),
    include_str!("memory.rs"),
    include_str!("reach.rs"),
    include_str!("relay.rs"),
];

/// Every ailment, and the function that puts a broker into its state and has a doctor find it.
const FOUND_IN: &[(&str, &str)] = &[
    ("unreachable", "what_keeps_us_out_is_a_finding"),
    ("authentication", "what_keeps_us_out_is_a_finding"),
    ("no-answer", "what_keeps_us_out_is_a_finding"),
    ("not-redis", "what_keeps_us_out_is_a_finding"),
    ("not-ready", "a_script_that_does_not_end_is_found"),
    ("tls", "certificates_that_can_not_be_trusted_are_found"),
    ("refused", "a_server_that_refuses_to_serve_is_found"),
    ("no-maxmemory", "check_bad_settings"),
    ("eviction-policy", "check_bad_settings"),
    ("memory-full", "memory_that_is_full_or_was_emptied_is_found"),
    ("evicted-keys", "memory_that_is_full_or_was_emptied_is_found"),
    ("memory-fragmented", "memory_in_pieces_is_found"),
    ("connections-rejected", "clients_that_are_refused_or_slow_are_found"),
    ("many-clients", "what_would_hurt_later_is_found"),
    ("subscribers-killed", "subscribers_that_were_killed_are_found_on_fanfare"),
    ("slow-subscriber", "clients_that_are_refused_or_slow_are_found"),
    ("subscriber-buffer-unbounded", "check_bad_settings"),
    ("subscriber-buffer-small", "clients_that_are_refused_or_slow_are_found"),
    ("idle-timeout", "check_bad_settings"),
    ("no-tcp-keepalive", "check_bad_settings"),
    ("round-trip", "messages_that_do_not_come_back_are_found"),
    ("database-in-url", "messages_that_nobody_hears_or_can_read_are_found"),
    ("keyspace-events", "check_bad_settings"),
    ("nobody-subscribed", "messages_that_nobody_hears_or_can_read_are_found"),
    ("channel-names-alike", "messages_that_nobody_hears_or_can_read_are_found"),
    ("no-key-in-data", "messages_that_nobody_hears_or_can_read_are_found"),
    ("key-in-data", "messages_that_nobody_hears_or_can_read_are_found"),
    ("not-json", "messages_that_nobody_hears_or_can_read_are_found"),
    ("stream-unbounded", "streams_without_end_and_groups_without_consumers_are_found"),
    ("group-unconsumed", "streams_without_end_and_groups_without_consumers_are_found"),
    ("dead-consumer", "streams_without_end_and_groups_without_consumers_are_found"),
    ("dead-letters", "streams_without_end_and_groups_without_consumers_are_found"),
    ("no-password", "check_bad_settings"),
    ("databases-as-environments", "check_bad_settings"),
    ("streams-not-kept", "check_bad_settings"),
    ("no-fsync", "what_would_hurt_later_is_found"),
    ("save-failed", "failures_to_save_and_slow_commands_are_found"),
    ("no-quorum", "sentinels_that_could_not_fail_over_are_found"),
    ("exposed", "a_server_that_is_open_to_all_networks_is_found"),
    ("no-replica", "sentinels_without_a_replica_are_found"),
    ("replica-broken", "what_would_hurt_later_is_found"),
    ("old-version", "servers_of_old_versions_are_found"),
    ("keys-command", "check_bad_settings"),
    ("slow-commands", "failures_to_save_and_slow_commands_are_found"),
    ("slow-answers", "what_would_hurt_later_is_found"),
    ("no-overcommit", "the_machine_under_a_broker_is_looked_at"),
    ("huge-pages", "the_machine_under_a_broker_is_looked_at"),
];

/// From a function's name to its end.
fn body_of(function: &str) -> Option<&'static str> {
    let start = format!("fn {function}(");
    let of = |source: &'static str| source.split_once(&start)?.1.split("\n}\n").next();
    SOURCES.into_iter().find_map(of)
}

#[test]
fn every_ailment_was_seen_on_a_broker_that_had_it() {
    for ailment in AILMENTS {
        let name = ailment.name;
        let entry = FOUND_IN.iter().find(|it| it.0 == name);
        let (_, test) = entry.unwrap_or_else(|| panic!("no broker is put into the state {name}"));
        let body = body_of(test).unwrap_or_else(|| panic!("{name}: there is no {test}"));
        let finds = body.contains("examine(") && body.contains(&format!("{name:?}"));
        assert!(finds, "{test} does not look for {name}");
    }
    let known = |name: &str| AILMENTS.iter().any(|it| it.name == name);
    assert!(FOUND_IN.iter().all(|it| known(it.0)), "the table has what no doctor knows");
}

#[test]
fn every_ailment_has_a_name_of_its_own() {
    let mut names: Vec<_> = AILMENTS.iter().map(|it| it.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), AILMENTS.len());
    assert!(AILMENTS.iter().all(|it| it.consequence.ends_with('.') && it.cure.ends_with('.')));
}
