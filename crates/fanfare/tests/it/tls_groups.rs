//! TLS to sentinels, masters and nodes of a cluster, who speak it among each other as well.

use std::{path::Path, time::Duration};

use fanfare::{Error, ErrorKind, Fanfare, Subscription};
use fanfare_testkit::{ClusterGroup, SentinelGroup, TlsFiles};

use crate::{
    support::{TestResult, next, run},
    tls::{certificates, refused},
};

/// What is added to the URL of a group.
struct Query<'a>(&'a Path);

impl Query<'_> {
    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn trusting(&self, url: &str, ca: &str) -> String {
        format!("{url}?ca_file={}", self.file(ca))
    }

    /// With the certificate of this name.
    fn presenting(&self, url: &str, who: &str) -> String {
        let files = ["pem", "key"].map(|it| self.file(&format!("{who}.{it}")));
        let [cert, key] = files;
        format!("{}&cert_file={cert}&key_file={key}", self.trusting(url, "ca.pem"))
    }
}

/// The error says that it is TLS, and which option helps.
fn check(error: &Error, option: &str) {
    assert_eq!((error.kind(), error.code()), (ErrorKind::Tls, "FF-1102"), "{error:?}");
    assert!(error.to_string().contains(option), "{option} is not in {error:?}");
    let cure = fanfare::catalogue::explain(error.code()).map(|it| it.cure).unwrap_or_default();
    for option in ["ca_file", "server_name", "cert_file", "key_file"] {
        assert!(cure.contains(option), "{cure}");
    }
}

/// Whom a group of servers lets in that asks clients for certificates, and who lets it in.
async fn check_refusals(url: &str, query: &Query<'_>) -> TestResult {
    let known = query.presenting(url, "client");
    check(&refused(&known.replace("ca.pem", "other-ca.pem")).await?, "`ca_file`");
    check(&refused(&query.trusting(url, "ca.pem")).await?, "`cert_file`");
    check(&refused(&query.presenting(url, "stranger")).await?, "`cert_file`");
    check(&refused(&format!("{known}&server_name=elsewhere")).await?, "`server_name`");
    let plain = refused(&url.replace("rediss", "redis")).await?;
    assert!(plain.to_string().contains("`rediss://`"), "{plain:?}");
    Ok(())
}

async fn pub_sub(
    fanfare: &Fanfare,
    subscription: &mut Subscription,
    verb: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    loop {
        // While a failover goes on, it may fail, and reach nobody.
        let n = fanfare.command([verb, "c", "x"]).await.ok().and_then(|it| it.as_int());
        if n == Some(1) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(next(subscription).await?.payload, "x");
    Ok(())
}

#[test]
fn sentinels_and_a_failover_over_mutual_tls() {
    run(async {
        let dir = certificates()?;
        let files = TlsFiles { dir: dir.path(), auth_clients: "yes" };
        let mut group = tokio::task::block_in_place(|| SentinelGroup::start_with_tls(files));
        let query = Query(dir.path());
        check_refusals(&group.url(), &query).await?;

        let fanfare = Fanfare::connect(&query.presenting(&group.url(), "client")).await?;
        let mut subscription = fanfare.subscribe(["c"]).await?;
        pub_sub(&fanfare, &mut subscription, "PUBLISH").await?;
        let old = group.master().addr();
        group.master_mut().stop();
        tokio::task::block_in_place(|| group.wait_switched(old));
        pub_sub(&fanfare, &mut subscription, "PUBLISH").await?;
        fanfare.command(["SET", "key", "written to the new master"]).await?;
        Ok(())
    });
}

#[test]
fn a_cluster_and_a_failover_over_mutual_tls() {
    run(async {
        let dir = certificates()?;
        let files = TlsFiles { dir: dir.path(), auth_clients: "yes" };
        let timeout = Duration::from_millis(1_500);
        let mut group =
            tokio::task::block_in_place(|| ClusterGroup::start_with_tls(timeout, files));
        let query = Query(dir.path());
        check_refusals(&group.url(), &query).await?;

        let fanfare = Fanfare::connect(&query.presenting(&group.url(), "client")).await?;
        for n in 0..100 {
            fanfare.command(["SET", &format!("key:{n}"), "x"]).await?;
        }
        let mut subscription = fanfare.ssubscribe(["c"]).await?;
        pub_sub(&fanfare, &mut subscription, "SPUBLISH").await?;
        tokio::task::block_in_place(|| group.move_slot("c", || {}));
        pub_sub(&fanfare, &mut subscription, "SPUBLISH").await?;
        let port = group.owner("c").port();
        group.owner_mut("c").stop();
        tokio::task::block_in_place(|| group.wait_switched("c", port));
        pub_sub(&fanfare, &mut subscription, "SPUBLISH").await?;
        Ok(())
    });
}
