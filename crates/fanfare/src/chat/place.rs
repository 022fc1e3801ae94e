//! The keys of a chat, and the scripts that change them.

use std::sync::LazyLock;

use fanfare_client::Error;

use super::ChatLimits;
use crate::{
    Channel,
    client::{Client, FromValue, Script},
};

macro_rules! scripts {
    ($($name:ident = $($file:literal),+;)+) => {$(
        pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!($(include_str!($file)),+)));
    )+};
}

scripts! {
    JOIN = "lua/common.lua", "lua/join.lua";
    BEAT = "lua/common.lua", "lua/beat.lua";
    LEAVE = "lua/common.lua", "lua/leave.lua";
    SEND = "lua/common.lua", "lua/send.lua";
    WHO = "lua/common.lua", "lua/who.lua";
    COUNT = "lua/common.lua", "lua/count.lua";
    RESERVE = "lua/reserve.lua";
    TOUCH = "lua/touch.lua";
    INBOX = "lua/inbox.lua";
}

/// A room, or the lobby, in which everybody is who is connected. Its keys have one hash tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    tag: String,
}

/// What belongs to a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Own {
    tag: String,
}

/// One segment of a name, which has no colon.
pub(super) fn escaped(name: &str) -> Result<String, Error> {
    Ok(Channel::new("").segment(name)?.name().into_owned())
}

/// What was a segment before it was escaped.
pub(super) fn unescaped(name: &str) -> String {
    let segments = Channel::new(name.to_owned()).segments().next().unwrap_or_default();
    String::from_utf8_lossy(&segments).into_owned()
}

/// A connection of a user, as scripts know it.
pub(super) fn member(user: &str, connection: &str) -> Result<String, Error> {
    Ok(Channel::new("").segment(user)?.segment(connection)?.name().into_owned())
}

impl Place {
    pub(super) fn room(prefix: &str, room: &str) -> Result<Self, Error> {
        Ok(Self { tag: format!("{{{prefix}:room:{}}}", escaped(room)?) })
    }

    pub(super) fn lobby(prefix: &str) -> Self {
        Self { tag: format!("{{{prefix}:lobby}}") }
    }

    /// What was said and happened.
    pub(super) fn history(&self) -> String {
        format!("{}:history", self.tag)
    }

    /// Which rooms somebody is in: of the lobby.
    pub(super) fn rooms(&self) -> String {
        format!("{}:rooms", self.tag)
    }

    pub(super) async fn run<T: FromValue>(
        &self,
        client: &Client,
        limits: &ChatLimits,
        script: &Script,
        args: &[&str],
    ) -> Result<T, Error> {
        let tag = &self.tag;
        let keys = [format!("{tag}:presence"), format!("{tag}:users"), self.history()];
        let (kept, age_ms) = kept(limits);
        let args = [&kept, &age_ms].into_iter().map(String::as_str).chain(args.iter().copied());
        client.run_script(script, keys, args).await
    }
}

impl Own {
    pub(super) fn new(prefix: &str, user: &str) -> Result<Self, Error> {
        Ok(Self { tag: format!("{{{prefix}:user:{}}}", escaped(user)?) })
    }

    pub(super) fn inbox(&self) -> String {
        format!("{}:inbox", self.tag)
    }

    pub(super) fn rooms(&self) -> String {
        format!("{}:rooms", self.tag)
    }

    pub(super) fn rate(&self) -> String {
        format!("{}:rate", self.tag)
    }
}

/// How many entries are kept, and for how many milliseconds.
pub(super) fn kept(limits: &ChatLimits) -> (String, String) {
    (limits.history_max.to_string(), limits.history_age.as_millis().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_look_alike_are_different() {
        assert_ne!(member("a:b", "c").unwrap(), member("a", "b:c").unwrap());
        assert_eq!(member("a:b", "c").unwrap(), "a%3Ab:c");
        assert_eq!(unescaped("a%3Ab"), "a:b");
        let inbox = |user: &str| Own::new("chat", user).unwrap().inbox();
        assert_ne!(inbox("a"), inbox("a}:inbox"));
        let history = |room: &str| Place::room("chat", room).unwrap().history();
        assert_eq!(history("tea & talk"), "{chat:room:tea%20&%20talk}:history");
        assert!(Place::room("chat", "").is_err());
    }
}
