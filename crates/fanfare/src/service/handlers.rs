//! Which handler an event is for, by its type and version.

use std::{collections::HashMap, sync::Arc};

use fanfare_client::{Error, ErrorKind};

use super::{
    ServiceEvent, Unknown,
    core::Core,
    names::OTHER,
    running::{STARTED, STOPPED},
};
use crate::{BoxError, Call, Head, Permanent, handle::Endpoint};

/// The handlers of one kind: of events, or of hints.
#[derive(Default)]
pub(super) struct Handlers {
    by_kind: HashMap<String, Versions>,
}

/// The handlers of a type.
#[derive(Default)]
struct Versions {
    any: Option<Endpoint<Call>>,
    by_version: HashMap<String, Endpoint<Call>>,
}

/// What there is for an event.
enum Found<'a> {
    Handler(&'a Endpoint<Call>),
    NoKind,
    NoVersion,
}

impl Handlers {
    /// Adds one; `None`: for every version that has none of its own.
    ///
    /// # Errors
    /// There is one already: a second one would silently take its place.
    pub(super) fn add(
        &mut self,
        kind: &str,
        version: Option<&str>,
        handler: Endpoint<Call>,
    ) -> Result<(), Error> {
        if kind.is_empty() || version == Some("") {
            let message = "a handler is for a type, and a version if it is named: neither is empty";
            return Err(Error::new(ErrorKind::InvalidOption, message));
        }
        let versions = self.by_kind.entry(kind.to_owned()).or_default();
        let is_taken = match version {
            None => versions.any.is_some(),
            Some(version) => versions.by_version.contains_key(version),
        };
        if is_taken {
            let version = version.map_or_else(String::new, |it| format!(" of version {it}"));
            let message = format!(
                "there are two handlers for {kind:?}{version}: let one call both, so that the event is \
                 tried again if either fails"
            );
            return Err(Error::new(ErrorKind::InvalidOption, message));
        }
        match version {
            None => versions.any = Some(handler),
            Some(version) => drop(versions.by_version.insert(version.to_owned(), handler)),
        }
        Ok(())
    }

    /// The types, sorted.
    #[cfg(feature = "schema")]
    pub(super) fn kinds(&self) -> Vec<String> {
        let mut kinds: Vec<_> = self.by_kind.keys().cloned().collect();
        kinds.sort();
        kinds
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_kind.is_empty()
    }

    /// That of the version, or of the first part of it (`2` for `2.1`), or of any.
    fn find(&self, head: &Head) -> Found<'_> {
        let Some(versions) = self.by_kind.get(head.kind()) else { return Found::NoKind };
        let version = head.version();
        let major = version.split('.').next().unwrap_or_default();
        let by_version = &versions.by_version;
        let found = by_version.get(version).or_else(|| by_version.get(major));
        match found.or(versions.any.as_ref()) {
            Some(handler) => Found::Handler(handler),
            None => Found::NoVersion,
        }
    }
}

/// What becomes of the events of an instance.
pub(super) struct Dispatch {
    pub(super) core: Arc<Core>,
    pub(super) events: Handlers,
    pub(super) hints: Handlers,
    pub(super) unknown_kind: Unknown,
    pub(super) unknown_version: Unknown,
}

impl Dispatch {
    /// Handles an event.
    pub(super) async fn event(&self, mut call: Call) -> Result<(), BoxError> {
        let core = &self.core;
        let Some(head) = call.head() else {
            core.counts().malformed += 1;
            core.tell(ServiceEvent::Malformed { from: call.source().to_string() });
            return Err(Permanent::new("the entry is no event: it is no envelope").into());
        };
        if is_own(core, head) {
            core.counts().own += 1;
            return Ok(());
        }
        match self.events.find(head) {
            Found::Handler(handler) => {
                call.note(core.clone());
                let result = handler(call).await;
                let mut counts = core.counts();
                match &result {
                    Ok(()) => counts.handled += 1,
                    Err(_) => counts.failed += 1,
                }
                result
            }
            Found::NoKind => {
                // Everybody starts and stops, and few want to know.
                if [STARTED, STOPPED].contains(&head.kind()) {
                    return Ok(());
                }
                core.counts().unknown_kinds += 1;
                let (event_id, kind) = (head.id().to_owned(), head.kind().to_owned());
                let what = format!("there is no handler for events of the type {kind:?}");
                core.tell(ServiceEvent::UnknownKind { event_id, kind });
                self.unknown_kind.fate(what)
            }
            Found::NoVersion => {
                core.counts().unknown_versions += 1;
                let (event_id, kind) = (head.id().to_owned(), head.kind().to_owned());
                let version = head.version().to_owned();
                let what = format!("there is no handler for version {version} of {kind:?}");
                core.tell(ServiceEvent::UnknownVersion { event_id, kind, version });
                self.unknown_version.fate(what)
            }
        }
    }

