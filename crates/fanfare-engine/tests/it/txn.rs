//! MULTI, EXEC, DISCARD, WATCH.

use crate::check::check;

#[test]
fn queued_commands_run_as_one() {
    check(
        "
> MULTI
< +OK
> SET a 1
< +QUEUED
> INCR a
< +QUEUED
2> GET a
<2 $-1
<3 _
> INCRBY a x
< +QUEUED
> GET a
< +QUEUED
> EXEC
< *4 +OK :2 -ERR value is not an integer or out of range $1 2
> MULTI
< +OK
> EXEC
< *0
> EXEC
< -ERR EXEC without MULTI
> DISCARD
< -ERR DISCARD without MULTI
",
    );
}

#[test]
fn a_refused_command_dooms_the_transaction() {
    check(
        "
> MULTI
< +OK
> SET a
< -ERR wrong number of arguments for 'set' command
> SET a 1
< +QUEUED
> EXEC
< -EXECABORT Transaction discarded because of previous errors.
> MULTI
< +OK
> NOSUCH
< -ERR unknown command 'NOSUCH', with args beginning with:
> EXEC
< -EXECABORT Transaction discarded because of previous errors.
> EXISTS a
< :0
",
    );
}

#[test]
fn commands_that_act_on_a_transaction_do_not_doom_it() {
    check(
        "
> MULTI
< +OK
> MULTI
< -ERR MULTI calls can not be nested
> WATCH a
< -ERR WATCH inside MULTI is not allowed
> SET a 1
< +QUEUED
> EXEC
< *1 +OK
> MULTI
< +OK
> SET a 2
< +QUEUED
> DISCARD
< +OK
> GET a
< $1 1
",
    );
}

#[test]
fn a_watched_key_that_changed_stops_exec() {
    check(
        "
> WATCH a b
< +OK
2> SET b 1
< +OK
> MULTI
< +OK
> SET a 1
< +QUEUED
> EXEC
<2 *-1
<3 _
> EXISTS a
< :0
# The watch is over.
> MULTI
< +OK
> SET a 1
< +QUEUED
> EXEC
< *1 +OK
# One's own writes count too, those of the transaction do not.
> WATCH a
< +OK
> SET a 1
< +OK
> MULTI
< +OK
> EXEC
<2 *-1
<3 _
> WATCH a
< +OK
> MULTI
< +OK
> INCR a
< +QUEUED
> UNWATCH
< +QUEUED
> EXEC
< *2 :2 +OK
",
    );
}

#[test]
fn unwatch_and_discard_forget() {
    check(
        "
> WATCH a
< +OK
2> SET a 1
< +OK
> UNWATCH
< +OK
> MULTI
< +OK
> GET a
< +QUEUED
> EXEC
< *1 $1 1
> WATCH a
< +OK
> MULTI
< +OK
> DISCARD
< +OK
2> SET a 2
< +OK
> MULTI
< +OK
> GET a
< +QUEUED
> EXEC
< *1 $1 2
",
    );
}

#[test]
fn expiry_is_a_change_unless_it_came_before_the_watch() {
    check(
        "
> SET a 1 PX 10
< +OK
> WATCH a
< +OK
+10
> MULTI
< +OK
> EXEC
<2 *-1
<3 _
> SET a 1 PX 10
< +OK
+10
> WATCH a
< +OK
> MULTI
< +OK
> EXEC
< *0
> SET a 1
< +OK
> WATCH a
< +OK
2> EXPIRE a 100
< :1
> MULTI
< +OK
> EXEC
<2 *-1
<3 _
",
    );
}

#[test]
fn flushes_change_only_what_is_there() {
    check(
        "
> WATCH a
< +OK
2> FLUSHALL
< +OK
> MULTI
< +OK
> EXEC
< *0
> SET a 1
< +OK
> WATCH a
< +OK
2> FLUSHDB
< +OK
> MULTI
< +OK
> EXEC
<2 *-1
<3 _
",
    );
}

#[test]
fn whole_databases_inside_exec() {
    check(
        "
> SET a 1
< +OK
> MULTI
< +OK
> SET b 1
< +QUEUED
> DBSIZE
< +QUEUED
> FLUSHDB
< +QUEUED
> DBSIZE
< +QUEUED
> FLUSHALL
< +QUEUED
> SET c 1
< +QUEUED
> EXEC
< *6 +OK :2 +OK :0 +OK +OK
> DBSIZE
< :1
",
    );
}

#[test]
fn a_doomed_transaction_with_a_changed_key_is_aborted() {
    check(
        "
> WATCH a
< +OK
> SET a 1
< +OK
> MULTI
< +OK
> GET
< -ERR wrong number of arguments for 'get' command
> EXEC
< -EXECABORT Transaction discarded because of previous errors.
> MULTI
< +OK
> EXEC
< *0
",
    );
}

#[test]
fn several_commands_may_want_all_of_a_database_that_was_never_used() {
    check(
        "
> MULTI
< +OK
> FLUSHALL
< +QUEUED
> DBSIZE
< +QUEUED
> DBSIZE
< +QUEUED
> SET a 1
< +QUEUED
> SET b 1
< +QUEUED
> SWAPDB 0 3
< +QUEUED
> SWAPDB 3 4
< +QUEUED
> DBSIZE
< +QUEUED
> EXEC
< *8 +OK :0 :0 +OK +OK +OK +OK :0
> SELECT 4
< +OK
> DBSIZE
< :2
",
    );
}
