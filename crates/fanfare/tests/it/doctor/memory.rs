//! Memory that is full, was emptied by the server, or is in pieces.

use fanfare::monitor::Severity;
use fanfare_testkit::RedisServer;

use super::{examine, found, names, said};
use crate::support::{run, until};

#[test]
fn memory_that_is_full_or_was_emptied_is_found() {
    let server = RedisServer::start(&["--maxmemory", "20mb"]);
    run(async {
        let mut admin = server.client();
        let value = "x".repeat(1 << 20);
        let mut fill = |n| {
            for n in 0..n {
                admin.call(&["SET", &format!("k{n}"), &value]);
            }
        };
        fill(16);
        let diagnosis = examine(&server.url(), |it| it).await?;
        found(&diagnosis, "memory-full");
        server.client().call(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]);
        server.client().call(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
        fill(30);
        let diagnosis = examine(&server.url(), |it| it).await?;
        assert!(found(&diagnosis, "evicted-keys").evidence.contains("were evicted"));
        assert_eq!(found(&diagnosis, "eviction-policy").severity, Severity::Warning);
        Ok(())
    });
}

/// Every second value is deleted: what is left lies in pages that can not be given back.
#[test]
fn memory_in_pieces_is_found() {
    let server = RedisServer::start(&["--enable-debug-command", "yes"]);
    run(async {
        let mut admin = server.client();
        assert_eq!(said(&mut admin, &["DEBUG", "POPULATE", "240000", "key", "1000"]), "+OK\r\n");
        let whole = examine(&server.url(), |it| it).await?;
        assert!(!names(&whole).contains(&"memory-fragmented"), "{whole:?}");
        let delete = "for n = 0, 239999, 2 do redis.call('DEL', 'key:' .. n) end";
        said(&mut admin, &["EVAL", delete, "0"]);
        // The server looks only now and then how much it has.
        let is_seen = || {
            let info = said(&mut admin, &["INFO", "memory"]);
            let ratio = info.lines().find_map(|it| it.strip_prefix("mem_fragmentation_ratio:"));
            ratio.and_then(|it| it.parse::<f64>().ok()).is_some_and(|it| 1.5 < it)
        };
        until("its memory is in pieces", is_seen).await?;
        let diagnosis = examine(&server.url(), |it| it).await?;
        let finding = found(&diagnosis, "memory-fragmented");
        assert!(finding.evidence.contains("MiB in RAM that it uses"), "{finding:?}");
        assert_eq!(finding.severity, Severity::Warning);
        Ok(())
    });
}
