//! The commands that walks are made of, by family, as [patterns](crate::grammar).

pub(crate) const STRINGS: &[&str] = &[
    "SET <string> <value> [NX|XX] [GET] [EXAT <unix>|PXAT <unix-ms>|EX <span>|PX <span>|KEEPTTL]",
    "SET <string> <value>",
    "SET <string> <int>",
    "GET <string>",
    "GETSET <string> <value>",
    "GETDEL <string>",
    "GETEX <string> [EXAT <unix>|PXAT <unix-ms>|EX <span>|PX <span>|PERSIST]",
    "SETNX <string> <value>",
    "(SETEX|PSETEX) <string> <span> <value>",
    "MSET (<string> <value>)+",
    "MSETNX (<key> <value>)+",
    "MGET <string>+",
    "APPEND <string> <value>",
    "STRLEN <string>",
    "SETRANGE <string> <offset> <value>",
    "(GETRANGE|SUBSTR) <string> <int> <int>",
    "(INCR|DECR) <string>",
    "(INCRBY|DECRBY) <string> <int>",
    "INCRBYFLOAT <string> <float>",
    "LCS <string> <string> [LEN] [IDX] [MINMATCHLEN <count>] [WITHMATCHLEN]",
    "SETBIT <string> <offset> <bit>",
    "GETBIT <string> <offset>",
    "BITCOUNT <string> [<int> <int> [BIT|BYTE]]",
    "BITPOS <string> <bit> [<int> [<int> [BIT|BYTE]]]",
    "BITOP (AND|OR|XOR|NOT) <string> <string>+",
];

pub(crate) const LISTS: &[&str] = &[
    "(LPUSH|RPUSH) <list> <value>+",
    "(LPUSH|RPUSH) <list> <value>+",
    "(LPUSHX|RPUSHX) <list> <value>+",
    "(LPOP|RPOP) <list> [<count>]",
    "LLEN <list>",
    "LRANGE <list> <index> <index>",
    "LINDEX <list> <index>",
    "LSET <list> <index> <value>",
    "LINSERT <list> (BEFORE|AFTER) <value> <value>",
    "LREM <list> <index> <value>",
    "LTRIM <list> <index> <int>",
    "LPOS <list> <value> [RANK <index>] [COUNT <count>] [MAXLEN <count>]",
    "LMOVE <list> <list> (LEFT|RIGHT) (LEFT|RIGHT)",
    "RPOPLPUSH <list> <list>",
    "LMPOP <numkeys> <list> <list> (LEFT|RIGHT) [COUNT <count>]",
    "LMPOP 1 <list> (LEFT|RIGHT) [COUNT <count>]",
    "(BLPOP|BRPOP) <list>+ <timeout>",
    "BLMOVE <list> <list> (LEFT|RIGHT) (LEFT|RIGHT) <timeout>",
    "BRPOPLPUSH <list> <list> <timeout>",
    "BLMPOP <timeout> <numkeys> <list> <list> (LEFT|RIGHT) [COUNT <count>]",
];

pub(crate) const HASHES: &[&str] = &[
    "(HSET|HMSET) <hash> (<field> <value>)+",
    "HSET <hash> (<field> <value>)+",
    "HSETNX <hash> <field> <value>",
    "(HGET|HEXISTS|HSTRLEN) <hash> <field>",
    "HMGET <hash> <field>+",
    "HDEL <hash> <field>+",
    "HLEN <hash>",
    "(HGETALL|HKEYS|HVALS) <hash>",
    "HINCRBY <hash> <field> <int>",
    "HINCRBYFLOAT <hash> <field> <float>",
    "HRANDFIELD <hash> [<count> [WITHVALUES]]",
];

pub(crate) const SETS: &[&str] = &[
    "SADD <set> <member>+",
    "SADD <set> <member>+",
    "SREM <set> <member>+",
    "SISMEMBER <set> <member>",
    "SMISMEMBER <set> <member>+",
    "(SMEMBERS|SCARD) <set>",
    "SMOVE <set> <set> <member>",
    "(SINTER|SUNION|SDIFF) <set>+",
    "(SINTERSTORE|SUNIONSTORE|SDIFFSTORE) <set> <set>+",
    "SINTERCARD <numkeys> <set> <set> [LIMIT <count>]",
    "SPOP <set> [<count>]",
    "SRANDMEMBER <set> [<count>]",
];

