//! Whether what the peer says is still in step with what it was asked. Pure.
//!
//! A bit that flips in the stream may change a length or a type, and then a value swallows what
//! follows it: hundreds of megabytes for which the decoder waits, or the answers to the next
//! requests, so that from then on everybody gets somebody else's. Nothing of that need break the
//! protocol for hours.
//!
//! So every ping says a word of its own, which its answer repeats (`PING` *word*). The answer at a
//! ping's place must be that word. And a word that has arrived, as the raw bytes tell, although its
//! ping counts as unanswered when everything that has arrived is decoded, was swallowed by
//! something else. Nobody else knows the word, and the server learns it only when it answers, so a
//! large value that is really under way can not contain it: it can take as long as it takes.
//!
//! A server that answers a ping by an error, or without the word, is believed.

use memchr::memmem;

/// Pings without an answer beyond which no more are sent.
const UNANSWERED_MAX: u32 = 16;

/// Bytes of a word: the connection's part, and the number of the ping.
const WORD_LEN: usize = PREFIX_LEN + NUMBER_LEN;
const PREFIX_LEN: usize = 16;
const NUMBER_LEN: usize = 8;

/// What an answer has behind the word.
const CRLF: &[u8] = b"\r\n";

/// The pings of one connection.
#[derive(Debug)]
pub(crate) struct Echo {
    /// What all words of this connection begin with.
    prefix: String,
    /// The number of the last ping.
    n_asked: u32,
    n_answered: u32,
    /// The last ping whose word was seen among the bytes that arrived.
    n_seen: u32,
}

impl Echo {
    /// `random` is a number that nobody else can know.
    pub(crate) fn new(random: u64) -> Self {
        Self { prefix: format!("{random:016x}"), n_asked: 0, n_answered: 0, n_seen: 0 }
    }

    /// What the next ping is to say; `None`: there are enough without an answer.
    pub(crate) fn ask(&mut self) -> Option<String> {
        if self.n_asked - self.n_answered == UNANSWERED_MAX {
            return None;
        }
        self.n_asked += 1;
        Some(self.word(self.n_asked))
    }

    /// Whether a ping has no answer yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.n_answered < self.n_asked
    }

    /// The last `n_new` bytes of `input` have just arrived. What is before them was looked at, but
    /// a word may have begun there.
    pub(crate) fn handle_read(&mut self, input: &[u8], n_new: usize) {
        if !self.is_waiting() {
            return;
        }
        let start = input.len().saturating_sub(n_new + WORD_LEN + CRLF.len() - 1);
        let bytes = input.get(start..).unwrap_or_default();
        for at in memmem::find_iter(bytes, self.prefix.as_bytes()) {
            let rest = bytes.get(at + PREFIX_LEN..).unwrap_or_default();
            let Some((number, rest)) = rest.split_at_checked(NUMBER_LEN) else { continue };
            let number = std::str::from_utf8(number).ok();
            let number = number.and_then(|it| u32::from_str_radix(it, 16).ok());
            let Some(number) = number.filter(|_| rest.starts_with(CRLF)) else { continue };
            if number <= self.n_asked {
                self.n_seen = self.n_seen.max(number);
            }
        }
    }

    /// The answer to a ping has come: what it repeats, if it does. Returns whether it belongs to
    /// this ping.
    pub(crate) fn handle_answer(&mut self, word: Option<&[u8]>) -> bool {
        self.n_answered += 1;
        word.is_none_or(|it| it == self.word(self.n_answered).as_bytes())
    }

    /// Everything that has arrived is decoded: whether something else than the ping it belongs to
    /// got a word.
    pub(crate) fn is_out_of_step(&self) -> bool {
        self.n_answered < self.n_seen
    }

    fn word(&self, number: u32) -> String {
        format!("{}{number:08x}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_however_it_is_cut() {
        for cut in 0..=WORD_LEN + 2 {
            let mut echo = Echo::new(7);
            let word = echo.ask().unwrap();
            assert_eq!(word.len(), WORD_LEN);
            let input = format!("some bytes\r\n$24\r\n{word}\r\n");
            let first = input.len() - cut;
            echo.handle_read(&input.as_bytes()[..first], first);
            assert_eq!(echo.is_out_of_step(), cut == 0, "{cut}");
            echo.handle_read(input.as_bytes(), cut);
            assert!(echo.is_out_of_step(), "{cut}");
            assert!(echo.handle_answer(Some(word.as_bytes())));
            assert!(!echo.is_out_of_step() && !echo.is_waiting());
        }
    }

    #[test]
    fn answers_belong_to_their_pings() {
        let mut echo = Echo::new(u64::MAX);
        let words = [echo.ask().unwrap(), echo.ask().unwrap()];
        assert!(!echo.handle_answer(Some(words[1].as_bytes())));
        assert!(echo.handle_answer(Some(words[1].as_bytes())));
        let _ = echo.ask();
        assert!(echo.handle_answer(None));
        let _ = echo.ask();
        assert!(!echo.handle_answer(Some(b"17")));
    }

    #[test]
    fn pings_are_bounded() {
        let mut echo = Echo::new(1);
        let asked = std::iter::from_fn(|| echo.ask()).count();
        assert_eq!(asked, 16);
        echo.handle_answer(None);
        assert!(echo.ask().is_some() && echo.ask().is_none());
    }
}
