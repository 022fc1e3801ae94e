//! `# Keyspace`.

use super::source::Source;
use super::text::Text;

pub(super) fn keyspace(source: &Source<'_>, text: &mut Text) {
    let keyspace = &source.shared.keyspace;
    for db in 0..keyspace.n_databases() {
        let counts = keyspace.counts(u16::try_from(db).unwrap_or(u16::MAX));
        if counts.n_keys != 0 {
            let (keys, expires) = (counts.n_keys, counts.n_expires);
            // Finding the mean would take every stripe's lock; redis-server too prints 0 before it has looked.
            text.field(
                format_args!("db{db}"),
                format_args!("keys={keys},expires={expires},avg_ttl=0"),
            );
        }
    }
}