pub(crate) const SORTED_SETS: &[&str] = &[
    "ZADD <zset> (<score> <member>)+",
    "ZADD <zset> [NX|XX] [GT|LT] [CH] [INCR] (<score> <member>)+",
    "ZADD <zset> [NX|XX] [GT|LT] [CH] INCR <score> <member>",
    "ZINCRBY <zset> <score> <member>",
    "ZREM <zset> <member>+",
    "(ZSCORE|ZRANK|ZREVRANK) <zset> <member>",
    "ZMSCORE <zset> <member>+",
    "ZCARD <zset>",
    "ZCOUNT <zset> <bound> <bound>",
    "ZRANGE <zset> <index> <index> [REV] [WITHSCORES]",
    "ZRANGE <zset> <bound> <bound> BYSCORE [REV] [LIMIT <index> <index>] [WITHSCORES]",
    "ZREVRANGE <zset> <index> <index> [WITHSCORES]",
    "(ZRANGEBYSCORE|ZREVRANGEBYSCORE) <zset> <bound> <bound> [WITHSCORES] [LIMIT <index> <index>]",
    "ZRANGESTORE <zset> <zset> <index> <index> [REV]",
    "ZRANGESTORE <zset> <zset> <bound> <bound> BYSCORE [REV] [LIMIT <index> <index>]",
    "ZREMRANGEBYRANK <zset> <index> <index>",
    "ZREMRANGEBYSCORE <zset> <bound> <bound>",
    "(ZPOPMIN|ZPOPMAX) <zset> [<count>]",
    "ZMPOP <numkeys> <zset> <zset> (MIN|MAX) [COUNT <count>]",
    "(BZPOPMIN|BZPOPMAX) <zset>+ <timeout>",
    "BZMPOP <timeout> <numkeys> <zset> <zset> (MIN|MAX) [COUNT <count>]",
    "ZRANDMEMBER <zset> [<count> [WITHSCORES]]",
    "(ZUNION|ZINTER) <numkeys> <members> <members> [WEIGHTS <score> <score>] \
     [AGGREGATE (SUM|MIN|MAX)] [WITHSCORES]",
    "(ZUNION|ZINTER|ZDIFF) 3 <members> <members> <members> [WITHSCORES]",
    "(ZUNIONSTORE|ZINTERSTORE) <zset> <numkeys> <members> <members> [WEIGHTS <score> <score>] \
     [AGGREGATE (SUM|MIN|MAX)]",
    "ZDIFFSTORE <zset> <numkeys> <members> <members>",
    "ZINTERCARD <numkeys> <members> <members> [LIMIT <count>]",
];

pub(crate) const STREAMS: &[&str] = &[
    "XADD <stream> <new-id> (<field> <value>)+",
    "XADD <stream> [NOMKSTREAM] [MAXLEN [~|=] <length>|MINID [~|=] <id>] <new-id> (<field> <value>)+",
    "XADD <stream> (MAXLEN ~ <length>|MINID ~ <id>) LIMIT <count> <new-id> <field> <value>",
    "XDEL <stream> <id>+",
    "XTRIM <stream> (MAXLEN [~|=] <length>|MINID [~|=] <id>)",
    "XTRIM <stream> (MAXLEN ~ <length>|MINID ~ <id>) [LIMIT <count>]",
    "XLEN <stream>",
    "(XRANGE|XREVRANGE) <stream> <id-bound> <id-bound> [COUNT <count>]",
    "XREAD [COUNT <count>] STREAMS <stream> <after>",
    "XREAD [BLOCK 0] [COUNT <count>] STREAMS <stream> <stream> <after> <after>",
    "XSETID <stream> <id> [ENTRIESADDED <few>] [MAXDELETEDID <id>]",
    "XSETID <stream> <new-id> [ENTRIESADDED <few>]",
    "XINFO STREAM <stream> [FULL [COUNT <count>]]",
    "(COPY|RENAME|RENAMENX) <own-stream> <own-stream>",
    "COPY <own-stream> <own-stream> REPLACE",
];

