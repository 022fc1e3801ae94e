//! Whether the sentinels could do what they are there for.

use std::time::Duration;

use fanfare_client::{Error, ErrorKind, Link, Options, Topology, Value};
use tokio::time::timeout;

use super::{Ailment, Diagnosis};
use crate::{
    Fanfare,
    monitor::Severity::{Critical, Warning},
};

pub(super) const NO_QUORUM: Ailment = Ailment::new(
    "no-quorum",
    Critical,
    "When the master fails, no replica is promoted: everything stands until somebody does it by hand.",
    "Run three sentinels at least, each on a machine of its own, and see that they reach each other.",
);

/// So many can lose one and still have a majority.
const SENTINELS_MIN: u64 = 3;

/// What one sentinel says.
struct Answer {
    /// It and those that it knows.
    n_sentinels: u64,
    /// Why they could not fail over now, in its words.
    no_quorum: Option<String>,
}

/// Asks the first sentinel that answers.
pub(super) async fn check(fanfare: &Fanfare, limit: Duration, diagnosis: &mut Diagnosis) {
    let options = fanfare.link().options();
    let Topology::Sentinel(place) = options.url().topology() else { return };
    let mut error = Error::new(ErrorKind::NotConnected, "the URL names none");
    for (address, options) in place.sentinels().iter().zip(options.sentinels()) {
        let answer = match timeout(limit, ask(options, place.master())).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(failed)) => {
                error = failed;
                continue;
            }
            Err(_) => {
                let message = format!("{address} did not answer within {limit:?}");
                error = Error::new(ErrorKind::Timeout, message);
                continue;
            }
        };
        let (master, n) = (place.master(), answer.n_sentinels);
        let finding = match answer.no_quorum {
            Some(why) => NO_QUORUM.found(address.to_string(), format!("it says: {why}")),
            None if n < SENTINELS_MIN => {
                let few = if n == 1 { "one sentinel watches" } else { "two sentinels watch" };
                let evidence = format!("{few} {master}; none may fail");
                NO_QUORUM.found(address.to_string(), evidence).severity(Warning)
            }
            None => return,
        };
        let command = match address {
            fanfare_client::Address::Tcp { host, port } => {
                format!("redis-cli -h {host} -p {port} SENTINEL CKQUORUM {master}")
            }
            fanfare_client::Address::Unix { path } => {
                format!("redis-cli -s {} SENTINEL CKQUORUM {master}", path.display())
            }
        };
        return diagnosis.add(finding.command(command));
    }
    diagnosis.hidden("the sentinels", error);
}

async fn ask(options: Options, master: &str) -> Result<Answer, Error> {
    let link = Link::connect(options).await?;
    let asked = ask_on(&link, master.as_bytes()).await;
    link.close().await;
    asked
}

async fn ask_on(link: &Link, master: &[u8]) -> Result<Answer, Error> {
    let told = link.call(&[b"SENTINEL", b"MASTER", master]).await?;
    let n_others = field(&told, "num-other-sentinels").and_then(|it| it.parse().ok());
    let n_others: u64 = n_others.unwrap_or(0);
    let no_quorum = match link.call(&[b"SENTINEL", b"CKQUORUM", master]).await {
        Ok(_) => None,
        Err(error) if error.server_code() == Some("NOQUORUM") => Some(error.message().to_owned()),
        Err(error) => return Err(error),
    };
    Ok(Answer { n_sentinels: n_others + 1, no_quorum })
}

/// A field of what is names and values in turn, or a map.
fn field(told: &Value, name: &str) -> Option<String> {
    let text = |it: &Value| it.as_str().map(str::to_owned);
    match told {
        Value::Map(pairs) => pairs.iter().find(|it| it.0.as_str() == Some(name)).map(|it| &it.1),
        Value::Array(words) => {
            let at = words.iter().position(|it| it.as_str() == Some(name))?;
            words.get(at + 1)
        }
        _ => None,
    }
    .and_then(text)
}
