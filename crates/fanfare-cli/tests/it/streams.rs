//! `fanfare stream`.

use std::io::BufReader;

use serde_json::Value;

use crate::support::{Server, fails, fanfare, output_of, succeed, wait_for_line};

#[test]
fn a_stream_is_followed() {
    let server = Server::start(&[]);
    let url = server.url();
    let mut client = server.client();
    for n in ["1", "2", "3"] {
        client.call(&["XADD", "s", &format!("{n}-0"), "n", n, "n", "again"]);
    }
    client.call(&[&b"XADD"[..], b"s", b"4-0", b"n", b"\xff"]);
    let tail = |more: &[&str]| succeed(&[&["stream", "tail", "s", "-u", &url], more].concat());
    assert_eq!(tail(&["--from", "1", "-n", "2"]), "2-0 n=2 n=again\n3-0 n=3 n=again\n");
    let json = tail(&["--from", "0", "--count", "4", "--json"]);
    let entries: Vec<Value> = json.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(entries[0]["id"], "1-0");
    assert_eq!(entries[0]["fields"][1], serde_json::json!({"field": "n", "value": "again"}));
    assert_eq!(entries[3]["fields"][0]["value_hex"], "ff");

    // Without --from, what is added from now on.
    let mut new = fanfare(&["stream", "tail", "s", "-n", "1", "-u", &url]).spawn().unwrap();
    wait_for_line(&mut BufReader::new(new.stderr.take().unwrap()), "following s");
    client.call(&["XADD", "s", "5-0", "n", "5"]);
    assert_eq!(output_of(new).stdout, b"5-0 n=5\n");

    fails(&["stream", "tail", "s", "--from", "x", "-u", &url], 2, &["neither 0 nor $"]);
    client.call(&["SET", "text", "x"]);
    fails(&["stream", "tail", "text", "-u", &url], 1, &["WRONGTYPE"]);
}
