//! Conversations with scripted bytes and virtual time.

use std::time::Duration;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

struct Script {
    core: Core<u32>,
    now: Instant,
    start: Instant,
}

impl Script {
    fn new(role: Role) -> Self {
        let start = Instant::now();
        let heartbeat = Heartbeat::new(5 * SECOND, 5 * SECOND, start);
        let core = Core::new(role, Limits::default(), heartbeat, BytesMut::new(), 1);
        Self { core, now: start, start }
    }

    /// Submits `commands` pings that must be answered within `timeout` seconds.
    fn submit(&mut self, token: u32, n_commands: usize, timeout: u32) {
        let bytes = Bytes::from("*1\r\n$4\r\nPING\r\n".repeat(n_commands));
        let deadline = self.now + timeout * SECOND;
        self.core.submit(Request { bytes, n_commands, deadline, token });
    }

    fn ask(&mut self, ask: Ask, kind: Kind, names: &[&'static str]) {
        let names = names.iter().map(|name| Bytes::from_static(name.as_bytes())).collect();
        self.core.ask(Batch { ask, kind, names });
    }

    /// The client writes all it has.
    fn sent(&mut self) -> String {
        let sent = String::from_utf8(self.core.output().to_vec()).unwrap();
        self.core.handle_written(sent.len());
        sent.replace("\r\n", " ").trim_end().to_owned()
    }

    /// The server says `text`, where a space stands for a line end.
    fn receive(&mut self, text: &str) {
        self.receive_bytes(format!("{text} ").replace(' ', "\r\n").as_bytes());
    }

    fn receive_bytes(&mut self, bytes: &[u8]) {
        self.core.input().extend_from_slice(bytes);
        self.core.handle_read(bytes.len(), self.now);
    }

    /// Lets time pass until `seconds` after the start, stopping at every timeout on the way.
    fn wait_until(&mut self, seconds: u32) -> Result<(), Error> {
        let end = self.start + seconds * SECOND;
        while let Some(at) = self.core.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.core.handle_timeout(self.now)?;
        }
        self.now = end;
        Ok(())
    }

    fn outputs(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.core.poll_output().unwrap()).map(|it| show(&it)).collect()
    }
}

/// The `n`th ping, as it is sent, and the word that its answer repeats.
fn ping(n: u32) -> String {
    format!("*2 $4 PING {}", word(n))
}

fn word(n: u32) -> String {
    format!("$24 0000000000000001{n:08x}")
}

fn show(output: &Output<u32>) -> String {
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    match output {
        Output::Replies { token, replies } => format!("{token}: {}", show_replies(replies)),
        Output::Message(incoming) => {
            let pattern = incoming.pattern.as_ref().map(|it| text(it) + " ").unwrap_or_default();
            format!("{pattern}{} {}", text(&incoming.channel), text(&incoming.payload))
        }
        Output::Confirmed { ask, target } => format!("{ask:?} {}", text(&target.name)),
        Output::Refused { batch, error } => format!("refused {}: {error}", batch.names.len()),
        Output::StreamPush(items) => format!("push of {}", items.len()),
    }
}

fn show_replies(replies: &Replies) -> String {
    let show = |reply: &Result<Value, Error>| match reply {
        Ok(value) => value.as_str().unwrap_or("?").to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    };
    replies.iter().map(show).collect::<Vec<_>>().join(" ")
}

#[test]
fn answers_find_their_requests_in_order() {
    let mut script = Script::new(Role::Commands);
    script.submit(1, 1, 5);
    script.submit(2, 3, 5);
    script.submit(3, 1, 5);
    script.receive("+a +b -ERR");
    assert_eq!(script.outputs(), ["1: a"]);
    script.receive("+d +e");
    assert_eq!(script.outputs(), ["2: b Server d", "3: e"]);
}

#[test]
fn who_asks_nothing_gets_nobody_elses_answer() {
    let mut script = Script::new(Role::Commands);
    script.submit(1, 0, 5);
    script.submit(2, 1, 5);
    assert_eq!(script.outputs(), ["1: "]);
    script.receive("+yours");
    assert_eq!(script.outputs(), ["2: yours"]);
}

#[test]
fn a_late_answer_belongs_to_nobody_else() {
    let mut script = Script::new(Role::Commands);
    script.submit(1, 2, 1);
    script.submit(2, 1, 4);
    script.receive("+a");
    assert_eq!(script.outputs(), [""; 0]);
    script.wait_until(2).unwrap();
    assert_eq!(script.outputs(), ["1: a Timeout"]);
    script.receive("+late +yours");
    assert_eq!(script.outputs(), ["2: yours"]);
}

