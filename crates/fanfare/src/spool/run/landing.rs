//! What becomes of messages that were being sent.

use fanfare_client::Error;

use super::{Accepted, Cargo, Desk, Fate, Item, Log, Reply, SpoolEvent, record};

/// A message that is to be appended, who waits for it, and the error of the attempt to send it.
pub(super) type Appendix = (Item, Reply, Option<Error>);

impl Desk {
    /// An attempt to send has ended.
    pub(super) async fn landed(&mut self, fates: Vec<Fate>) {
        match self.cargo.take() {
            Some(Cargo::Direct(batch)) => self.direct_landed(batch, fates).await,
            Some(Cargo::Log(batch)) => self.log_landed(batch, fates).await,
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

    async fn log_landed(&mut self, mut batch: Vec<(Item, bool)>, fates: Vec<Fate>) {
        let (mut failure, mut is_untried) = (None, false);
        for ((item, is_settled), fate) in batch.iter_mut().filter(|it| !it.1).zip(fates) {
            match fate {
                Fate::Sent | Fate::Known => {
                    *is_settled = true;
                    self.n_drained += 1;
                    let is_known = u64::from(matches!(fate, Fate::Known));
                    self.shared.change(|stats| {
                        (stats.replayed, stats.duplicates) =
                            (stats.replayed + 1, stats.duplicates + is_known);
                    });
                }
                Fate::Refused(error) => match self.bury(item.clone(), error).await {
                    Ok(()) => *is_settled = true,
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

    /// Notes what has been settled at the beginning of a batch. The rest is read again.
    pub(super) async fn settle(&mut self, batch: Vec<(Item, bool)>) {
        let settled = batch.into_iter().take_while(|it| it.1).map(|it| it.0);
        let settled: Vec<Item> = settled.collect();
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
