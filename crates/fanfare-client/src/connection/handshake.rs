//! The first words on a connection, without I/O: version, login, name, database.
//!
//! `HELLO 3` with login and name in one go; a server that does not know it is spoken to in RESP2,
//! with `AUTH` and `CLIENT SETNAME`. What a server need not know (`CLIENT SETINFO`) may fail.

use std::collections::VecDeque;

use fanfare_resp::{Value, Version};

use crate::{Error, ErrorKind, policy::Protocol, url::ServerUrl};

/// A handshake under way. Send what [`poll_transmit`](Self::poll_transmit) gives, feed every reply
/// to [`handle_reply`](Self::handle_reply), until [`is_done`](Self::is_done).
#[derive(Debug)]
pub(crate) struct Handshake<'a> {
    url: &'a ServerUrl,
    /// Whether only a master will do.
    needs_master: bool,
    version: Version,
    expected: VecDeque<Expect>,
    transmit: Vec<u8>,
}

/// Whose reply comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Hello,
    Auth,
    SetName,
    Select,
    SetInfo,
    Role,
}

impl<'a> Handshake<'a> {
    pub(crate) fn new(url: &'a ServerUrl, needs_master: bool) -> Self {
        let mut this = Self {
            url,
            needs_master,
            version: Version::Resp2,
            expected: VecDeque::new(),
            transmit: Vec::new(),
        };
        match url.protocol {
            Protocol::Auto => this.say_hello(),
            Protocol::Resp2 => this.say_resp2(),
        }
        this
    }

    /// The version that is spoken from now on.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Whether the server may push beside its answers: in RESP2 it can not.
    pub(crate) fn can_push(&self) -> bool {
        self.version == Version::Resp3
    }

    pub(crate) fn is_done(&self) -> bool {
        self.expected.is_empty()
    }

    /// Bytes to send now; empty if none.
    pub(crate) fn poll_transmit(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.transmit)
    }

    /// # Errors
    /// The server will not have us. The message never contains the password.
    pub(crate) fn handle_reply(&mut self, reply: Value) -> Result<(), Error> {
        let failure = match &reply {
            Value::SimpleError(text) | Value::BulkError(text) => Some(text.clone()),
            Value::Push(_) => return Ok(()),
            _ => None,
        };
        let Some(expected) = self.expected.pop_front() else {
            return Err(match failure {
                Some(text) => Error::server(&text),
                None => Error::new(ErrorKind::Protocol, "the server sent a reply to no request"),
            });
        };
        let Some(text) = failure else {
            match expected {
                Expect::Hello => {
                    self.version = Version::Resp3;
                    self.say_rest();
                }
                Expect::Role => return check_role(&reply),
                Expect::Auth | Expect::SetName | Expect::Select | Expect::SetInfo => {}
            }
            return Ok(());
        };
        match expected {
            Expect::Hello if is_unknown(&text) => self.say_resp2(),
            Expect::Hello | Expect::Auth => return Err(self.refused(&text)),
            Expect::Select => {
                let text = String::from_utf8_lossy(&text).into_owned();
                let message = format!("the server refused database {}: {text}", self.url.db);
                return Err(Error::new(ErrorKind::Server, message));
            }
            // Who may not ask for the role has to believe the sentinels.
            Expect::SetName | Expect::SetInfo | Expect::Role => {}
        }
        Ok(())
    }

    fn say_hello(&mut self) {
        let mut args: Vec<&[u8]> = vec![b"HELLO", b"3"];
        if let Some(password) = &self.url.login.password {
            let user = self.url.login.username.as_deref().unwrap_or("default");
            args.extend([b"AUTH", user.as_bytes(), password.reveal()]);
        }
        if let Some(name) = &self.url.client_name {
            args.extend([b"SETNAME", name.as_bytes()]);
        }
        self.say(Expect::Hello, &args);
    }

    fn say_resp2(&mut self) {
        let url = self.url;
        if let Some(password) = &url.login.password {
            match &url.login.username {
                Some(user) => {
                    self.say(Expect::Auth, &[b"AUTH", user.as_bytes(), password.reveal()]);
                }
                None => self.say(Expect::Auth, &[b"AUTH", password.reveal()]),
            }
        }
        if let Some(name) = &url.client_name {
            self.say(Expect::SetName, &[b"CLIENT", b"SETNAME", name.as_bytes()]);
        }
        self.say_rest();
    }

    fn say_rest(&mut self) {
        if self.url.db != 0 {
            let db = self.url.db.to_string();
            self.say(Expect::Select, &[b"SELECT", db.as_bytes()]);
        }
        if self.needs_master {
            self.say(Expect::Role, &[b"ROLE"]);
        }
        let version = env!("CARGO_PKG_VERSION").as_bytes();
        self.say(Expect::SetInfo, &[b"CLIENT", b"SETINFO", b"LIB-NAME", b"fanfare"]);
        self.say(Expect::SetInfo, &[b"CLIENT", b"SETINFO", b"LIB-VER", version]);
    }

    fn say(&mut self, expect: Expect, args: &[&[u8]]) {
        fanfare_resp::command(&mut self.transmit, args.iter().copied());
        self.expected.push_back(expect);
    }

    fn refused(&self, text: &[u8]) -> Error {
        let answer = Error::server(text);
        let text = answer.message();
        let (has_password, is_auth) = (
            self.url.login.password.is_some(),
            answer.kind() == ErrorKind::Auth || text.contains("AUTH"),
        );
        match (is_auth, has_password) {
            (true, false) => Error::new(
                ErrorKind::Auth,
                "the server asks for a password: write `redis://user:password@host` or \
                 `redis://:password@host`",
            )
            .with_source(answer),
            (true, true) => {
                let user = self.url.login.username.as_deref().unwrap_or("default");
                Error::new(
                    ErrorKind::Auth,
                    format!("the server refused the login of `{user}`: {text}"),
                )
            }
            (false, _) => answer,
        }
    }
}

