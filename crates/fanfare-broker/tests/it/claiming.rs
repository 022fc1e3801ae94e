//! Clients that wait to take over what others were given and do not acknowledge.

use crate::peer::{Peer, broker, info, wait_until};

/// As in Redis's own tests: the one in front takes the entry, and who claims gets it some time later, although it was
/// looked at in vain meanwhile.
#[test]
fn who_was_looked_at_in_vain_claims_in_time() {
    let broker = broker(|config| config.reactors = 2);
    let mut admin = Peer::of(&broker);
    admin.call(&["XGROUP", "CREATE", "k", "g", "$", "MKSTREAM"]);
    let (mut plain, mut claiming) = (Peer::of(&broker), Peer::of(&broker));
    for (n, peer, consumer, claim) in
        [(1, &mut plain, "a", &[][..]), (2, &mut claiming, "b", &["CLAIM", "100"])]
    {
        let start = ["XREADGROUP", "GROUP", "g", consumer, "BLOCK", "0"];
        peer.send(&[&start, claim, &["STREAMS", "k", ">"]].concat());
        wait_until("they are blocked", || info(&mut admin, "blocked_clients") == n);
    }
    let id = admin.call(&["XADD", "k", "*", "n", "1"]).text();
    for peer in [&mut plain, &mut claiming] {
        let reply = peer.read();
        assert_eq!(reply.items()[0].items()[1].items()[0].items()[0].text(), id);
    }
}
