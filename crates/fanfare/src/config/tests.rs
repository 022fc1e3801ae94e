//! Tables, builders and variables mean the same, and what is wrong is told.

use std::time::Duration;

use super::*;
use crate::{ErrorKind, Options};

fn read(json: &str) -> Result<Config, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

fn options(json: &str) -> Options {
    read(json).unwrap().options().unwrap()
}

fn refused(json: &str) -> String {
    match read(json) {
        Err(message) => message,
        Ok(config) => {
            let error = config.options().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOption, "{error}");
            error.to_string()
        }
    }
}

#[test]
fn the_tables_of_others_are_understood() {
    let url = |json: &str| options(json).url().to_string();
    assert_eq!(url("{}"), "redis://localhost:6379");
    assert_eq!(url(r#"{"host": "h", "port": 1, "db": 3, "password": "p"}"#), "redis://:***@h:1/3");
    assert_eq!(
        url(r#"{"host": "::1", "ssl": true, "ssl_cert_reqs": "required"}"#),
        "rediss://[::1]:6379"
    );
    assert_eq!(url(r#"{"redis_url": "redis://h:7/2", "db": null, "ssl": true}"#), "rediss://h:7/2");
    assert_eq!(
        url(r#"{"unix_socket_path": "/run/r.sock", "db": 1}"#),
        "redis+unix:///run/r.sock?db=1"
    );
    assert_eq!(
        url(r#"{"sentinels": [["a", 1], "b:2", "c"], "service_name": "my master"}"#.replace(' ', "").as_str()),
        "redis+sentinel://a:1,b:2,c:26379/mymaster"
    );
    assert_eq!(url(r#"{"startup_nodes": "a:1, b"}"#), "redis+cluster://a:1,b:6379");
    // All that the seeds of this library had in their tables.
    let all = options(
        r#"{
            "host": "localhost", "port": 6379, "db": 0, "password": "your_redis_password",
            "max_connections": 50, "socket_timeout": 5, "socket_connect_timeout": 5,
            "socket_keepalive": true, "socket_keepalive_options": {}, "decode_responses": true,
            "ssl": true, "ssl_cert_reqs": "required", "ssl_ca_certs": "/path/to/ca.crt",
            "ssl_certfile": "/path/to/client.crt", "ssl_keyfile": "/path/to/client.key",
            "retry_on_timeout": false, "health_check_interval": 0, "pool_size": 10
        }"#,
    );
    assert_eq!(all.timeout(), Duration::from_secs(5));
    assert_eq!(all.heartbeat_times().0, Duration::from_secs(5));
}

#[test]
fn durations_are_seconds_or_say_their_unit() {
    for (value, expected) in [
        ("2", 2000),
        ("0.25", 250),
        ("\"2\"", 2000),
        ("\"500ms\"", 500),
        ("\"1.5s\"", 1500),
        ("\"2m\"", 120_000),
    ] {
        let options = options(&format!("{{\"socket_timeout\": {value}}}"));
        assert_eq!(options.timeout(), Duration::from_millis(expected), "{value}");
    }
    for value in ["-1", "\"5x\"", "\"soon\"", "true", "[5]", "1e300"] {
        let told = refused(&format!("{{\"socket_timeout\": {value}}}"));
        assert!(told.contains("socket_timeout is") && told.contains("\"500ms\""), "{told}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (json, part) in [
        (r#"{"hots": "h"}"#, "did you mean `host`?"),
        (r#"{"max_conections": 5}"#, "did you mean `max_connections`?"),
        (r#"{"decode_response": true}"#, "did you mean `decode_responses`?"),
        (r#"{"colour": 1}"#, "there are: url, host, port"),
        (r#"{"port": 0}"#, "port is `0`; it must be a number between 1 and 65535"),
        (r#"{"port": "tcp://10.0.0.1:6379"}"#, "port is"),
        (r#"{"pool_size": 0}"#, "pool_size is `0`"),
        (r#"{"host": "redis://h"}"#, "host is \"redis://h\""),
        (r#"{"host": "h", "url": "redis://h"}"#, "url and host both say"),
        (r#"{"host": "h", "hostname": "i"}"#, "host and hostname say the same option"),
        (r#"{"host": "h", "host": "i"}"#, "host is there twice"),
        (r#"{"sentinels": ["h"]}"#, "sentinels needs sentinel_master"),
        (r#"{"sentinel_master": "m"}"#, "sentinel_master needs sentinels"),
        (r#"{"sentinels": [], "sentinel_master": "m"}"#, "sentinels is empty"),
        (r#"{"username": "u"}"#, "username needs password"),
        (r#"{"ssl_ca_certs": "ca.pem"}"#, "ssl_ca_certs needs ssl = true"),
        (r#"{"ssl": true, "ssl_certfile": "c.pem"}"#, "ssl_certfile needs ssl_keyfile"),
        (r#"{"url": "rediss://h", "ssl": false}"#, "which of them?"),
        (r#"{"ssl_cert_reqs": "none"}"#, "dangerous_accept_any_certificate"),
        (r#"{"ssl_check_hostname": false}"#, "tls_server_name"),
        (r#"{"retry_on_timeout": true}"#, "may have taken effect"),
        (r#"{"connection_pool": {"a": 1}}"#, "pool_size"),
        (r#"{"cluster_nodes": "h", "db": 1}"#, "namespace"),
        (r#"{"namespace": "a*"}"#, "namespace"),
        (r#"{"queue_overflow": "explode"}"#, "`drop_oldest`, `drop_newest`"),
        (r#"{"socket_timeout": 0}"#, "between 1 ms and 365 days"),
        (r#"{"client_name": "two words"}"#, "CLIENT SETNAME"),
    ] {
        let told = refused(json);
        assert!(told.contains(part), "{json}: {told}");
    }
}

#[test]
fn a_builder_means_the_same_as_a_table() {
    let table = options(
        r#"{"host": "h", "password": " p ", "socket_timeout": 2, "while_down": "fail_fast",
            "queue_overflow": "block", "queue_messages_max": 7, "pool_size": 3, "namespace": "a:"}"#,
    );
    let built = Config::new()
        .host("h")
        .password(" p ")
        .socket_timeout(Duration::from_secs(2))
        .while_down(crate::WhileDown::FailFast)
        .queue_overflow(crate::Overflow::Block)
        .queue_messages_max(7usize)
        .pool_size(3usize)
        .namespace("a:");
    assert_eq!(format!("{table:?}"), format!("{:?}", built.options().unwrap()));
}

#[test]
fn variables_are_read_and_typing_errors_found() {
    let vars = |vars: &[(&str, &str)]| {
        let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_vars("APP_REDIS_", vars.collect::<Vec<_>>())
    };
    let config = vars(&[
        ("APP_REDIS_HOST", "h"),
        ("APP_REDIS_PORT", "7"),
        ("APP_REDIS_SSL", "yes"),
        ("APP_REDIS_PASSWORD", ""),
        ("APP_REDIS_SERVICE_HOST", "somebody else's"),
        ("HOST", "not ours"),
    ]);
    assert_eq!(config.unwrap().options().unwrap().url().to_string(), "rediss://h:7");
    let typo = vars(&[("APP_REDIS_SOKCET_TIMEOUT", "1")]).unwrap_err().to_string();
    assert!(
        typo.contains("APP_REDIS_SOKCET_TIMEOUT: did you mean APP_REDIS_SOCKET_TIMEOUT"),
        "{typo}"
    );
    let wrong = vars(&[("APP_REDIS_PORT", "tcp://10.0.0.1:6379")]).unwrap_err().to_string();
    assert!(wrong.contains("APP_REDIS_PORT: port is"), "{wrong}");
    let twice = vars(&[("APP_REDIS_HOST", "h"), ("APP_REDIS_HOSTNAME", "i")]).unwrap_err();
    assert!(twice.to_string().contains("APP_REDIS_HOST and APP_REDIS_HOSTNAME say"), "{twice}");
}

#[test]
fn secrets_are_not_shown() {
    let config =
        read(r#"{"url": "redis://:hush1@h", "password": "hush2", "sentinel_password": "hush3"}"#);
    let shown = format!("{:?}", config.unwrap());
    assert!(!shown.contains("hush"), "{shown}");
    assert!(!refused(r#"{"password": ["hush"]}"#).contains("hush"));
}

#[test]
fn the_guide_lists_every_option() {
    let guide = include_str!("../../../../docs/guide/connect.md");
    for (name, aliases) in fields::NAMES {
        for name in std::iter::once(name).chain(*aliases) {
            assert!(guide.contains(&format!("`{name}`")), "the guide does not list `{name}`");
        }
    }
    for name in foreign::NAMES {
        assert!(guide.contains(&format!("`{name}`")), "the guide does not list `{name}`");
    }
}