/// Groups of streams. Times are so long ago, or so long, that a few milliseconds make no difference.
pub(crate) const GROUPS: &[&str] = &[
    "XGROUP CREATE <stream> <group> (0|$|<id>) [MKSTREAM] [ENTRIESREAD <few>]",
    "XGROUP CREATE <stream> <group> 0 [MKSTREAM]",
    "XGROUP SETID <stream> <group> (0|$|-|+|<id>) [ENTRIESREAD <few>]",
    "XGROUP (CREATECONSUMER|DELCONSUMER) <stream> <group> <consumer>",
    "XREADGROUP GROUP <group> <consumer> [COUNT <count>] [NOACK] STREAMS <stream> <new>",
    "XREADGROUP GROUP <group> <consumer> [COUNT <few>] STREAMS <stream> <new>",
    "XREADGROUP GROUP <group> <consumer> COUNT <few> STREAMS <stream> <new>",
    "XREADGROUP GROUP <group> <consumer> [COUNT <count>] STREAMS <stream> (0|<history>)",
    "XREADGROUP GROUP <group> <consumer> [BLOCK 0] [COUNT <count>] STREAMS <stream> <stream> \
     (<new>|<history>) (<new>|<new>|0)",
    "XACK <stream> <group> <id>+",
    "XACK <stream> <group> <id>+",
    "XPENDING <stream> <group>",
    "XPENDING <stream> <group> [IDLE <idle>] <id-bound> <id-bound> <count> [<consumer>]",
    "XCLAIM <stream> <group> <consumer> <idle> <id>+ [IDLE <idle>|TIME <past>] [RETRYCOUNT <few>] \
     [FORCE] [JUSTID] [LASTID <id>]",
    "XAUTOCLAIM <stream> <group> <consumer> <idle> <id-bound> [COUNT <count>] [JUSTID]",
    "XINFO (GROUPS <stream>|CONSUMERS <stream> <group>)",
    "XINFO STREAM <stream> FULL COUNT 0",
];

/// What streams and groups are made of.
pub(crate) const ENTRIES: &[&str] = &[
    "XADD <stream> <new-id> <field> <value>",
    "XADD <stream> <new-id> name <value>",
    "XADD <stream> <new-id> name <value>",
    "XADD <stream> <new-id> name <value> size <int>",
    "XGROUP CREATE <stream> <group> (0|0|$) [MKSTREAM]",
    "XREADGROUP GROUP <group> <consumer> [COUNT <few>] STREAMS <stream> <new>",
    "XREADGROUP GROUP <group> <consumer> [COUNT <few>] STREAMS <stream> <new>",
    "XACK <stream> <group> <id> <id> <id> <id>",
];

/// What takes all of them away.
pub(crate) const STREAM_ENDS: &[&str] =
    &["XGROUP DESTROY <stream> <group>", "XGROUP DESTROY <stream> <group>", "DEL <stream>"];

/// Sorted sets whose members all have one score.
pub(crate) const LEXSETS: &[&str] = &[
    "ZADD <lexset> [NX|XX] [CH] (0 <member>)+",
    "ZADD <lexset> (0 <member>)+",
    "ZREM <lexset> <member>+",
    "ZLEXCOUNT <lexset> <lex> <lex>",
    "ZRANGE <lexset> <lex> <lex> BYLEX [REV] [LIMIT <index> <index>]",
    "(ZRANGEBYLEX|ZREVRANGEBYLEX) <lexset> <lex> <lex> [LIMIT <index> <index>]",
    "ZRANGESTORE <lexset> <lexset> <lex> <lex> BYLEX [REV] [LIMIT <index> <index>]",
    "ZREMRANGEBYLEX <lexset> <lex> <lex>",
];

