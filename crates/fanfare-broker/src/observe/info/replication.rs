//! `# Replication` and `# Cluster`: a master that stands alone.

use super::source::Source;
use super::text::Text;

pub(super) fn replication(source: &Source<'_>, text: &mut Text) {
    text.field("role", "master");
    text.field("connected_slaves", 0);
    text.field("master_failover_state", "no-failover");
    text.field("master_replid", &source.shared.identity.replication_id);
    text.field("master_replid2", "0".repeat(40));
    text.field("master_repl_offset", 0);
    text.field("second_repl_offset", -1);
    text.zeros(&[
        "repl_backlog_active",
        "repl_backlog_size",
        "repl_backlog_first_byte_offset",
        "repl_backlog_histlen",
    ]);
}

pub(super) fn cluster(_: &Source<'_>, text: &mut Text) {
    text.field("cluster_enabled", 0);
}
