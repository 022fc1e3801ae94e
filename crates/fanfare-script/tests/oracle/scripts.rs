//! The language, the sandbox, `redis` and the replies.

use super::Oracle;

#[test]
fn scripts_answer_as_redis_does() {
    let mut oracle = Oracle::start();
    for body in include_str!("scripts.txt").split("\n--\n") {
        oracle.eval(body.trim_end_matches('\n'), &[b"k1", b"k2"], &[b"a1", b"a2", b"a\x003"]);
    }
    oracle.finish();
}

#[test]
fn types_of_both_versions_of_the_protocol() {
    let mut oracle = Oracle::start();
    let kinds = [
        "string", "integer", "double", "null", "array", "set", "map", "bignum", "true", "false",
        "verbatim",
    ];
    for version in [2, 3] {
        for kind in kinds {
            let call = format!("redis.call('DEBUG', 'PROTOCOL', '{kind}')");
            oracle.script(format!("redis.setresp({version}) return {call}"));
            oracle.script(format!("redis.setresp({version}) return cjson.encode({call})"));
            oracle.script(format!(
                "redis.setresp({version}) local r = {call} redis.setresp(2) return r"
            ));
        }
    }
    oracle.finish();
}
