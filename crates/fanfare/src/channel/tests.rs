//! Names and patterns against what is written plainly.

use proptest::prelude::*;

use super::{Channel, Pattern, segment::decode};

fn name_of(segments: &[Vec<u8>]) -> Channel {
    let empty = Channel::new("");
    segments.iter().try_fold(empty, |name, segment| name.segment(segment)).unwrap()
}

#[test]
fn usual_names_are_written_as_they_are() {
    let name = Channel::new("events").segment("user").unwrap().segment("7-é_@.*").unwrap();
    assert_eq!(name.name(), "events:user:7-é_@.*");
    assert_eq!(Channel::new("a").segment("b c\n%").unwrap().name(), "a:b%20c%0A%25");
    let error = Channel::new("a").segment("").unwrap_err();
    assert_eq!(error.kind(), fanfare_client::ErrorKind::InvalidRequest);
    assert!(Pattern::new("a").segment("").is_err());
}

#[test]
fn what_is_no_escape_stays() {
    for text in ["%", "%4", "%zz", "%+1", "100%", "%é"] {
        assert_eq!(decode(text.as_bytes()), text.as_bytes());
    }
}

#[test]
fn segments_are_counted() {
    let high = Pattern::new("alerts").any().segment("high").unwrap();
    assert_eq!(high.glob(), b"alerts:*:high");
    assert!(high.matches("alerts:a:high"));
    assert!(!high.matches("alerts:a:b:c:high") && !high.matches("alerts:high"));

    let deep = Pattern::new("a").rest().segment("b").unwrap().rest();
    assert!(deep.matches("a:x:b:y") && deep.matches("a:b:b:b") && deep.matches("a:x:y:b:b:z"));
    assert!(!deep.matches("a:b:y") && !deep.matches("a:x:b") && !deep.matches("a"));
    assert!(Pattern::new("a").matches("a") && !Pattern::new("a").matches("b"));
    assert!(Pattern::new("a").any().matches("a:"));
}

/// The written model of what a pattern has.
fn has(parts: &[Option<&[u8]>], segments: &[&[u8]]) -> bool {
    match (parts.split_first(), segments.split_first()) {
        (None, None) => true,
        (Some((Some(b"rest"), parts)), Some((_, more))) => {
            has(parts, more) || has(&[&[Some(&b"rest"[..])], parts].concat(), more)
        }
        (Some((None, parts)), Some((_, segments))) => has(parts, segments),
        (Some((Some(given), parts)), Some((segment, segments))) => {
            given == segment && has(parts, segments)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// Redis's glob without classes and `?`, which no pattern makes.
fn glob_has(glob: &[u8], name: &[u8]) -> bool {
    match (glob, name) {
        ([], []) => true,
        ([b'*', glob @ ..], _) => {
            glob_has(glob, name)
                || name
                    .split_first()
                    .is_some_and(|(_, name)| glob_has(&[b"*", glob].concat(), name))
        }
        ([b'\\', byte, glob @ ..], [first, name @ ..]) => byte == first && glob_has(glob, name),
        ([byte, glob @ ..], [first, name @ ..]) => byte == first && glob_has(glob, name),
        ([], [_, ..]) | ([_, ..], []) => false,
    }
}

proptest! {
    #[test]
    fn segments_come_back(
        segments in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..6), 1..5),
    ) {
        let name = name_of(&segments);
        prop_assert_eq!(name.segments().collect::<Vec<_>>(), segments);
    }

    #[test]
    fn a_given_segment_widens_nothing(
        id in prop::collection::vec(prop::sample::select(&b"ab*?[]^\\%:-"[..]), 1..5),
        other in prop::collection::vec(prop::sample::select(&b"ab*?[]^\\%:-"[..]), 1..5),
    ) {
        let pattern = Pattern::new("u").segment(&id).unwrap().any();
        let of = |id: &[u8]| Channel::new("u").segment(id).unwrap().segment("x").unwrap();
        prop_assert!(pattern.matches(of(&id)) && glob_has(pattern.glob(), &of(&id).0));
        if id != other {
            prop_assert!(!pattern.matches(of(&other)) && !glob_has(pattern.glob(), &of(&other).0));
        }
    }

    #[test]
    fn it_has_what_the_model_has(
        parts in prop::collection::vec(prop::sample::select(&["a", "b", "any", "rest"][..]), 0..5),
        segments in prop::collection::vec(prop::sample::select(&["a", "b"][..]), 0..7),
    ) {
        let pattern = parts.iter().fold(Pattern::new("a"), |pattern, part| match *part {
            "any" => pattern.any(),
            "rest" => pattern.rest(),
            given => pattern.segment(given).unwrap(),
        });
        let name = segments.iter().fold("a".to_owned(), |name, it| format!("{name}:{it}"));
        let parts: Vec<_> = std::iter::once("a").chain(parts).map(|it| (it != "any").then_some(it.as_bytes())).collect();
        let segments: Vec<_> = std::iter::once("a").chain(segments).map(str::as_bytes).collect();
        let expected = has(&parts, &segments);
        prop_assert_eq!(pattern.matches(&name), expected);
        if expected {
            prop_assert!(glob_has(pattern.glob(), name.as_bytes()));
        }
    }
}