pub(crate) const KEYS: &[&str] = &[
    "(DEL|UNLINK) <key>",
    "(DEL|UNLINK|EXISTS) <key> [<key>] [<key>]",
    "TYPE <key>",
    "EXISTS <key>+",
    "(TTL|PTTL|EXPIRETIME|PEXPIRETIME) <key>",
    "(TTL|PTTL|EXPIRETIME|PEXPIRETIME|PERSIST) <key>",
    "(EXPIRE|PEXPIRE) <key> <span> [NX|XX|GT|LT] [XX|GT|LT]",
    "EXPIREAT <key> <unix> [NX|XX|GT|LT] [XX|GT|LT]",
    "EXPIREAT <key> <unix> [NX|XX|GT|LT]",
    "PEXPIREAT <key> <unix-ms> [NX|XX|GT|LT] [XX|GT|LT]",
    "PEXPIREAT <key> <unix-ms> [NX|XX|GT|LT]",
];

/// What fills keys again that the others empty.
pub(crate) const ADDITIONS: &[&str] = &[
    "SET <string> <value>",
    "APPEND <string> <value>",
    "(RPUSH|LPUSH) <list> <value>+",
    "(RPUSH|LPUSH) <list> <value>+",
    "HSET <hash> (<field> <value>)+",
    "SADD <set> <member>+",
    "SADD <set> <member>+",
    "ZADD <zset> (<score> <member>)+",
    "ZADD <zset> (<score> <member>)+",
    "ZADD <lexset> (0 <member>)+",
    "XADD <stream> <new-id> (<field> <value>)+",
    "XADD <stream> <new-id> (<field> <value>)+",
];

pub(crate) const FLUSHES: &[&str] =
    &["FLUSHDB [ASYNC|SYNC]", "FLUSHALL [ASYNC|SYNC]", "NOSUCH <value>"];

pub(crate) const TRANSACTIONS: &[&str] = &[
    "WATCH <key>+",
    "WATCH <key>",
    "UNWATCH",
    "MULTI",
    "MULTI",
    "SELECT 0",
    "SELECT (0|0|0|0|1|2)",
    "SELECT (0|0|1|99|x)",
];

pub(crate) const QUEUE_ENDS: &[&str] =
    &["EXEC", "EXEC", "EXEC", "EXEC", "EXEC", "DISCARD", "MULTI", "WATCH <key>"];

/// Fields that expire, in the words that the model understands.
pub(crate) const FIELDS: &[&str] = &[
    "HSET <own-hash> (<own-field> <value>)+",
    "HSET <own-hash> (<own-field> <value>)+",
    "HDEL <own-hash> <own-field>+",
    "(HLEN|HGETALL) <own-hash>",
    "HGET <own-hash> <own-field>",
    "HINCRBY <own-hash> number (1|-3)",
    "DEL <own-hash>",
    "HPEXPIRE <own-hash> <milliseconds> [NX|XX|GT|LT] FIELDS 2 <own-field> <own-field>",
    "HEXPIRE <own-hash> (0|1|2) [NX|XX|GT|LT] FIELDS 1 <own-field>",
    "HPEXPIREAT <own-hash> (1|1900000000000) [NX|XX|GT|LT] FIELDS 1 <own-field>",
    "(HPTTL|HTTL|HPEXPIRETIME|HEXPIRETIME|HPERSIST) <own-hash> FIELDS 2 <own-field> number",
    "(HPTTL|HTTL|HPERSIST|HGETDEL) <own-hash> FIELDS 2 <own-field> <own-field>",
    "HGETEX <own-hash> [PX <milliseconds>|EX (1|2)|PXAT 1|PERSIST] FIELDS 2 <own-field> <own-field>",
    "HSETEX <own-hash> [FNX|FXX] [PX <milliseconds>|EX (1|2)|PXAT 1|KEEPTTL] \
     FIELDS 2 <own-field> <value> <own-field> <value>",
    "HPEXPIRE <own-hash> <milliseconds> FIELDS 1 number",
];

/// Whatever else redis-server 7.0 lacks.
pub(crate) const NEWER: &[&str] = &[
    "SET <own-string> <value>",
    "GET <own-string>",
    "BITOP (DIFF|DIFF1|ANDOR|ONE) <own-string> <own-string> <own-string>+",
    "BITOP ONE <own-string> <own-string>",
    "ZADD z1 (<milliseconds> <own-field>)+",
    "(ZRANK|ZREVRANK) z1 <own-field> WITHSCORE",
];
