//! Proxies in front of the nodes of a cluster.

use std::time::Duration;

use fanfare::{
    Fanfare,
    testing::{self, Fault, Proxy, Way},
};
use fanfare_testkit::{ClusterGroup, ServerProcess};

use super::HOUR;
use crate::support::run;

/// Nodes that announce proxies in place of themselves. One is cut off from its clients, and all nodes
/// stay as they are: the subscription that was there goes to another one, and does not wait for an
/// answer from this one.
#[test]
fn a_node_of_a_cluster_that_vanishes_for_its_clients_is_left() {
    let group = ClusterGroup::start();
    run(async move {
        let mut proxies = Vec::new();
        for node in group.nodes() {
            let proxy = Proxy::start(node.addr())?;
            let port = proxy.addr().port().to_string();
            let set = ["CONFIG", "SET", "cluster-announce-port", &port];
            assert_eq!(node.client().call(&set), b"+OK\r\n");
            proxies.push(proxy);
        }
        let ports: Vec<String> =
            proxies.iter().map(|it| format!(":{}\r\n", it.addr().port())).collect();
        testing::eventually("all nodes know the ports of all proxies", async || {
            group.nodes().all(|node| {
                let slots = node.client().call(&["CLUSTER", "SLOTS"]);
                let slots = String::from_utf8_lossy(&slots).into_owned();
                ports.iter().all(|port| slots.contains(port))
            })
        })
        .await;

        let fanfare = Fanfare::builder(&format!("redis+cluster://{}", proxies[0].addr()))
            .options(|it| {
                it.heartbeat(Duration::from_millis(300), Duration::from_secs(5))
                    .connect_timeout(HOUR)
            })
            .connect()
            .await?;
        let mut subscription = fanfare.subscribe(["c"]).await?;
        let has_it = |node: &&ServerProcess| {
            node.client().call(&["PUBSUB", "NUMSUB", "c"]).ends_with(b":1\r\n")
        };
        let at = group.nodes().position(|node| has_it(&node)).ok_or("nobody has it")?;
        proxies[at].inject(Fault::Swallow(Way::Both));
        testing::expect_gap(&mut subscription).await;
        let elsewhere = || group.nodes().enumerate().filter(|(n, _)| *n != at).map(|it| it.1);
        testing::eventually("a subscriber elsewhere", async || elsewhere().any(|it| has_it(&it)))
            .await;
        let other = elsewhere().next().ok_or("no other node")?;
        other.client().call(&["PUBLISH", "c", "after"]);
        assert_eq!(testing::expect_message(&mut subscription).await.payload, "after");
        Ok(())
    });
}
