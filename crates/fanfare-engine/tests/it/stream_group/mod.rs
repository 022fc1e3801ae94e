//! Groups of streams: what transcripts beside redis-server 7.0 can not show.

mod deleting;
mod giving_back;
mod pending;
mod recording;
mod telling;
mod waiting;

use crate::check::check;

/// The stream `s` of five entries.
const FIVE: &str = "
> XADD s 1-0 n 1
< $3 1-0
> XADD s 2-0 n 2
< $3 2-0
> XADD s 3-0 n 3
< $3 3-0
> XADD s 4-0 n 4
< $3 4-0
> XADD s 5-0 n 5
< $3 5-0
";

/// One more, a group `g`, and its consumer `c`, which has the five; the sixth nobody has.
const OF_SIX: &str = "
> XADD s 6-0 n 6
< $3 6-0
> XGROUP CREATE s g 0
< +OK
> XCLAIM s g c 0 1-0 2-0 3-0 4-0 5-0 FORCE JUSTID LASTID 5 RETRYCOUNT 3
< *5 $3 1-0 $3 2-0 $3 3-0 $3 4-0 $3 5-0
";

fn check_five(transcript: &str) {
    check(&[FIVE, transcript].concat());
}

fn check_five_of_six(transcript: &str) {
    check(&[FIVE, OF_SIX, transcript].concat());
}
