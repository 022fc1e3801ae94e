//! What becomes of messages that were being sent.

use fanfare_client::Error;

use super::{Accepted, Cargo, Desk, Fate, Item, Log, Lot, Reply, SpoolEvent, record};

/// A message that is to be appended, who waits for it, and the error of the attempt to send it.
pub(super) type Appendix = (Item, Reply, Option<Error>);

impl Desk {
    /// An attempt to send has ended.
    pub(super) async fn landed(&mut self, fates: Vec<Fate>) {
        match self.cargo.take() {
            Some(Cargo::Direct(batch)) => self.direct_landed(batch, fates).await,
            Some(Cargo::Log(batch)) => self.log_landed(batch, fates).await,
            Some(Cargo::Probe(_)) => match fates.into_iter().next() {
                Some(Fate::NotYet(error)) => self.not_yet(&error),
                _ => self.is_probed = true,
            },
            None => {}
        }
    }

    async fn direct_landed(&mut self, batch: Vec<(Item, Reply)>, fates: Vec<Fate>) {
        let (mut later, mut again) = (Vec::new(), Vec::new());
        let mut failure = None;
        for ((item, reply), fate) in batch.into_iter().zip(fates) {
            match fate {
                Fate::Sent | Fate::Known => {
                    self.shared.change(|stats| stats.sent += 1);
                    let _ = reply.send(Ok(Accepted::Sent));
                }
                Fate::Refused(error) => {
                    let _ = reply.send(Err(error));
                }
                Fate::NotYet(error) => {
                    failure.get_or_insert_with(|| error.clone());
                    later.push((item, reply, Some(error)));
                }
                Fate::Untried => again.push((item, reply)),
            }
        }
        let Some(error) = failure else {
            self.shared.change(|stats| stats.last_error = None);
            if !again.is_empty() {
                self.fly(Cargo::Direct(again));
            }
            return;
        };
        self.not_yet(&error);
        later.extend(again.into_iter().map(|(item, reply)| (item, reply, None)));
        later.sort_by_key(|it| it.0.record.sequence);
        self.append(later).await;
    }

    /// Appends messages, and tells those who wait.
    pub(super) async fn append(&mut self, batch: Vec<Appendix>) {
        let records: Vec<_> = batch.iter().map(|it| it.0.record.clone()).collect();
        let outcomes = self.with_log(move |log| log.append(&records, record::now())).await;
        let mut disk_error = None;
        for ((_, reply, attempt), outcome) in batch.into_iter().zip(outcomes) {
            let outcome = match outcome {
                Ok(()) => {
                    self.shared.change(|stats| stats.spooled += 1);
                    Ok(Accepted::Spooled)
                }
                Err(error) => {
                    self.shared.change(|stats| stats.refused += 1);
                    if error.kind() == fanfare_client::ErrorKind::Storage {
                        disk_error.get_or_insert_with(|| error.clone());
                    }
                    // The broker may have it all the same.
                    let may_be_there = attempt.is_some_and(|it| it.may_have_been_delivered());
                    Err(if may_be_there { error.after_sending() } else { error })
                }
            };
            let _ = reply.send(outcome);
        }
        match disk_error {
            Some(error) => self.shared.disk_failed(&error),
            None => self.shared.disk_works(),
        }
    }

    async fn log_landed(&mut self, mut batch: Vec<(Item, Lot)>, fates: Vec<Fate>) {
        let (mut failure, mut is_untried) = (None, false);
        let open = batch.iter_mut().filter(|it| it.1 == Lot::Open);
        for ((item, lot), fate) in open.zip(fates) {
            match fate {
                Fate::Sent => *lot = Lot::Sent,
                Fate::Known => *lot = Lot::Known,
                Fate::Refused(error) => match self.bury(item.clone(), error).await {
                    Ok(()) => *lot = Lot::Buried,
                    Err(error) => drop(failure.get_or_insert(error)),
                },
                Fate::NotYet(error) => drop(failure.get_or_insert(error)),
                Fate::Untried => is_untried = true,
            }
        }
        if failure.is_none() && is_untried {
            return self.fly(Cargo::Log(batch));
        }
        self.settle(batch).await;
        match failure {
            None => self.n_failed = 0,
            Some(error) => self.not_yet(&error),
        }
    }

    /// Notes what is no more to be sent at the beginning of a batch, and counts it. The rest is read
    /// again, so it is not counted yet.
    pub(super) async fn settle(&mut self, batch: Vec<(Item, Lot)>) {
        let settled = batch.into_iter().take_while(|it| it.1 != Lot::Open);
        let (settled, lots): (Vec<Item>, Vec<Lot>) = settled.unzip();
        let count = |lot: Lot| lots.iter().filter(|it| **it == lot).count() as u64;
        let (n_sent, n_known) = (count(Lot::Sent) + count(Lot::Known), count(Lot::Known));
        self.n_drained += n_sent;
        self.shared.change(|stats| {
            stats.replayed += n_sent;
            stats.duplicates += n_known;
        });
        self.shared.expired(count(Lot::Expired));
        // Counted first, so that who sees that nothing waits sees what became of it.
        self.with_log(move |log: &mut Log| {
            log.settle(&settled);
            log.rewind();
        })
        .await;
        if self.shared.is_empty() {
            let n = std::mem::take(&mut self.n_drained);
            self.shared.change(|stats| stats.last_error = None);
            self.shared.announce(SpoolEvent::Drained { n });
        }
    }

    async fn bury(&mut self, item: Item, error: Error) -> Result<(), Error> {
        let (sequence, name) = (item.record.sequence, item.record.place.name.clone());
        let buried = {
            let error = error.clone();
            self.with_log(move |log| log.bury(&item, &error)).await
        };
        match buried {
            Ok(true) => {
                self.shared.change(|stats| stats.buried += 1);
                self.shared.announce(SpoolEvent::Buried { sequence, name, error });
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(error) => {
                self.shared.disk_failed(&error);
                Err(error)
            }
        }
    }
}
