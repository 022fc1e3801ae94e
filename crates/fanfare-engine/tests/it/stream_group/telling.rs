//! What XINFO tells.
//!
//! docs/differences.md: D32
//! docs/differences.md: D33

use crate::check::check;

/// Fields that came with Redis 7.2 (`active-time`, `inactive`), 8.6 (`idmp-…`, `iids-…`, `pids-…`) and 8.8
/// (`nacked-count`); the latter two where there is something to tell (D32). There is no radix tree (D33), and a COUNT is
/// only a number (D36).
#[test]
#[expect(clippy::too_many_lines, reason = "one step after the other")]
fn newer_fields_tell_more() {
    check(
        r#"
> XADD s 1-0 n 1
< $3 1-0
> XADD s 2-0 n 2
< $3 2-0
> XGROUP CREATE s g 0
< +OK
> XGROUP CREATECONSUMER s g a
< :1
> XCLAIM s g b 0 1-0 2-0 FORCE JUSTID LASTID 2
< *2 $3 1-0 $3 2-0
> XNACK s g FAIL IDS 1 1-0
< :1
+1500
> XINFO CONSUMERS s g
<2 *2 *8
<3 *2 %4
< $4 name $1 a $7 pending :0 $4 idle :1500 $8 inactive :-1
<2 *8
<3 %4
< $4 name $1 b $7 pending :1 $4 idle :1500 $8 inactive :1500
# Who tries in vain was seen, and not active.
> XAUTOCLAIM s g a 1000000 2
< *3 $3 0-0 *0 *0
> XCLAIM s g b 1000000 2-0
< *0
> XCLAIM s g nobody 1000000 2-0
< *0
> XINFO CONSUMERS s g
<2 *3 *8
<3 *3 %4
< $4 name $1 a $7 pending :0 $4 idle :0 $8 inactive :-1
<2 *8
<3 %4
< $4 name $1 b $7 pending :1 $4 idle :0 $8 inactive :1500
<2 *8
<3 %4
< $4 name $6 nobody $7 pending :0 $4 idle :0 $8 inactive :-1
> XGROUP DELCONSUMER s g nobody
< :0
> XINFO STREAM s
<2 *20
<3 %10
< $6 length :2 $15 radix-tree-keys :1 $16 radix-tree-nodes :2 $17 last-generated-id $3 2-0
< $20 max-deleted-entry-id $3 0-0 $13 entries-added :2 $23 recorded-first-entry-id $3 1-0
< $6 groups :1
< $11 first-entry *2 $3 1-0 *2 $1 n $1 1 $10 last-entry *2 $3 2-0 *2 $1 n $1 2
> XINFO STREAM s FULL COUNT 1
<2 *18
<3 %9
< $6 length :2 $15 radix-tree-keys :1 $16 radix-tree-nodes :2 $17 last-generated-id $3 2-0
< $20 max-deleted-entry-id $3 0-0 $13 entries-added :2 $23 recorded-first-entry-id $3 1-0
< $7 entries *1 *2 $3 1-0 *2 $1 n $1 1
<2 $6 groups *1 *16
<3 $6 groups *1 %8
< $4 name $1 g $17 last-delivered-id $3 2-0
<2 $12 entries-read $-1 $3 lag :0
<3 $12 entries-read _ $3 lag :0
< $9 pel-count :2 $12 nacked-count :1
< $7 pending *1 *4 $3 1-0 $0  :0 :1
<2 $9 consumers *2 *10
<3 $9 consumers *2 %5
< $4 name $1 a $9 seen-time :1700000001500 $11 active-time :-1 $9 pel-count :0 $7 pending *0
<2 *10
<3 %5
< $4 name $1 b $9 seen-time :1700000001500 $11 active-time :1700000000000 $9 pel-count :1
< $7 pending *1 *3 $3 2-0 :1700000000000 :1
> XCFGSET s IDMP-DURATION 50
< +OK
> XADD s IDMP p i * n 3
< $15 1700000001500-0
> XADD s IDMP p i * n 3
< $15 1700000001500-0
> XTRIM s MAXLEN 0
< :3
> XINFO STREAM s
<2 *32
<3 %16
< $6 length :0 $15 radix-tree-keys :0 $16 radix-tree-nodes :1
< $17 last-generated-id $15 1700000001500-0
< $20 max-deleted-entry-id $3 0-0 $13 entries-added :3 $23 recorded-first-entry-id $3 0-0
< $13 idmp-duration :50 $12 idmp-maxsize :100 $12 pids-tracked :1 $12 iids-tracked :1
< $10 iids-added :1 $15 iids-duplicates :1 $6 groups :1
<2 $11 first-entry $-1 $10 last-entry $-1
<3 $11 first-entry _ $10 last-entry _
"#,
    );
}
