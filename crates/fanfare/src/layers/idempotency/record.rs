//! What the broker keeps of a message: a hash, changed by scripts, timed by the server's clock.
//!
//! `state` is `busy` (claimed by `token`, until `until` unless it is renewed), `done` (with `result`
//! if there is one), or `free` (the last attempt failed). `fence` is the number of the last claim. It is
//! above the one before and above the server's time in microseconds when it was made, so that it
//! grows even if the record has expired or was lost.

use std::{sync::LazyLock, time::Duration};

use bytes::Bytes;
use fanfare_client::{Error, ErrorKind};

use crate::client::{Client, Script};

static CLAIM: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local function text(n) return string.format('%.0f', n) end
local t = redis.call('TIME')
local micros = tonumber(t[1]) * 1000000 + tonumber(t[2])
local now = math.floor(micros / 1000)
local r = redis.call('HMGET', KEYS[1], 'state', 'token', 'until', 'fence', 'result')
if r[1] == 'done' then return {'done', r[4] or '0', r[5]} end
local left = tonumber(r[3] or '0') - now
local is_other = r[1] == 'busy' and r[2] ~= ARGV[1]
if is_other and 0 < left then return {'busy', text(left), false} end
local fence = text(math.max(micros, tonumber(r[4] or '0') + 1))
redis.call('HSET', KEYS[1], 'state', 'busy', 'token', ARGV[1],
  'until', text(now + tonumber(ARGV[2])), 'fence', fence)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if is_other then return {'taken', fence, false} end
return {'claimed', fence, false}",
    )
});

/// Renews, finishes or frees, if the claim is still this one. A record that is gone was lost by the
/// broker, and is written anew. The first write takes no memory: a server that has none refuses a script
/// for its first one only, and what was done must be known.
static CHANGE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local r = redis.call('HMGET', KEYS[1], 'state', 'token')
if r[1] and r[2] ~= ARGV[1] then return r[1] end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if ARGV[5] == 'busy' then
  if r[1] == 'done' then return 'ours' end
  local t = redis.call('TIME')
  local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
  redis.call('HSET', KEYS[1], 'state', 'busy', 'token', ARGV[1], 'fence', ARGV[4],
    'until', string.format('%.0f', now + tonumber(ARGV[2])))
elseif ARGV[5] == 'done' then
  redis.call('HSET', KEYS[1], 'state', 'done', 'token', ARGV[1], 'fence', ARGV[4])
  redis.call('HDEL', KEYS[1], 'until')
  if ARGV[6] then redis.call('HSET', KEYS[1], 'result', ARGV[6]) end
else
  redis.call('HSET', KEYS[1], 'state', 'free', 'fence', ARGV[4])
  redis.call('HDEL', KEYS[1], 'token', 'until')
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 'ours'",
    )
});

/// The answer to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// It is this one's.
    Ours { fence: u64, is_taken_over: bool },
    /// Another one is at it, for so long unless it renews its lease.
    Busy(Duration),
    /// It was handled.
    Done(Option<Bytes>),
}

/// What a record is to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Busy,
    Done(Option<Bytes>),
    Free,
}

/// Whose a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// It was this one's, and has become what it was to become.
    Ours,
    /// Another one has it, or had it and has failed.
    Other,
    /// Another one has finished it.
    OtherDone,
}

/// The record of one message, and who wants to have it.
#[derive(Debug)]
pub(super) struct Record {
    /// Everything goes over one connection, so that it happens in order.
    pub(super) client: Client,
    pub(super) key: Vec<u8>,
    pub(super) token: String,
    pub(super) lease: Duration,
    pub(super) retention: Duration,
}

impl Record {
    /// Claims it. Doing so again with the same token is as good as once.
    pub(super) async fn claim(&self) -> Result<Claim, Error> {
        let [token, lease, retention] = self.args();
        let answer: Vec<Option<Bytes>> =
            self.client.run_script(&CLAIM, [&self.key], [token, lease, retention]).await?;
        let [Some(what), Some(number), result] = &answer[..] else { return Err(nonsense()) };
        let number = std::str::from_utf8(number).ok().and_then(|it| it.parse().ok());
        let number: u64 = number.ok_or_else(nonsense)?;
        match &what[..] {
            b"claimed" => Ok(Claim::Ours { fence: number, is_taken_over: false }),
            b"taken" => Ok(Claim::Ours { fence: number, is_taken_over: true }),
            b"busy" => Ok(Claim::Busy(Duration::from_millis(number))),
            b"done" => Ok(Claim::Done(result.clone())),
            _ => Err(nonsense()),
        }
    }

    /// Changes it, if it is still this one's.
    pub(super) async fn change(&self, fence: u64, next: Next) -> Result<Whose, Error> {
        let [token, lease, retention] = self.args();
        let fence = Bytes::from(fence.to_string());
        let (state, result) = match next {
            Next::Busy => ("busy", None),
            Next::Done(result) => ("done", result),
            Next::Free => ("free", None),
        };
        let mut args = vec![token, lease, retention, fence, Bytes::from_static(state.as_bytes())];
        args.extend(result);
        let whose: String = self.client.run_script(&CHANGE, [&self.key], args).await?;
        match &whose[..] {
            "ours" => Ok(Whose::Ours),
            "done" => Ok(Whose::OtherDone),
            "busy" | "free" => Ok(Whose::Other),
            _ => Err(nonsense()),
        }
    }

    fn args(&self) -> [Bytes; 3] {
        let retention = self.retention.max(self.lease * 2);
        let [lease, retention] = [self.lease, retention].map(|it| it.as_millis().to_string());
        [self.token.clone(), lease, retention].map(Bytes::from)
    }
}

fn nonsense() -> Error {
    Error::new(ErrorKind::Protocol, "the record of a message is not one that Fanfare has written")
}

#[cfg(test)]
mod tests;