/// Whether the answer to `ROLE` is a master's.
fn check_role(reply: &Value) -> Result<(), Error> {
    let role = reply.as_array().and_then(<[Value]>::first).and_then(Value::as_str);
    match role {
        Some("master") => Ok(()),
        role => Err(Error::new(
            ErrorKind::Connect,
            format!(
                "the server that is to be the master has the role `{}`: a failover is under way",
                role.unwrap_or("unknown")
            ),
        )),
    }
}

/// Whether the server does not know `HELLO`, or not version 3 of the protocol.
fn is_unknown(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text).to_ascii_lowercase();
    text.starts_with("noproto") || text.contains("unknown command") || text.contains("unknown cmd")
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};
    use fanfare_resp::{Decoder, Limits};

    use super::*;

    /// Plays a conversation: what the client is expected to say (commands, one per line, words by
    /// spaces) and how the server answers each.
    fn play(url: &str, script: &[(&str, &str)]) -> Result<Version, Error> {
        let url: ServerUrl = url.parse().unwrap();
        let needs_master = matches!(url.topology, crate::Topology::Sentinel(_));
        let mut handshake = Handshake::new(&url, needs_master);
        let mut said = BytesMut::new();
        let mut decoder = Decoder::new(Limits::default());
        for (command, reply) in script {
            said.extend_from_slice(&handshake.poll_transmit());
            let words = decoder.decode(&mut said).unwrap().and_then(Value::into_array).unwrap();
            let words: Vec<_> = words.iter().map(|word| word.as_str().unwrap()).collect();
            assert_eq!(words.join(" "), *command);
            let mut wire = BytesMut::from(format!("{reply}\r\n").as_bytes());
            let reply = Decoder::new(Limits::default()).decode(&mut wire).unwrap().unwrap();
            handshake.handle_reply(reply)?;
        }
        assert!(handshake.is_done() && handshake.poll_transmit().is_empty() && said.is_empty());
        Ok(handshake.version())
    }

    const LIB_NAME: (&str, &str) =
        ("CLIENT SETINFO LIB-NAME fanfare", "-ERR Unknown subcommand or wrong number of arguments");
    const LIB_VER: (&str, &str) =
        (concat!("CLIENT SETINFO LIB-VER ", env!("CARGO_PKG_VERSION")), "+OK");

    #[test]
    fn resp3_with_everything() {
        let script = [
            ("HELLO 3 AUTH bob pw SETNAME me", "%1\r\n+proto\r\n:3"),
            ("SELECT 2", "+OK"),
            LIB_NAME,
            LIB_VER,
        ];
        let version = play("redis://bob:pw@h/2?client_name=me", &script).unwrap();
        assert_eq!(version, Version::Resp3);
    }

    #[test]
    fn an_old_server_is_spoken_to_in_resp2() {
        for unknown in ["-ERR unknown command `HELLO`", "-NOPROTO unsupported protocol version"] {
            let script = [
                ("HELLO 3 AUTH default pw SETNAME me", unknown),
                ("AUTH pw", "+OK"),
                ("CLIENT SETNAME me", "+OK"),
                LIB_NAME,
                LIB_VER,
            ];
            let version = play("redis://:pw@h?client_name=me", &script).unwrap();
            assert_eq!(version, Version::Resp2);
        }
    }

    #[test]
    fn a_refused_login_says_what_to_do_and_not_the_password() {
        let hello = "HELLO 3 AUTH default pw";
        let wrong = play("redis://:pw@h", &[(hello, "-WRONGPASS invalid password")]).unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::Auth);
        assert!(wrong.to_string().contains("`default`") && !wrong.to_string().contains("pw"));
        let missing = play("redis://h", &[("HELLO 3", "-NOAUTH HELLO must be called")]);
        assert!(missing.unwrap_err().to_string().contains(":password@host"));
    }

    #[test]
    fn a_server_that_is_not_ready_is_worth_a_retry() {
        let error = play("redis://h", &[("HELLO 3", "-LOADING Redis is loading")]).unwrap_err();
        assert!(error.is_retryable());
    }

    #[test]
    fn who_is_to_be_the_master_must_be_one() {
        let talk = |role: &str| {
            let url = "redis+sentinel://h/m";
            play(url, &[("HELLO 3", "%0"), ("ROLE", role), LIB_NAME, LIB_VER])
        };
        talk("*3\r\n$6\r\nmaster\r\n:0\r\n*0").unwrap();
        let denied = "-NOPERM this user has no permissions to run the 'role' command";
        talk(denied).unwrap();
        let replica = talk("*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$4\r\nsync\r\n:0").unwrap_err();
        assert!(replica.to_string().contains("`slave`") && replica.is_retryable());
    }

    #[test]
    fn a_missing_database_is_an_error() {
        let script = [("HELLO 3", "%0"), ("SELECT 99", "-ERR DB index is out of range")];
        assert!(play("redis://h/99", &script).unwrap_err().to_string().contains("database 99"));
    }

    #[test]
    fn a_reply_to_nothing_is_told() {
        let url: ServerUrl = "redis://h?protocol=2".parse().unwrap();
        let mut handshake = Handshake::new(&url, false);
        let full = Value::SimpleError(Bytes::from_static(b"ERR max number of clients reached"));
        for _ in 0..2 {
            handshake.handle_reply(full.clone()).unwrap();
        }
        assert!(handshake.handle_reply(full).unwrap_err().to_string().contains("max number"));
    }
}