#[test]
fn an_answer_that_came_in_time_may_be_read_late() {
    let mut script = Script::new(Role::Commands);
    script.submit(1, 1, 1);
    script.submit(2, 1, 1);
    assert!(!script.core.is_overdue(script.now));
    script.now += 2 * SECOND;
    assert!(script.core.is_overdue(script.now));
    script.receive("+arrived");
    assert_eq!(script.outputs(), ["1: arrived"]);
    script.core.handle_timeout(script.now).unwrap();
    assert_eq!(script.outputs(), ["2: Timeout"]);
    assert!(!script.core.is_overdue(script.now));
}

#[test]
fn every_deadline_is_kept_whatever_their_order() {
    let mut script = Script::new(Role::Commands);
    for (token, timeout) in [(1, 4), (2, 1), (3, 3), (4, 2)] {
        script.submit(token, 1, timeout);
    }
    for expected in ["2: Timeout", "4: Timeout", "3: Timeout", "1: Timeout"] {
        let elapsed = u32::try_from((script.now - script.start).as_secs()).unwrap();
        script.wait_until(elapsed + 1).unwrap();
        assert_eq!(script.outputs(), [expected]);
    }
}

#[test]
fn a_silent_server_is_pinged_and_then_given_up() {
    let mut script = Script::new(Role::Commands);
    script.wait_until(5).unwrap();
    assert_eq!(script.sent(), ping(1));
    script.receive(&word(1));
    assert_eq!(script.outputs(), [""; 0]);
    script.wait_until(14).unwrap();
    assert_eq!(script.sent(), ping(2));
    let dead = script.wait_until(15).unwrap_err();
    assert_eq!(dead.kind(), ErrorKind::Disconnected);
    assert!(dead.is_silence());
}

#[test]
fn a_quiet_connection_on_which_pings_are_answered_lives() {
    for (role, answer) in [
        (Role::Commands, word as fn(u32) -> String),
        (Role::Subscriptions, word),
        (Role::Subscriptions, |n| format!("*2 $4 pong {}", word(n))),
        // Those that do not repeat the word, or refuse.
        (Role::Commands, |_| "+PONG".to_owned()),
        (Role::Subscriptions, |_| "*2 $4 pong $0 ".to_owned()),
        (Role::Commands, |_| "-NOPERM".to_owned()),
    ] {
        let mut script = Script::new(role);
        for n in 1..100 {
            script.wait_until(5 * n).unwrap();
            assert_eq!(script.sent(), ping(n));
            script.receive(&answer(n));
            assert_eq!(script.outputs(), [""; 0]);
        }
    }
}

/// A bit has flipped in a length: what comes now is taken for a part of one large value.
const DEAF: [&str; 4] = ["$500000000", "*900000", ">900000", "*? $1 x"];

#[test]
fn a_flipped_length_is_noticed_by_the_first_answer_that_it_swallows() {
    for header in DEAF {
        for (role, answer) in [
            (Role::Commands, word(1)),
            (Role::Subscriptions, word(1)),
            (Role::Subscriptions, format!("*2 $4 pong {}", word(1))),
        ] {
            let mut script = Script::new(role);
            script.receive(header);
            // Much comes in time, so that nothing else would notice for hours.
            for second in 1..=4 {
                script.wait_until(second).unwrap();
                script.receive("+x ".repeat(1_000).trim_end());
                assert_eq!(script.outputs(), [""; 0], "{header}");
            }
            script.wait_until(5).unwrap();
            assert_eq!(script.sent(), ping(1));
            let answer = format!("{answer} ").replace(' ', "\r\n");
            let (first, second) = answer.as_bytes().split_at(answer.len() / 2);
            script.receive_bytes(first);
            assert_eq!(script.outputs(), [""; 0], "{header}");
            script.receive_bytes(second);
            let error = script.core.poll_output().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol, "{header}: {error}");
            assert!(error.to_string().contains("out of step"), "{header}: {error}");
        }
    }
}

#[test]
fn a_flipped_length_is_noticed_without_words_when_little_comes() {
    for header in DEAF {
        let mut script = Script::new(Role::Commands);
        script.receive(header);
        let mut last = Ok(());
        for second in 1..=10 {
            last = script.wait_until(second);
            if last.is_err() {
                break;
            }
            script.receive("+PONG");
            assert_eq!(script.outputs(), [""; 0], "{header}");
        }
        assert!(last.unwrap_err().is_silence(), "{header}");
        assert!(script.core.value_at() == script.start && script.core.alive_at() == script.start);
    }
}

