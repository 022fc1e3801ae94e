//! `# Clients`.

use super::source::Source;
use super::text::Text;

pub(super) fn clients(source: &Source<'_>, text: &mut Text) {
    let totals = source.clients();
    let live = std::sync::Arc::clone(&*source.shared.live.read());
    text.field("connected_clients", totals.n_clients);
    text.field("cluster_connections", 0);
    text.field("maxclients", live.maxclients);
    text.field("client_recent_max_input_buffer", source.highest(|it| &it.input_bytes_peak));
    text.field("client_recent_max_output_buffer", source.highest(|it| &it.output_bytes_peak));
    text.field("blocked_clients", totals.n_blocked);
    text.field("tracking_clients", totals.n_tracking);
    text.field("clients_in_timeout_table", 0);
    text.zeros(&["total_blocking_keys", "total_blocking_keys_on_nokey"]);
    text.field("pubsub_clients", totals.n_subscribed);
    text.field("watching_clients", totals.n_watching);
}
