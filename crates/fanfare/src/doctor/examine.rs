//! One examination, from the connection to the payloads.

use std::{collections::BTreeMap, path::Path, time::Duration};

use fanfare_client::{Error, ErrorKind, Topology, WhileDown};

use super::{
    Diagnosis, clients, evidence::Evidence, heard, host, memory, messages, options::Doctor, reach,
    safety, sentinels, slow, streams,
};
use crate::{
    Fanfare,
    monitor::{Snapshot, info::Info, node::places},
};

pub(super) async fn examine(doctor: &Doctor) -> Result<Diagnosis, Error> {
    let mut diagnosis = Diagnosis::default();
    let limit = doctor.deadline;
    let fanfare = Fanfare::builder(&doctor.url)
        .options(|it| {
            it.client_name("fanfare-doctor")
                .connect_timeout(limit)
                .request_timeout(limit)
                .while_down(WhileDown::FailFast)
        })
        .connect()
        .await;
    let fanfare = match fanfare {
        Ok(fanfare) => fanfare,
        Err(error) if is_about_url(&error) => return Err(error),
        Err(error) => {
            diagnosis.add(reach::finding(&place(&doctor.url), &error));
            return Ok(diagnosis);
        }
    };
    look_into(doctor, &fanfare, &mut diagnosis).await;
    fanfare.close().await;
    diagnosis.sort();
    Ok(diagnosis)
}

async fn look_into(doctor: &Doctor, fanfare: &Fanfare, diagnosis: &mut Diagnosis) {
    let limit = doctor.deadline;
    let nodes = nodes(fanfare, limit, diagnosis).await;
    let Some(first) = nodes.first() else { return };
    let at = fanfare.link().options().url().topology().to_string();
    let heard = match &doctor.listen {
        None => BTreeMap::new(),
        Some((time, patterns)) => {
            heard::listen(fanfare, *time, patterns).await.unwrap_or_else(|error| {
                diagnosis.hidden("what is published", error);
                BTreeMap::new()
            })
        }
    };
    let snapshot = snapshot(fanfare, limit, diagnosis).await;
    let has_sentinels = matches!(fanfare.link().options().url().topology(), Topology::Sentinel(_));
    let has_streams = !snapshot.streams.is_empty();
    for node in &nodes {
        memory::check(node, has_streams, diagnosis);
        clients::check(node, diagnosis);
        safety::check(node, has_streams, has_sentinels, diagnosis);
        safety::exposure(node, fanfare.link().options().url().is_tls(), diagnosis);
        slow::check(node, diagnosis);
        messages::keyspace_events(node, &snapshot, diagnosis);
    }
    sentinels::check(fanfare, limit, diagnosis).await;
    if doctor.looks_at_host && nodes.iter().any(|it| it.is_local) {
        host::check(Path::new("/"), diagnosis);
    }
    streams::check(fanfare, doctor, &snapshot, &first.cli, diagnosis).await;
    messages::round_trip(fanfare, &at, diagnosis).await;
    messages::names(fanfare, doctor, &snapshot, &heard, diagnosis).await;
    messages::payloads(&heard, diagnosis);
    messages::stored(fanfare, &at, diagnosis).await;
}

/// Everything about all nodes that answer; those that do not are findings.
async fn nodes(fanfare: &Fanfare, limit: Duration, diagnosis: &mut Diagnosis) -> Vec<Evidence> {
    let places = match places(fanfare).await {
        Ok(places) => places,
        Err((place, error)) => {
            diagnosis.add(reach::finding(&place.name, &error));
            return Vec::new();
        }
    };
    let mut nodes = Vec::new();
    for place in places {
        match Evidence::gather(fanfare, &place, limit, diagnosis).await {
            Ok(evidence) => {
                let server = Info::server(&evidence.info).unwrap_or_else(|| "unknown".to_owned());
                diagnosis.nodes.push(format!("{} ({server})", place.name));
                nodes.push(evidence);
            }
            Err(error) => diagnosis.add(reach::finding(&place.name, &error)),
        }
    }
    nodes
}

async fn snapshot(fanfare: &Fanfare, limit: Duration, diagnosis: &mut Diagnosis) -> Snapshot {
    let monitor = fanfare.broker_monitor().deadline(limit).find_streams("*").streams_max(1_000);
    let looked = monitor.channels_max(1_000).rules([]).look(Duration::ZERO).await;
    let mut snapshot = looked.unwrap_or_else(|error| {
        diagnosis.hidden("streams and channels", error);
        Snapshot::default()
    });
    // Who could not ask for INFO was told so already.
    snapshot.blind.retain(|it| !it.what.starts_with("INFO of "));
    diagnosis.blind.append(&mut snapshot.blind);
    if snapshot.other_streams != 0 {
        diagnosis.hidden("some streams", format!("{} more were found", snapshot.other_streams));
    }
    snapshot
}

fn is_about_url(error: &Error) -> bool {
    use ErrorKind::{InvalidOption, InvalidUrl, Unsupported};
    matches!(error.kind(), InvalidUrl | InvalidOption | Unsupported)
}

/// What a URL leads to, without its secrets.
fn place(url: &str) -> String {
    let parsed = url.parse::<fanfare_client::ServerUrl>();
    parsed.map_or_else(|_| "the broker".to_owned(), |it| it.topology().to_string())
}
