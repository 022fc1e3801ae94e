//! What sets answer that redis-server can not be asked for.

use crate::check::check;

/// docs/differences.md: D15
#[test]
fn members_come_no_more_often_than_memory_allows() {
    check(
        "
> SADD k a
< :1
> SRANDMEMBER k -2
< *2 $1 a $1 a
> SRANDMEMBER k -16777217
< -ERR value is out of range
> SRANDMEMBER k -9223372036854775807
< -ERR value is out of range
> SRANDMEMBER missing -9223372036854775807
< *0
> SRANDMEMBER k 9223372036854775807
< *1 $1 a
",
    );
}

#[test]
fn a_random_member_tells_the_watching_client() {
    check(
        "
> SADD k a
< :1
> WATCH k
< +OK
2> SRANDMEMBER k
< $1 a
2> SPOP k
< $1 a
> MULTI
< +OK
> SCARD k
< +QUEUED
> EXEC
<2 *-1
<3 _
> WATCH k
< +OK
2> SADD k a
< :1
2> SPOP k 1
<2 *1 $1 a
<3 ~1 $1 a
> MULTI
< +OK
> EXEC
<2 *-1
<3 _
",
    );
}
