//! COMMAND: what it says of commands. The oracle compares every one of them with redis-server; here are the shapes.

use crate::check::check;

#[test]
fn info_has_flags_keys_and_categories() {
    check(
        "
> COMMAND INFO get nope client|nope ping|x
<2 *4 *10 $3 get :2 *2 +readonly +fast :1 :1 :1 *3 +@read +@string +@fast *0
<3 *4 *10 $3 get :2 ~2 +readonly +fast :1 :1 :1 ~3 +@read +@string +@fast ~0
<2 *1 *6 $5 flags *2 +RO +access
<3 ~1 %3 $5 flags ~2 +RO +access
<2 $12 begin_search *4 $4 type $5 index $4 spec *2 $5 index :1
<3 $12 begin_search %2 $4 type $5 index $4 spec %1 $5 index :1
<2 $9 find_keys *4 $4 type $5 range $4 spec *6 $7 lastkey :0 $7 keystep :1 $5 limit :0
<3 $9 find_keys %2 $4 type $5 range $4 spec %3 $7 lastkey :0 $7 keystep :1 $5 limit :0
<2 *0 $-1 $-1 $-1
<3 ~0 _ _ _
> COMMAND INFO DEL
<2 *1 *10 $3 del :-2 *1 +write :1 :-1 :1 *3 +@keyspace +@write +@slow
<3 *1 *10 $3 del :-2 ~1 +write :1 :-1 :1 ~3 +@keyspace +@write +@slow
<2 *2 $26 request_policy:multi_shard $23 response_policy:agg_sum
<3 ~2 $26 request_policy:multi_shard $23 response_policy:agg_sum
<2 *1 *6 $5 flags *2 +RM +delete
<3 ~1 %3 $5 flags ~2 +RM +delete
<2 $12 begin_search *4 $4 type $5 index $4 spec *2 $5 index :1
<3 $12 begin_search %2 $4 type $5 index $4 spec %1 $5 index :1
<2 $9 find_keys *4 $4 type $5 range $4 spec *6 $7 lastkey :-1 $7 keystep :1 $5 limit :0 *0
<3 $9 find_keys %2 $4 type $5 range $4 spec %3 $7 lastkey :-1 $7 keystep :1 $5 limit :0 ~0
> COMMAND INFO ssubscribe
<2 *1 *10 $10 ssubscribe :-2 *4 +pubsub +noscript +loading +stale :1 :-1 :1 *2 +@pubsub +@slow *0
<3 *1 *10 $10 ssubscribe :-2 ~4 +pubsub +noscript +loading +stale :1 :-1 :1 ~2 +@pubsub +@slow ~0
<2 *1 *6 $5 flags *1 +not_key
<3 ~1 %3 $5 flags ~1 +not_key
<2 $12 begin_search *4 $4 type $5 index $4 spec *2 $5 index :1
<3 $12 begin_search %2 $4 type $5 index $4 spec %1 $5 index :1
<2 $9 find_keys *4 $4 type $5 range $4 spec *6 $7 lastkey :-1 $7 keystep :1 $5 limit :0 *0
<3 $9 find_keys %2 $4 type $5 range $4 spec %3 $7 lastkey :-1 $7 keystep :1 $5 limit :0 ~0
> COMMAND INFO role
<2 *1 *10 $4 role :1 *4 +noscript +loading +stale +fast :0 :0 :0 *3 +@admin +@fast +@dangerous *0 *0 *0
<3 *1 *10 $4 role :1 ~4 +noscript +loading +stale +fast :0 :0 :0 ~3 +@admin +@fast +@dangerous ~0 ~0 ~0
",
    );
}

#[test]
fn docs_are_a_map_of_maps() {
    check(
        "
> COMMAND DOCS nope auth client|id
<2 *4 $4 auth *12 $7 summary $26 Authenticate to the server $5 since $5 1.0.0
<3 %2 $4 auth %6 $7 summary $26 Authenticate to the server $5 since $5 1.0.0
< $5 group $10 connection
< $10 complexity $60 O(N) where N is the number of passwords defined for the user
<2 $7 history *1 *2 $5 6.0.0 $40 Added ACL style (username and password).
<3 $7 history ~1 *2 $5 6.0.0 $40 Added ACL style (username and password).
<2 $9 arguments *2 *8 $4 name $8 username $4 type $6 string $5 since $5 6.0.0 $5 flags *1 +optional
<3 $9 arguments *2 %4 $4 name $8 username $4 type $6 string $5 since $5 6.0.0 $5 flags ~1 +optional
<2 *4 $4 name $8 password $4 type $6 string
<3 %2 $4 name $8 password $4 type $6 string
<2 $9 client|id *8 $7 summary $48 Returns the client ID for the current connection
<3 $9 client|id %4 $7 summary $48 Returns the client ID for the current connection
< $5 since $5 5.0.0 $5 group $10 connection $10 complexity $4 O(1)
",
    );
}

#[test]
fn list_filters() {
    check(
        "
> COMMAND LIST FILTERBY PATTERN PI*
< *1 $4 ping
> COMMAND LIST FILTERBY PATTERN client|set*
< *2 $14 client|setinfo $14 client|setname
> COMMAND LIST FILTERBY ACLCAT Transaction
< *5 $7 discard $4 exec $5 multi $7 unwatch $5 watch
> COMMAND LIST FILTERBY ACLCAT nope
< *0
> COMMAND LIST FILTERBY MODULE any
< *0
> COMMAND LIST FILTERBY NOPE any
< -ERR syntax error
> COMMAND LIST FILTERBY PATTERN
< -ERR syntax error
> COMMAND LIST FILTERBY PATTERN a b
< -ERR syntax error
> COMMAND LIST nope
< -ERR syntax error
",
    );
}

#[test]
fn keys_of_a_command() {
    check(
        "
> COMMAND GETKEYS get a
< *1 $1 a
> COMMAND GETKEYS DEL a b c
< *3 $1 a $1 b $1 c
> COMMAND GETKEYS get a b
< -ERR Invalid number of arguments specified for command
> COMMAND GETKEYS nope a
< -ERR Invalid command specified
> COMMAND GETKEYS client nope
< -ERR Invalid command specified
> COMMAND GETKEYS client id
< -ERR The command has no key arguments
> COMMAND GETKEYS spublish a b
< -ERR The command has no key arguments
> COMMAND GETKEYSANDFLAGS set a b
<2 *1 *2 $1 a *2 +OW +update
<3 *1 *2 $1 a ~2 +OW +update
> COMMAND GETKEYSANDFLAGS set a b XX get
<2 *1 *2 $1 a *3 +RW +access +update
<3 *1 *2 $1 a ~3 +RW +access +update
",
    );
}
