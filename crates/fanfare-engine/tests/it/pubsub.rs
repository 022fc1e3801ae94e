//! Publish and subscribe: confirmations, counts, introspection.

use crate::check::check;

#[test]
fn each_name_is_confirmed_with_the_count() {
    check(
        "
> SUBSCRIBE a b a
<2 *3 $9 subscribe $1 a :1 *3 $9 subscribe $1 b :2 *3 $9 subscribe $1 a :2
<3 >3 $9 subscribe $1 a :1 >3 $9 subscribe $1 b :2 >3 $9 subscribe $1 a :2
> PSUBSCRIBE a*
<2 *3 $10 psubscribe $2 a* :3
<3 >3 $10 psubscribe $2 a* :3
> SSUBSCRIBE a
<2 *3 $10 ssubscribe $1 a :1
<3 >3 $10 ssubscribe $1 a :1
2> PUBLISH a hello
< :2
2> PUBLISH ab hello
< :1
2> SPUBLISH a hello
< :1
2> PUBLISH none hello
< :0
> UNSUBSCRIBE b x
<2 *3 $11 unsubscribe $1 b :2 *3 $11 unsubscribe $1 x :2
<3 >3 $11 unsubscribe $1 b :2 >3 $11 unsubscribe $1 x :2
> PUNSUBSCRIBE
<2 *3 $12 punsubscribe $2 a* :1
<3 >3 $12 punsubscribe $2 a* :1
> UNSUBSCRIBE
<2 *3 $11 unsubscribe $1 a :0
<3 >3 $11 unsubscribe $1 a :0
> UNSUBSCRIBE
<2 *3 $11 unsubscribe $-1 :0
<3 >3 $11 unsubscribe _ :0
> SUNSUBSCRIBE
<2 *3 $12 sunsubscribe $1 a :0
<3 >3 $12 sunsubscribe $1 a :0
> SUNSUBSCRIBE
<2 *3 $12 sunsubscribe $-1 :0
<3 >3 $12 sunsubscribe _ :0
> GET a
<2 $-1
<3 _
",
    );
}

#[test]
fn a_null_confirmation_carries_the_other_subscriptions() {
    check(
        "
> PSUBSCRIBE a* b*
<2 *3 $10 psubscribe $2 a* :1 *3 $10 psubscribe $2 b* :2
<3 >3 $10 psubscribe $2 a* :1 >3 $10 psubscribe $2 b* :2
> UNSUBSCRIBE
<2 *3 $11 unsubscribe $-1 :2
<3 >3 $11 unsubscribe _ :2
> SUNSUBSCRIBE x
<2 *3 $12 sunsubscribe $1 x :0
<3 >3 $12 sunsubscribe $1 x :0
",
    );
}

#[test]
fn subscribed_resp2_clients_are_restricted() {
    check("
> SSUBSCRIBE s
<2 *3 $10 ssubscribe $1 s :1
<3 >3 $10 ssubscribe $1 s :1
> GET a
<2 -ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context
<3 _
> PUBSUB NUMSUB
<2 -ERR Can't execute 'pubsub|numsub': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context
<3 *0
> PING
<2 *2 $4 pong $0
<3 +PONG
");
}

#[test]
fn inside_a_transaction() {
    check(
        "
> MULTI
< +OK
> SSUBSCRIBE s
< +QUEUED
> SUBSCRIBE b
< +QUEUED
> PSUBSCRIBE c
< +QUEUED
> PUBLISH b x
< +QUEUED
> UNSUBSCRIBE
< +QUEUED
> GET a
< +QUEUED
> EXEC
< *6 -ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client
<2 *3 $9 subscribe $1 b :1 *3 $10 psubscribe $1 c :2 :1 *3 $11 unsubscribe $1 b :1 $-1
<3 >3 $9 subscribe $1 b :1 >3 $10 psubscribe $1 c :2 :1 >3 $11 unsubscribe $1 b :1 _
> SSUBSCRIBE s
<2 *3 $10 ssubscribe $1 s :1
<3 >3 $10 ssubscribe $1 s :1
",
    );
}

#[test]
fn introspection() {
    check(
        "
> SUBSCRIBE a b
<2 *3 $9 subscribe $1 a :1 *3 $9 subscribe $1 b :2
<3 >3 $9 subscribe $1 a :1 >3 $9 subscribe $1 b :2
2> SUBSCRIBE a
<2 *3 $9 subscribe $1 a :1
<3 >3 $9 subscribe $1 a :1
2> PSUBSCRIBE p* q*
<2 *3 $10 psubscribe $2 p* :2 *3 $10 psubscribe $2 q* :3
<3 >3 $10 psubscribe $2 p* :2 >3 $10 psubscribe $2 q* :3
2> SSUBSCRIBE s
<2 *3 $10 ssubscribe $1 s :1
<3 >3 $10 ssubscribe $1 s :1
3> PUBSUB CHANNELS
< *2 $1 a $1 b
3> pubsub channels [ac]
< *1 $1 a
3> PUBSUB NUMSUB
< *0
3> PUBSUB NUMSUB a b c a
< *8 $1 a :2 $1 b :1 $1 c :0 $1 a :2
3> PUBSUB NUMPAT
< :2
3> PUBSUB SHARDCHANNELS
< *1 $1 s
3> PUBSUB SHARDNUMSUB s a
< *4 $1 s :1 $1 a :0
",
    );
}

#[test]
fn introspection_refuses_as_redis() {
    check(
        "
> PUBSUB
< -ERR wrong number of arguments for 'pubsub' command
> PUBSUB FOO
< -ERR unknown subcommand 'FOO'. Try PUBSUB HELP.
> PUBSUB CHANNELS a b
< -ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP.
> PUBSUB shardchannels a b
< -ERR unknown subcommand or wrong number of arguments for 'shardchannels'. Try PUBSUB HELP.
> PUBSUB NUMPAT a
< -ERR wrong number of arguments for 'pubsub|numpat' command
> SUBSCRIBE
< -ERR wrong number of arguments for 'subscribe' command
> PUBLISH a
< -ERR wrong number of arguments for 'publish' command
",
    );
}

#[test]
fn help() {
    check("
> PUBSUB HELP
< *14 +PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:
< +CHANNELS [<pattern>] +    Return the currently active channels matching a <pattern> (default: '*').
< +NUMPAT +    Return number of subscriptions to patterns.
< +NUMSUB [<channel> ...] +    Return the number of subscribers for the specified channels, excluding
< +    pattern subscriptions(default: no channels).
< +SHARDCHANNELS [<pattern>]
< +    Return the currently active shard level channels matching a <pattern> (default: '*').
< +SHARDNUMSUB [<shardchannel> ...]
< +    Return the number of subscribers for the specified shard level channel(s)
< +HELP +    Prints this help.
");
}