    /// Handles a hint.
    pub(super) async fn hint(&self, mut call: Call) -> Result<(), BoxError> {
        let core = &self.core;
        let Some(head) = call.head() else {
            core.counts().hints_unknown += 1;
            return Ok(());
        };
        if is_own(core, head) {
            core.counts().hints_own += 1;
            return Ok(());
        }
        let Found::Handler(handler) = self.hints.find(head) else {
            core.counts().hints_unknown += 1;
            return Ok(());
        };
        let kind = head.kind().to_owned();
        call.note(core.clone());
        let result = handler(call).await;
        match &result {
            Ok(()) => core.counts().hints_handled += 1,
            Err(error) => {
                core.counts().hints_failed += 1;
                core.tell(ServiceEvent::HintFailed { kind, error: error.to_string() });
            }
        }
        result
    }
}

/// Whether it is this service's own, from whichever of its instances, and for the others.
fn is_own(core: &Core, head: &Head) -> bool {
    head.text("scope") == Some(OTHER) && head.source() == core.name
}

impl Unknown {
    fn fate(self, what: String) -> Result<(), BoxError> {
        match self {
            Self::Ignore => Ok(()),
            Self::Retry => Err(what.into()),
            Self::DeadLetter => Err(Permanent::new(what).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use bytes::Bytes;
    use fanfare_client::{Kind, Message};
    use futures_util::FutureExt;

    use super::*;

    fn handlers(registered: &[(&'static str, Option<&'static str>)]) -> Handlers {
        let mut handlers = Handlers::default();
        for (kind, version) in registered.iter().copied() {
            let name = version.unwrap_or("any");
            let endpoint: Endpoint<Call> =
                Arc::new(move |_| async move { Err(name.into()) }.boxed());
            handlers.add(kind, version, endpoint).unwrap();
        }
        handlers
    }

    fn found(handlers: &Handlers, kind: &str, version: &str) -> String {
        let event = crate::Envelope::new(kind, ()).version(version);
        let (channel, payload) = (Bytes::new(), event.to_payload().unwrap());
        let call = Message::new(Kind::Channel, channel, payload, SystemTime::UNIX_EPOCH).into();
        match handlers.find(&event.head) {
            Found::Handler(handler) => {
                handler(call).now_or_never().unwrap().unwrap_err().to_string()
            }
            Found::NoKind => "no kind".to_owned(),
            Found::NoVersion => "no version".to_owned(),
        }
    }

    #[test]
    fn the_nearest_version_is_found() {
        let all = handlers(&[("a", Some("2.1")), ("a", Some("2")), ("a", None), ("b", Some("1"))]);
        for (kind, version, expected) in [
            ("a", "2.1", "2.1"),
            ("a", "2.7", "2"),
            ("a", "2", "2"),
            ("a", "20", "any"),
            ("b", "1.0", "1"),
            ("b", "2.0", "no version"),
            ("c", "1.0", "no kind"),
        ] {
            assert_eq!(found(&all, kind, version), expected, "{kind} {version}");
        }
    }

    #[test]
    fn nobody_takes_anothers_place() {
        let mut all = handlers(&[("a", Some("2")), ("a", None)]);
        let endpoint = || -> Endpoint<Call> { Arc::new(|_| async { Ok(()) }.boxed()) };
        for (kind, version) in [("a", Some("2")), ("a", None), ("", None), ("a", Some(""))] {
            let error = all.add(kind, version, endpoint()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOption, "{kind} {version:?}");
        }
        assert_eq!(found(&all, "a", "3.0"), "any");
    }
}
