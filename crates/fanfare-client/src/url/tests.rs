//! URLs as people write them, and what they are told when they err.

use super::*;

fn good(text: &str) -> ServerUrl {
    text.parse().unwrap_or_else(|error: Error| panic!("{text}: {error}"))
}

fn bad(text: &str) -> String {
    match text.parse::<ServerUrl>() {
        Ok(url) => panic!("{text} was accepted as {url}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn tcp_urls() {
    for (text, display) in [
        ("redis://localhost", "redis://localhost:6379"),
        ("redis://", "redis://127.0.0.1:6379"),
        ("redis://:secret@10.0.0.1:7000/3", "redis://:***@10.0.0.1:7000/3"),
        ("redis://bob:pa%2Fss%40@h/", "redis://bob:***@h:6379"),
        ("redis://[::1]:6380", "redis://[::1]:6380"),
        ("redis://[fe80::1]", "redis://[fe80::1]:6379"),
        ("REDIS://h?db=2&protocol=2", "redis://h:6379/2"),
        ("rediss://h:1?server_name=x&ca_file=/ca.pem", "rediss://h:1"),
        ("redis+unix:///run/my%20redis.sock?db=1", "redis+unix:///run/my redis.sock?db=1"),
        ("redis+unix://u:p@/run/r.sock", "redis+unix://u:***@/run/r.sock"),
        ("redis+cluster://:p@a,b:1/0", "redis+cluster://:***@a:6379,b:1"),
        ("redis+sentinel://h/mymaster", "redis+sentinel://h:26379/mymaster"),
        (
            "rediss+sentinel://u:p@a,b:1,[::1]/my-cache/2?sentinel_password=x",
            "rediss+sentinel://u:***@a:26379,b:1,[::1]:26379/my-cache/2",
        ),
    ] {
        assert_eq!(good(text).to_string(), display, "{text}");
    }
}

#[test]
fn secrets_are_decoded_and_hidden() {
    let url = good("redis://bob:p%40%00%ff@h");
    assert_eq!(url.login.password.as_ref().unwrap().reveal(), b"p@\x00\xff");
    assert!(!format!("{url} {url:?}").contains("p@"));
    assert_eq!(good("redis://a:b@c@h").login.password.unwrap().reveal(), b"b@c");
}

#[test]
fn errors_name_the_value_the_limit_and_the_cure() {
    for (text, needle) in [
        ("localhost", "redis://"),
        ("http://h", "unknown scheme `http:`"),
        ("redis://h:99999", "`99999` is not a number between 1 and 65535"),
        ("redis://h:0", "between 1 and 65535"),
        ("redis://::1", "brackets"),
        ("redis://[::1", "closing `]`"),
        ("redis://[zz]", "not an IPv6"),
        ("redis://h/x", "database `x`"),
        ("redis://h?colour=red", "unknown option `colour`"),
        ("redis://h?ca_file=/x", "rediss://"),
        ("redis://:50%@h", "%25"),
        ("redis://bob@h", "without a password"),
        ("redis://h#x", "%23"),
        ("redis+unix://run/x", "three slashes"),
        ("redis+unix:", "absolute path"),
        ("redis+sentinel://h", "redis+sentinel://host:26379/mymaster"),
        ("redis+sentinel://h/a%20b", "master's name"),
        ("redis+sentinel://h,:x/m", "`x` is not a number"),
        ("redis+sentinel://h/m?sentinel_username=x", "needs `sentinel_password`"),
        ("redis://h?sentinel_password=x", "needs `redis+sentinel://`"),
        ("redis://a,b", "several servers"),
        ("redis+cluster://h/1", "database 0 only"),
        ("redis+cluster://h?db=2", "database 0 only"),
        ("redis+cluster://a,,b:x", "`x` is not a number"),
        ("embedded:", "feature `embedded`"),
        ("rediss://h?dangerous_accept_any_certificate=maybe", "true or false"),
        ("rediss://h?cert_file=/x", "key_file"),
    ] {
        let message = bad(text);
        assert!(message.contains(needle), "{text}: {message}");
    }
}

#[test]
fn no_message_shows_a_piece_of_the_password() {
    for text in [
        "redis://:hun/ter2@h",
        "redis://:hun?ter2@h",
        "redis://:hun#ter2@h",
        "redis://:hun%ter2@h",
        "redis://bob:hun/ter2@h:6379/0",
        "redis+unix://:hun?ter2@/run/x",
        "redis+unix://:hun/ter2@/run/x",
    ] {
        let message = bad(text);
        assert!(!message.contains("hun") && !message.contains("ter2"), "{text}: {message}");
    }
}
