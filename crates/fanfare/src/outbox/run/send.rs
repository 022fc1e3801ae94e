//! Sending what was read, and settling what has become of it.

use fanfare_client::{Error, ErrorKind};
use tokio::time::Instant;

use super::{super::stats::RelayEvent, Desk, Item, STUCK_MAX, Turn, VAIN_MAX};
use crate::once::{Fate, Numbered as _, PlaceKind};

impl Desk {
    /// Sends messages, and settles what has become of them.
    pub(super) async fn send(&mut self, items: Vec<Item>) -> Result<Turn, Error> {
        let names = self.fanfare.link().options().names();
        let (mut done, mut refused, mut open) = (Vec::new(), Vec::new(), Vec::new());
        let mut n_expired = 0;
        for item in items {
            if let Some(flaw) = item.flaw {
                let error = Error::new(ErrorKind::Decode, flaw);
                refused.push((item, error));
            } else if let Err(error) = item.place.check(names) {
                refused.push((item, error));
            } else if item.place.kind == PlaceKind::Channel && self.settings.channels < item.age {
                n_expired += 1;
                done.push(item);
            } else {
                open.push(item);
            }
        }
        let (mut n_sent, mut n_known, mut failure) = (0, 0, None);
        let fates = self.sender.send(&open).await;
        for (item, fate) in open.into_iter().zip(fates) {
            match fate {
                Fate::Sent | Fate::Known => {
                    if matches!(fate, Fate::Sent) {
                        n_sent += 1
                    } else {
                        n_known += 1
                    }
                    done.push(item);
                }
                Fate::Refused(error) => refused.push((item, error)),
                Fate::NotYet(error) => {
                    if !self.stuck.contains(&item.place) {
                        self.stuck.push(item.place);
                    }
                    failure = Some(error);
                }
                Fate::Untried => {}
            }
        }
        self.shared.change(|stats| {
            stats.sent += n_sent;
            stats.duplicates += n_known;
        });
        let is_vain = done.is_empty() && refused.is_empty();
        self.settle(done, refused).await?;
        self.n_drained += n_sent + n_known;
        if 0 < n_expired {
            self.shared.change(|stats| stats.expired += n_expired);
            self.shared.announce(RelayEvent::Expired { n: n_expired });
        }
        self.n_vain = if is_vain { self.n_vain + 1 } else { 0 };
        if let Some(error) = failure {
            self.stuck_error = Some(error.clone());
            // What goes to other places, on other nodes perhaps, is not held up.
            if STUCK_MAX < self.stuck.len() || VAIN_MAX <= self.n_vain {
                return Ok(Turn::BrokerFailed(error));
            }
        }
        Ok(Turn::More)
    }

    /// Deletes what is done, and makes dead letters of what is refused.
    async fn settle(&mut self, done: Vec<Item>, refused: Vec<(Item, Error)>) -> Result<(), Error> {
        let mut rest = &done[..];
        while let Some(first) = rest.first() {
            let generation = first.generation();
            let n = rest.iter().take_while(|it| it.generation() == generation).count();
            let (same, others) = rest.split_at(n);
            let ids: Vec<_> = same.iter().map(|it| (it.id, it.position)).collect();
            if self.ledger.delete(generation, &ids).await? == 0 {
                self.nothing_deleted().await?;
            }
            rest = others;
        }
        for (item, error) in refused {
            let Some(holder) = self.holder else { break };
            if !self.ledger.bury(holder, &item, &error).await? {
                // Somebody else has the lease, and settles it.
                self.retire();
                break;
            }
            // So that no other relay that has it in hand sends it. All before it is settled, if the broker has
            // refused it; what is no message is sent by nobody.
            let is_answer = error.kind() == ErrorKind::Server;
            if is_answer && let Fate::NotYet(error) = self.sender.pass(&item).await {
                tracing::debug!(%error, "the broker does not know of a dead letter");
            }
            self.shared.change(|stats| stats.buried += 1);
            let name = item.place.name;
            self.shared.announce(RelayEvent::Buried { id: item.id, name, error });
            self.count_at = Instant::now();
        }
        Ok(())
    }

    /// Either another relay has settled the same rows, or the database does not delete what it is told to.
    async fn nothing_deleted(&mut self) -> Result<(), Error> {
        let Some(holder) = self.holder else { return Ok(()) };
        if !self.ledger.renew(holder).await? {
            self.retire();
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Database,
            "the database deleted none of the rows that were sent, and said nothing: a rule, a trigger, row-level \
             security or a pooler that reads elsewhere may be why; the relay needs the right to DELETE",
        ))
    }
}