#[test]
fn a_large_answer_on_its_way_is_life() {
    let mut script = Script::new(Role::Commands);
    script.submit(1, 1, 600);
    script.receive("$200000");
    for second in 1..=200 {
        script.wait_until(second).unwrap();
        script.receive_bytes(&[b'x'; 1000]);
        assert_eq!(script.outputs(), [""; 0]);
    }
    assert_eq!(script.sent().matches("PING $24").count(), 16);
    script.receive("");
    assert_eq!(script.outputs().len(), 1);
    for n in 1..=16 {
        script.receive(&word(n));
        assert_eq!(script.outputs(), [""; 0]);
    }
    script.wait_until(206).unwrap();
    assert_eq!(script.sent(), ping(17));
}

#[test]
fn a_large_request_on_its_way_is_life() {
    let mut script = Script::new(Role::Commands);
    let bytes = Bytes::from(vec![b'x'; 100_000]);
    let deadline = script.now + 600 * SECOND;
    script.core.submit(Request { bytes, n_commands: 1, deadline, token: 1 });
    for second in 1..=100 {
        script.core.handle_written(1_000);
        script.wait_until(second).unwrap();
    }
    assert!(script.sent().starts_with(&ping(1)));
    script.wait_until(104).unwrap();
    // From now on it could answer.
    assert!(script.wait_until(110).unwrap_err().is_silence());
}

#[test]
fn a_swallowed_answer_is_noticed_before_anybody_gets_another_ones() {
    let mut script = Script::new(Role::Commands);
    script.submit(1, 1, 1);
    script.submit(2, 1, 2);
    script.sent();
    // It was `:1` and `+two`.
    script.receive("*1 +two");
    assert_eq!(script.outputs(), ["1: ?"]);
    script.wait_until(2).unwrap();
    assert_eq!(script.outputs(), ["2: Timeout"]);
    assert_eq!(script.sent(), ping(1));
    script.submit(3, 1, 5);
    script.sent();
    script.receive(&word(1));
    let error = script.core.poll_output().unwrap_err();
    assert!(error.to_string().contains("out of step"), "{error}");
    let (failed, _) = script.core.give_up(&error);
    assert_eq!(show_replies(&failed[0].1), "Protocol");
}

#[test]
fn a_ping_takes_nobody_elses_answer() {
    for answer in [":1", "$24 000000000000000000000001", "$2 hi", "*0", "_"] {
        let mut script = Script::new(Role::Commands);
        script.wait_until(5).unwrap();
        script.receive(answer);
        let error = script.core.poll_output().unwrap_err();
        assert!(error.to_string().contains("out of step"), "{answer}: {error}");
    }
}

#[test]
fn a_confirmation_names_what_was_asked() {
    let mut script = Script::new(Role::Subscriptions);
    script.ask(Ask::Subscribe, Kind::Channel, &["a", "b"]);
    script.receive(">3 $9 subscribe $1 a :1 >3 $9 subscribe $1 c :2");
    assert!(script.core.poll_output().is_ok());
    assert_eq!(script.core.poll_output().unwrap_err().kind(), ErrorKind::Protocol);
    // But for a shard that moved away meanwhile.
    let mut script = Script::new(Role::Subscriptions);
    script.ask(Ask::Unsubscribe, Kind::Shard, &["a", "b"]);
    script.receive(">3 $12 sunsubscribe $1 c :2 >3 $12 sunsubscribe $1 a :1");
    assert_eq!(script.outputs(), ["Unsubscribe c", "Unsubscribe a"]);
    script.wait_until(5).unwrap();
    script.receive(&format!(">3 $12 sunsubscribe $1 b :0 {}", word(1)));
    assert_eq!(script.outputs(), ["Unsubscribe b"]);
}

#[test]
fn a_message_that_has_swallowed_others_is_none() {
    for (role, text) in [
        (Role::Subscriptions, "*6 $7 message $1 c $1 x *3 $7 message $1 c $1 y +z +z"),
        (Role::Commands, ">4 $7 message $1 c $1 x $1 y"),
        (Role::Subscriptions, ">3 $8 pmessage $1 p $1 c"),
    ] {
        let mut script = Script::new(role);
        script.receive(text);
        assert_eq!(script.core.poll_output().unwrap_err().kind(), ErrorKind::Protocol, "{text}");
    }
}

