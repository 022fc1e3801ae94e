//! `# Memory`.
//!
//! `used_memory` is what the process has in RAM that no file backs (heap and stacks, an allocator's reserve
//! included), not a count kept by the allocator; `used_memory_rss` is everything in RAM.

use super::source::{Source, directive};
use super::text::{Text, quotient};
use crate::observe::process;

pub(super) fn memory(source: &Source<'_>, text: &mut Text) {
    let process::Memory { resident, anonymous: used } = process::memory();
    let sampler = &source.shared.sampler;
    let peak = sampler.note_memory(used);
    let at_start = sampler.memory_at_start().min(used);
    let buffers = source.clients().buffer_bytes;
    let overhead = (at_start + buffers).min(used);
    let dataset = used - overhead;
    text.bytes("used_memory", used);
    text.bytes("used_memory_rss", resident);
    text.bytes("used_memory_peak", peak);
    text.percentage("used_memory_peak_perc", used, peak);
    text.field("used_memory_overhead", overhead);
    text.field("used_memory_startup", at_start);
    text.field("used_memory_dataset", dataset);
    text.percentage("used_memory_dataset_perc", dataset, used - at_start);
    text.field("allocator_allocated", used);
    text.field("allocator_active", resident);
    text.field("allocator_resident", resident);
    text.bytes("total_system_memory", process::machine().memory_bytes);
    no_scripts(text);
    {
        let config = source.shared.config.read();
        text.bytes("maxmemory", config.maxmemory_bytes);
        text.field("maxmemory_policy", directive(&config, "maxmemory-policy"));
    }
    let unused = resident.saturating_sub(used);
    text.ratio("allocator_frag_ratio", quotient(resident, used));
    text.field("allocator_frag_bytes", unused);
    text.ratio("allocator_rss_ratio", 1.0);
    text.field("allocator_rss_bytes", 0);
    text.ratio("rss_overhead_ratio", 1.0);
    text.field("rss_overhead_bytes", 0);
    text.ratio("mem_fragmentation_ratio", quotient(resident, used));
    text.field("mem_fragmentation_bytes", unused);
    text.zeros(&[
        "mem_not_counted_for_evict",
        "mem_replication_backlog",
        "mem_total_replication_buffers",
        "mem_clients_slaves",
    ]);
    text.field("mem_clients_normal", buffers);
    text.zeros(&["mem_cluster_links", "mem_aof_buffer"]);
    // The program that embeds the broker chooses it.
    text.field("mem_allocator", "unknown");
    text.field("active_defrag_running", 0);
    let lazyfree = &source.shared.lazyfree;
    text.field("lazyfree_pending_objects", lazyfree.n_pending());
    text.field("lazyfreed_objects", lazyfree.n_freed());
}

fn no_scripts(text: &mut Text) {
    text.zeros(&["used_memory_lua", "used_memory_vm_eval"]);
    text.field("used_memory_lua_human", "0B");
    text.zeros(&[
        "used_memory_scripts_eval",
        "number_of_cached_scripts",
        "number_of_functions",
        "number_of_libraries",
        "used_memory_vm_functions",
    ]);
    text.bytes("used_memory_vm_total", 0);
    text.field("used_memory_functions", 0);
    text.bytes("used_memory_scripts", 0);
}
