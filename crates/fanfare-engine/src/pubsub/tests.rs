//! The registry by itself; what reactors make of it is checked by models in fanfare-broker.

use super::{ReactorId, ReactorSet, Registry};
use crate::host::Kind;

#[test]
fn counts_follow_subscriptions() {
    let registry = Registry::new(1);
    let publish = |channel: &[u8]| {
        let mut reactors = Vec::new();
        let n = registry
            .publish(Kind::Channel, channel, |set| reactors = set.iter().map(|it| it.0).collect());
        (n, reactors)
    };
    assert_eq!(publish(b"a"), (0, vec![]));
    registry.subscribe(Kind::Channel, b"a", ReactorId(3), || ());
    registry.subscribe(Kind::Channel, b"a", ReactorId(200), || ());
    registry.subscribe(Kind::Pattern, b"*", ReactorId(3), || ());
    registry.subscribe(Kind::Shard, b"a", ReactorId(9), || ());
    assert_eq!(publish(b"a"), (3, vec![3, 200]));
    assert_eq!(publish(b"b"), (1, vec![3]));
    registry.unsubscribe(Kind::Channel, b"a", ReactorId(3), || ());
    registry.unsubscribe(Kind::Pattern, b"*", ReactorId(3), || ());
    assert_eq!(publish(b"a"), (1, vec![200]));
    assert_eq!(registry.active(Kind::Channel, None), vec![b"a".to_vec()]);
    registry.unsubscribe(Kind::Channel, b"a", ReactorId(200), || ());
    assert_eq!(registry.n_active(Kind::Channel), 0);
    assert_eq!(registry.n_active(Kind::Shard), 1);
    assert_eq!(registry.n_active(Kind::Pattern), 0);
}

#[test]
fn sets_of_reactors() {
    let mut set = ReactorSet::default();
    for id in [0, 63, 64, 255] {
        set.insert(ReactorId(id));
    }
    assert_eq!(set.iter().map(|it| it.0).collect::<Vec<_>>(), vec![0, 63, 64, 255]);
    assert!(set.contains(ReactorId(64)) && !set.contains(ReactorId(65)));
}
