//! The contract that those who send have agreed on, if there is one.

use fanfare_client::Error;

use crate::Sealed;
#[cfg(feature = "schema")]
use crate::schema::Contract;

/// What whatever publishes has a field of, and asks before anything is sent. Without the feature `schema` it is empty
/// and lets everything pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Agreed {
    #[cfg(feature = "schema")]
    contract: Option<Contract>,
}

/// What a payload is that says nothing else of itself.
const JSON: &str = "application/json";

#[cfg(feature = "schema")]
impl Agreed {
    pub(crate) fn on(contract: impl Into<Contract>) -> Self {
        Self { contract: Some(contract.into()) }
    }

    pub(crate) fn contract(&self) -> Option<&Contract> {
        self.contract.as_ref()
    }

    /// Whether a payload of this content type may be sent.
    pub(crate) fn check_payload(&self, content_type: &str, payload: &[u8]) -> Result<(), Error> {
        self.contract.as_ref().map_or(Ok(()), |it| it.check_payload(content_type, payload))
    }

    /// Whether an entry may be added: names and values of its fields in turn.
    pub(crate) fn check_fields<W: AsRef<[u8]>>(&self, words: &[W]) -> Result<(), Error> {
        self.contract.as_ref().map_or(Ok(()), |it| it.check_fields(words))
    }

    /// Whether an envelope may be sent.
    pub(crate) fn check(&self, sealed: &Sealed) -> Result<(), Error> {
        self.contract.as_ref().map_or(Ok(()), |it| it.check(sealed))
    }
}

#[cfg(not(feature = "schema"))]
#[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with the feature `schema`")]
impl Agreed {
    pub(crate) fn check_payload(&self, _content_type: &str, _payload: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    pub(crate) fn check_fields<W: AsRef<[u8]>>(&self, _words: &[W]) -> Result<(), Error> {
        Ok(())
    }

    pub(crate) fn check(&self, _sealed: &Sealed) -> Result<(), Error> {
        Ok(())
    }
}

impl Agreed {
    /// Whether a payload that is JSON, or an envelope, may be sent.
    pub(crate) fn check_json(&self, payload: &[u8]) -> Result<(), Error> {
        self.check_payload(JSON, payload)
    }
}
