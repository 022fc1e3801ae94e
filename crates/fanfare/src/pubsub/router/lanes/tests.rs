//! One hand and many, every policy, and a plain list as the model.

use fanfare_client::Kind;

use super::*;

fn message(channel: &str, number: u64) -> Message {
    let (channel, payload) = (channel.to_owned().into(), number.to_string().into());
    Message::new(Kind::Channel, channel, payload, SystemTime::UNIX_EPOCH)
}

fn taken(lanes: &mut Lanes) -> Option<(String, u64)> {
    let message = lanes.take(Instant::now())?;
    let number = message.text().unwrap().parse().unwrap();
    Some((message.channel_name().into_owned(), number))
}

fn n_lanes(lanes: &Lanes) -> usize {
    match &lanes.waiting {
        Waiting::InLine { .. } => 0,
        Waiting::ByChannel(channels) => channels.lanes.len(),
    }
}

fn named(channel: &str, number: u64) -> Option<(String, u64)> {
    Some((channel.to_owned(), number))
}

#[test]
fn one_of_each_channel_at_a_time_and_the_oldest_first() {
    let mut lanes = Lanes::new(Queue::default(), 2);
    for (number, channel) in (0..).zip(["a", "a", "b", "a", "b"]) {
        lanes.push(message(channel, number));
    }
    assert_eq!(taken(&mut lanes), named("a", 0));
    assert_eq!(taken(&mut lanes), named("b", 2));
    assert_eq!(taken(&mut lanes), None);
    lanes.done(&"b".into());
    assert_eq!(taken(&mut lanes), named("b", 4));
    lanes.done(&"a".into());
    assert_eq!(taken(&mut lanes), named("a", 1));
    lanes.done(&"a".into());
    lanes.done(&"b".into());
    assert_eq!(taken(&mut lanes), named("a", 3));
    lanes.done(&"a".into());
    assert_eq!((lanes.len(), lanes.n_bytes(), n_lanes(&lanes)), (0, 0, 0));
}

#[test]
fn every_policy_keeps_its_bound() {
    let bounds = |overflow| Queue::new(overflow, 2, usize::MAX);
    let mut lanes = Lanes::new(bounds(Overflow::DropOldest), 2);
    for (number, channel) in (0..).zip(["a", "b"]) {
        assert_eq!(lanes.push(message(channel, number)), Pushed::Queued { n_dropped: 0 });
    }
    assert_eq!(lanes.push(message("c", 2)), Pushed::Queued { n_dropped: 1 });
    assert_eq!(taken(&mut lanes), named("b", 1));
    assert_eq!(taken(&mut lanes), named("c", 2));

    let mut lanes = Lanes::new(bounds(Overflow::DropNewest), 1);
    for number in 0..2 {
        lanes.push(message("a", number));
    }
    assert_eq!(lanes.push(message("a", 2)), Pushed::Dropped);
    assert_eq!(taken(&mut lanes), named("a", 0));

    let mut lanes = Lanes::new(bounds(Overflow::Disconnect), 1);
    for number in 0..2 {
        lanes.push(message("a", number));
    }
    assert_eq!(lanes.push(message("a", 2)), Pushed::Ended);

    // One message always fits.
    let mut lanes = Lanes::new(Queue::new(Overflow::DropOldest, 10, 1), 1);
    assert_eq!(lanes.push(message("a", 0)), Pushed::Queued { n_dropped: 0 });
    assert_eq!(lanes.push(message("a", 1)), Pushed::Queued { n_dropped: 1 });
    assert_eq!(taken(&mut lanes), named("a", 1));
}

/// Against a plain list: the same messages are taken in the same order, and nothing is kept of
/// channels of which nothing is there.
#[test]
fn lanes_do_what_a_list_does() {
    let seed = fanfare_testkit::seed();
    let mut rng = fanfare_testkit::Rng::new(seed);
    for round in 0..200 {
        // With one hand, all wait for whatever is being handled.
        let is_in_line = round % 2 == 0;
        let messages_max = usize::try_from(1 + rng.below(8)).unwrap();
        let mut lanes = Lanes::new(
            Queue::new(Overflow::DropOldest, messages_max, usize::MAX),
            if is_in_line { 1 } else { 9 },
        );
        let is_free = |busy: &[String], channel: &String| match is_in_line {
            true => busy.is_empty(),
            false => !busy.contains(channel),
        };
        let (mut list, mut busy) = (Vec::<(String, u64)>::new(), Vec::<String>::new());
        for number in 0..300 {
            match rng.below(5) {
                0 | 1 => {
                    let channel = format!("c{}", rng.below(4));
                    if list.len() == messages_max {
                        list.remove(0);
                    }
                    list.push((channel.clone(), number));
                    lanes.push(message(&channel, number));
                }
                2 | 3 => {
                    let idx = list.iter().position(|(channel, _)| is_free(&busy, channel));
                    let expected = idx.map(|idx| list.remove(idx));
                    busy.extend(expected.iter().map(|(channel, _)| channel.clone()));
                    assert_eq!(taken(&mut lanes), expected);
                }
                _ => {
                    if let Some(channel) = busy.pop() {
                        lanes.done(&channel.into());
                    }
                }
            }
            assert_eq!(lanes.len(), list.len());
            let is_ready = list.iter().any(|(channel, _)| is_free(&busy, channel));
            assert_eq!(lanes.is_ready(), is_ready);
            assert!(n_lanes(&lanes) <= list.len() + busy.len());
        }
    }
}
