//! `# Stats`.

use super::source::Source;
use super::text::Text;

pub(super) fn stats(source: &Source<'_>, text: &mut Text) {
    traffic(source, text);
    keys(source, text);
    let active = source.active();
    text.field("pubsub_channels", active.n_channels);
    text.field("pubsub_patterns", active.n_patterns);
    text.field("pubsubshard_channels", active.n_shard_channels);
    text.zeros(&[
        "latest_fork_usec",
        "total_forks",
        "migrate_cached_sockets",
        "slave_expires_tracked_keys",
        "active_defrag_hits",
        "active_defrag_misses",
        "active_defrag_key_hits",
        "active_defrag_key_misses",
        "total_active_defrag_time",
        "current_active_defrag_time",
    ]);
    let (n_keys, n_items) = source.shared.keyspace.n_tracked();
    text.field("tracking_total_keys", n_keys);
    text.field("tracking_total_items", n_items);
    text.field("tracking_total_prefixes", source.shared.prefixes.len());
    text.field("unexpected_error_replies", 0);
    text.field("total_error_replies", source.sum(|it| &it.n_error_replies));
    text.field("dump_payload_sanitizations", 0);
    text.field("total_reads_processed", source.sum(|it| &it.n_reads));
    text.field("total_writes_processed", source.sum(|it| &it.n_writes));
    text.zeros(&[
        "io_threaded_reads_processed",
        "io_threaded_writes_processed",
        "reply_buffer_shrinks",
        "reply_buffer_expands",
    ]);
    refused(source, text);
}

fn traffic(source: &Source<'_>, text: &mut Text) {
    let rates = source.shared.sampler.rates();
    text.field("total_connections_received", source.sum(|it| &it.n_connections_accepted));
    text.field("fanfare_clients_carried", source.sum(|it| &it.n_carried));
    text.field("total_commands_processed", source.sum(|it| &it.n_commands));
    text.field("instantaneous_ops_per_sec", format_args!("{:.0}", rates.commands));
    text.field("total_net_input_bytes", source.sum(|it| &it.n_bytes_read));
    text.field("total_net_output_bytes", source.sum(|it| &it.n_bytes_written));
    text.zeros(&["total_net_repl_input_bytes", "total_net_repl_output_bytes"]);
    text.ratio("instantaneous_input_kbps", rates.bytes_read / 1024.0);
    text.ratio("instantaneous_output_kbps", rates.bytes_written / 1024.0);
    text.ratio("instantaneous_input_repl_kbps", 0.0);
    text.ratio("instantaneous_output_repl_kbps", 0.0);
    text.field("rejected_connections", source.sum(|it| &it.n_connections_refused));
    text.zeros(&["sync_full", "sync_partial_ok", "sync_partial_err"]);
}

fn keys(source: &Source<'_>, text: &mut Text) {
    let shared = source.shared;
    let counts = shared.sampler.since_reset(shared.keyspace.totals());
    text.field("expired_subkeys", counts.n_fields_expired);
    text.field("expired_keys", counts.n_expired);
    text.ratio("expired_stale_perc", 0.0);
    text.zeros(&["expired_time_cap_reached_count", "expire_cycle_cpu_milliseconds"]);
    text.field("evicted_keys", counts.n_evicted);
    text.field("evicted_clients", 0);
    text.zeros(&["total_eviction_exceeded_time", "current_eviction_exceeded_time"]);
    text.field("keyspace_hits", counts.n_hits);
    text.field("keyspace_misses", counts.n_misses);
}

/// Fields of later versions: what is refused and who is cut off.
fn refused(source: &Source<'_>, text: &mut Text) {
    text.field("acl_access_denied_auth", source.sum(|it| &it.n_auth_failures));
    text.zeros(&["acl_access_denied_cmd", "acl_access_denied_key", "acl_access_denied_channel"]);
    let (query_kills, output_kills) =
        (source.sum(|it| &it.n_query_kills), source.sum(|it| &it.n_output_kills));
    text.field("client_query_buffer_limit_disconnections", query_kills);
    text.field("client_output_buffer_limit_disconnections", output_kills);
    text.field("client_panic_disconnections", source.sum(|it| &it.n_panic_kills));
}
