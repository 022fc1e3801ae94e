//! `# Pubsub`, which redis-server does not have: what was published and what became of it.

use std::sync::atomic::Ordering;

use super::source::Source;
use super::text::Text;

pub(super) fn pubsub(source: &Source<'_>, text: &mut Text) {
    let shared = source.shared;
    let active = source.active();
    let waiting = shared.mailboxes.iter().map(|it| it.n_bytes());
    text.field("pubsub_channels", active.n_channels);
    text.field("pubsub_patterns", active.n_patterns);
    text.field("pubsubshard_channels", active.n_shard_channels);
    text.field("pubsub_clients", source.clients().n_subscribed);
    text.field("pubsub_messages_published", source.sum(|it| &it.n_published));
    text.field("pubsub_messages_delivered", source.sum(|it| &it.n_delivered));
    text.field("pubsub_messages_lost_to_panics", source.sum(|it| &it.n_messages_lost));
    text.field("pubsub_output_limit_kills", source.sum(|it| &it.n_output_kills));
    text.field("pubsub_output_bytes_lost", source.sum(|it| &it.n_output_bytes_lost));
    text.field("pubsub_mailbox_bytes", waiting.sum::<usize>());
    text.field("pubsub_mailbox_waits", source.sum(|it| &it.n_mailbox_waits));
    let n_reading = shared.n_reading.load(Ordering::Relaxed);
    text.field("stream_subscriptions", shared.keyspace.pushed().n_live() + n_reading);
    text.field("stream_subscriptions_reading", n_reading);
    text.field("stream_push_fallbacks", source.sum(|it| &it.n_fallbacks));
}
