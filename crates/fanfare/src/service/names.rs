//! Where services meet: the names of their streams and channels.

use fanfare_client::Error;

use crate::Channel;

/// To whom an event goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// To all services, that of the emitter included.
    Global,
    /// To all services but that of the emitter, whichever of its replicas emits.
    Other,
    /// To the service of this name.
    Service(String),
}

impl Scope {
    /// Its name in an event's metadata.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Other => OTHER,
            Self::Service(_) => "service",
        }
    }

    pub(super) fn target(&self) -> Target {
        match self {
            Self::Global | Self::Other => Target::All,
            Self::Service(name) => Target::Service(name.clone()),
        }
    }
}

/// What [`Scope::Other`] is called in an event's metadata.
pub(super) const OTHER: &str = "other";

/// Who is asked, or ordered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Every instance of every service.
    All,
    /// Every instance of the service of this name.
    Service(String),
    /// One instance of a service.
    Instance {
        /// The service's name.
        service: String,
        /// The instance's id.
        instance: String,
    },
}

/// The part with which all names of a system of services begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names(Channel);

/// What all names begin with unless it is said.
pub(super) const PREFIX: &str = "services";

impl Default for Names {
    fn default() -> Self {
        Self::new(PREFIX)
    }
}

impl Names {
    pub(super) fn new(prefix: &str) -> Self {
        Self(Channel::new(prefix.to_owned()))
    }

    /// The stream, or channel, of this kind for a target.
    ///
    /// # Errors
    /// A name is empty.
    pub(super) fn of(&self, kind: &str, target: &Target) -> Result<Channel, Error> {
        let name = self.0.clone().segment(kind)?;
        match target {
            Target::All => Ok(name),
            Target::Service(service) => name.segment(service),
            Target::Instance { service, instance } => name.segment(service)?.segment(instance),
        }
    }

    /// All channels of this kind that an instance hears.
    pub(super) fn heard(
        &self,
        kind: &str,
        service: &str,
        instance: &str,
    ) -> Result<[Channel; 3], Error> {
        let (service, instance) = (service.to_owned(), instance.to_owned());
        Ok([
            self.of(kind, &Target::All)?,
            self.of(kind, &Target::Service(service.clone()))?,
            self.of(kind, &Target::Instance { service, instance })?,
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_service_hears_another_whatever_they_are_called() {
        let names = Names::new("shop");
        let of = |service: &str, instance: &str| {
            let (service, instance) = (service.to_owned(), instance.to_owned());
            names.of("control", &Target::Instance { service, instance }).unwrap()
        };
        assert_eq!(of("orders", "1").name(), "shop:control:orders:1");
        assert_ne!(of("a:b", "c"), of("a", "b:c"));
        assert!(names.of("events", &Target::Service(String::new())).is_err());
    }
}