#[test]
fn what_was_sent_may_have_been_delivered_and_what_was_not_comes_back() {
    let mut script = Script::new(Role::Commands);
    script.submit(1, 1, 5);
    script.submit(2, 2, 5);
    script.submit(3, 1, 5);
    // The first request and one byte of the second go out.
    script.core.handle_written(15);
    let error = Error::new(ErrorKind::Disconnected, "gone");
    let (failed, unsent) = script.core.give_up(&error);
    let failed: Vec<_> = failed
        .iter()
        .map(|(token, replies)| {
            assert!(replies.iter().all(|it| it.as_ref().unwrap_err().may_have_been_delivered()));
            format!("{token}: {}", show_replies(replies))
        })
        .collect();
    assert_eq!(failed, ["1: Disconnected", "2: Disconnected Disconnected"]);
    assert_eq!(unsent.len(), 1);
    assert_eq!((unsent[0].token, unsent[0].n_commands), (3, 1));
    assert_eq!(unsent[0].bytes, "*1\r\n$4\r\nPING\r\n");
}

#[test]
fn what_was_answered_before_the_loss_stays_answered() {
    let mut script = Script::new(Role::Commands);
    script.submit(1, 3, 5);
    script.sent();
    script.receive("+a +b");
    assert_eq!(script.outputs(), [""; 0]);
    let (failed, _) = script.core.give_up(&Error::new(ErrorKind::Disconnected, "gone"));
    assert_eq!(show_replies(&failed[0].1), "a b Disconnected");
}

#[test]
fn resp2_subscribed_mode() {
    let mut script = Script::new(Role::Subscriptions);
    script.ask(Ask::Subscribe, Kind::Channel, &["a", "b"]);
    assert_eq!(script.sent(), "*3 $9 SUBSCRIBE $1 a $1 b");
    script.receive("*3 $9 subscribe $1 a :1 *3 $7 message $1 a $2 hi *3 $9 subscribe $1 b :2");
    assert_eq!(script.outputs(), ["Subscribe a", "a hi", "Subscribe b"]);
    script.wait_until(5).unwrap();
    assert_eq!(script.sent(), ping(1));
    script.receive(&format!("*2 $4 pong {} *4 $8 pmessage $2 a* $1 a $2 ho", word(1)));
    assert_eq!(script.outputs(), ["a* a ho"]);
    script.wait_until(10).unwrap();
}

#[test]
fn resp3_pushes_come_between_answers() {
    let mut script = Script::new(Role::Subscriptions);
    script.ask(Ask::Subscribe, Kind::Shard, &["s"]);
    script.wait_until(5).unwrap();
    script.receive(
        ">3 $10 ssubscribe $1 s :1 >3 $8 smessage $1 s $1 1 +PONG >3 $8 smessage $1 s $1 2",
    );
    assert_eq!(script.outputs(), ["Subscribe s", "s 1", "s 2"]);
    script.ask(Ask::Unsubscribe, Kind::Shard, &["s"]);
    script.receive(">3 $12 sunsubscribe $1 s :0");
    assert_eq!(script.outputs(), ["Unsubscribe s"]);
}

#[test]
fn a_refused_batch_is_told_apart_from_the_next() {
    let mut script = Script::new(Role::Subscriptions);
    script.ask(Ask::Subscribe, Kind::Channel, &["x", "y"]);
    script.ask(Ask::Subscribe, Kind::Pattern, &["p*"]);
    script.receive("-NOPERM >3 $10 psubscribe $2 p* :1");
    assert_eq!(script.outputs(), ["refused 2: NOPERM", "Subscribe p*"]);
}

#[test]
fn pushes_that_nobody_asked_for_do_no_harm() {
    let mut script = Script::new(Role::Commands);
    script.submit(1, 1, 5);
    script.receive(">2 $10 invalidate *1 $1 k +mine");
    assert_eq!(script.outputs(), ["1: mine"]);
    let mut script = Script::new(Role::Subscriptions);
    script.receive(">3 $12 sunsubscribe $1 s :0");
    assert_eq!(script.outputs(), ["Unsubscribe s"]);
}

#[test]
fn nonsense_ends_the_connection_with_a_reason() {
    for (text, needle) in
        [("hello", "not RESP"), ("+OK", "no request"), ("-ERR max number of", "max number")]
    {
        let mut script = Script::new(Role::Commands);
        script.core.input().extend_from_slice(format!("{text}\r\n").as_bytes());
        let error = script.core.poll_output().unwrap_err();
        assert!(error.to_string().contains(needle), "{text}: {error}");
    }
    let mut script = Script::new(Role::Subscriptions);
    script.receive(">2 $7 message $1 a");
    assert_eq!(script.core.poll_output().unwrap_err().kind(), ErrorKind::Protocol);
}

#[test]
fn output_is_bounded_by_what_the_driver_takes() {
    let mut script = Script::new(Role::Commands);
    let mut n_requests = 0;
    while script.core.has_room() {
        script.submit(n_requests, 100, 5);
        n_requests += 1;
    }
    assert!(n_requests < 1000);
    script.sent();
    assert!(script.core.has_room());
}
