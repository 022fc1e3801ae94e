//! Facts that no reply shows in this crate: ACL categories follow from flags and groups.

use fanfare_engine::CommandTable;

#[test]
fn acl_categories_follow_from_flags_and_groups() {
    let table = CommandTable::new(&[]).expect("no renames, no conflict");
    for (name, expected) in [
        ("set", "write string slow"),
        ("get", "read string fast"),
        ("del", "keyspace write slow"),
        ("dbsize", "keyspace read fast"),
        ("flushall", "keyspace write slow dangerous"),
        ("multi", "fast transaction"),
        ("publish", "pubsub fast"),
        ("subscribe", "pubsub slow"),
        ("pubsub", "slow"),
        ("pubsub|help", "slow"),
        ("pubsub|numsub", "pubsub slow"),
        ("ping", "fast connection"),
    ] {
        let spec = table.specs().iter().find(|it| it.name == name).expect(name);
        assert_eq!(spec.acl_categories().collect::<Vec<_>>().join(" "), expected, "{name}");
    }
}
