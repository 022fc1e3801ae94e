//! Publishers and subscribers of data.

use std::time::Duration;

use serde::Serialize;

use super::{Fanfare, runtime};
use crate::{
    Error,
    data::{
        self, Arrival, Destination, Published, PublisherOptions, PublisherStats, Record,
        SubscriberOptions, SubscriberStats, Versioned,
    },
};

/// The twin of [`fanfare::data::DataPublisher`](crate::data::DataPublisher). Made by
/// [`Fanfare::data_publisher`], or from a whole URL by [`open`](Self::open).
///
/// # Example
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
/// let sensors = fanfare.data_publisher("redis://blocking_sensors")?;
/// sensors.publish_at("sensor:temperature:001", &23.5)?;
/// assert_eq!(fanfare.data_value("sensor:temperature:001")?.expect("it is there").payload, "23.5");
/// assert_eq!(sensors.stop().published, 1);
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Debug)]
pub struct DataPublisher {
    inner: Box<dyn data::DataPublisher>,
}

/// The twin of [`fanfare::data::DataSubscriber`](crate::data::DataSubscriber): an iterator of what
/// arrives, until it is stopped. Made by [`Fanfare::data_subscriber`], or from a whole URL by
/// [`open`](Self::open).
///
/// A handler that may block is
/// [`SubscriberOptions::blocking_handler`](crate::data::SubscriberOptions::blocking_handler).
///
/// # Example
#[cfg_attr(feature = "embedded", doc = "```")]
#[cfg_attr(not(feature = "embedded"), doc = "```no_run")]
/// use std::time::Duration;
/// use fanfare::data::Arrival;
///
/// let fanfare = fanfare::blocking::Fanfare::connect("embedded:")?;
/// let alerts = fanfare.data_subscriber("redischannel://blocking_alerts")?;
/// alerts.start()?;
/// assert!(alerts.try_recv()?.is_none());
/// fanfare.data_publisher("redischannel://blocking_alerts")?.publish("the disk is full")?;
/// match alerts.recv_within(Duration::from_secs(60))? {
///     Some(Arrival::Record(received)) => assert_eq!(received.json::<String>()?, "the disk is full"),
///     other => panic!("{other:?}"),
/// }
/// assert_eq!(alerts.stop().received, 1);
/// # Ok::<_, fanfare::Error>(())
/// ```
#[derive(Debug)]
pub struct DataSubscriber {
    inner: Box<dyn data::DataSubscriber>,
}

impl Fanfare {
    /// A publisher to a destination, on this handle's connections. It runs.
    ///
    /// # Errors
    /// As [`Fanfare::data_publisher`](crate::Fanfare::data_publisher).
    pub fn data_publisher(&self, destination: &str) -> Result<DataPublisher, Error> {
        self.data_publisher_with(destination, PublisherOptions::new())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`Fanfare::data_publisher_with`](crate::Fanfare::data_publisher_with).
    pub fn data_publisher_with(
        &self,
        destination: &str,
        options: PublisherOptions,
    ) -> Result<DataPublisher, Error> {
        Ok(DataPublisher { inner: self.inner.data_publisher_with(destination, options)? })
    }

    /// A subscriber to a destination, on this handle's connections. It is not yet started.
    ///
    /// # Errors
    /// As [`Fanfare::data_subscriber`](crate::Fanfare::data_subscriber).
    pub fn data_subscriber(&self, destination: &str) -> Result<DataSubscriber, Error> {
        self.data_subscriber_with(destination, SubscriberOptions::new())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`Fanfare::data_subscriber_with`](crate::Fanfare::data_subscriber_with).
    pub fn data_subscriber_with(
        &self,
        destination: &str,
        options: SubscriberOptions,
    ) -> Result<DataSubscriber, Error> {
        Ok(DataSubscriber { inner: self.inner.data_subscriber_with(destination, options)? })
    }

    /// What a key/value publisher wrote at a key, with its version.
    ///
    /// # Errors
    /// As [`Fanfare::data_value`](crate::Fanfare::data_value).
    pub fn data_value(&self, key: impl AsRef<[u8]>) -> Result<Option<Versioned>, Error> {
        runtime::wait(self.inner.data_value(key))
    }
}

impl DataPublisher {
    /// Connects to the broker that a URL names, and publishes to the destination behind its `#`.
    ///
    /// # Errors
    /// As [`open_publisher`](crate::data::open_publisher).
    ///
    /// # Panics
    /// On a thread that drives a runtime.
    pub fn open(url: &str) -> Result<Self, Error> {
        Self::open_with(url, PublisherOptions::new())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    ///
    /// # Panics
    /// As [`open`](Self::open).
    pub fn open_with(url: &str, options: PublisherOptions) -> Result<Self, Error> {
        runtime::start()?;
        Ok(Self { inner: runtime::wait(data::open_publisher_with(url, options))? })
    }

    /// The name that it was given, for logs.
    pub fn name(&self) -> &str {
        self.inner.name()
    }

    /// Where it publishes to.
    pub fn destination(&self) -> &Destination {
        self.inner.destination()
    }

    /// Publishes a value as a record.
    ///
    /// # Errors
    /// As [`publish_record`](crate::data::DataPublisher::publish_record), and
    /// [`ErrorKind::Encode`](crate::ErrorKind::Encode).
    pub fn publish<T: Serialize + ?Sized>(&self, value: &T) -> Result<Published, Error> {
        runtime::wait(self.inner.publish(value))
    }

    /// Publishes a value as a record under this key.
    ///
    /// # Errors
    /// As [`publish_record_at`](crate::data::DataPublisher::publish_record_at), and
    /// [`ErrorKind::Encode`](crate::ErrorKind::Encode).
    pub fn publish_at<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
    ) -> Result<Published, Error> {
        runtime::wait(self.inner.publish_at(key, value))
    }

    /// Publishes many records, pipelined, and returns the outcome of each in their order.
    pub fn publish_records(&self, records: Vec<Record>) -> Vec<Result<Published, Error>> {
        runtime::wait(self.inner.publish_records(records))
    }

    /// Runs again after a [`stop`](Self::stop).
    ///
    /// # Errors
    /// As [`start`](crate::data::DataPublisher::start).
    pub fn start(&self) -> Result<(), Error> {
        runtime::wait(self.inner.start())
    }

    /// Lets nothing more be published, waits for what is being published, and returns the final counts.
    pub fn stop(&self) -> PublisherStats {
        runtime::wait(self.inner.stop())
    }

    /// Whether it takes records.
    pub fn is_running(&self) -> bool {
        self.inner.is_running()
    }

    /// The counts so far.
    pub fn stats(&self) -> PublisherStats {
        self.inner.stats()
    }
}

impl DataSubscriber {
    /// A subscriber to the destination behind a URL's `#`; it connects when it is started.
    ///
    /// # Errors
    /// As [`open_subscriber`](crate::data::open_subscriber).
    pub fn open(url: &str) -> Result<Self, Error> {
        Self::open_with(url, SubscriberOptions::new())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(url: &str, options: SubscriberOptions) -> Result<Self, Error> {
        Ok(Self { inner: data::open_subscriber_with(url, options)? })
    }

    /// The name that it was given, for logs.
    pub fn name(&self) -> &str {
        self.inner.name()
    }

    /// Where its data comes from.
    pub fn destination(&self) -> &Destination {
        self.inner.destination()
    }

    /// Subscribes, and returns after the server has confirmed.
    ///
    /// # Errors
    /// As [`start`](crate::data::DataSubscriber::start).
    ///
    /// # Panics
    /// On a thread that drives a runtime.
    pub fn start(&self) -> Result<(), Error> {
        runtime::start()?;
        runtime::wait(self.inner.start())
    }

    /// Unsubscribes, waits for the handler that is running, and returns the final counts.
    pub fn stop(&self) -> SubscriberStats {
        runtime::wait(self.inner.stop())
    }

    /// Whether it is started and has not ended.
    pub fn is_running(&self) -> bool {
        self.inner.is_running()
    }

    /// Waits for the next record or gap.
    ///
    /// # Errors
    /// As [`recv`](crate::data::DataSubscriber::recv).
    pub fn recv(&self) -> Result<Arrival, Error> {
        runtime::wait(self.inner.recv())
    }

    /// Waits for the next record or gap for at most `limit`. `None`: nothing came.
    ///
    /// # Errors
    /// As [`recv`](crate::data::DataSubscriber::recv).
    pub fn recv_within(&self, limit: Duration) -> Result<Option<Arrival>, Error> {
        runtime::wait(async { self.inner.recv_within(limit).await })
    }

    /// What is there now, without waiting. `None`: nothing.
    ///
    /// # Errors
    /// As [`recv`](crate::data::DataSubscriber::recv).
    pub fn try_recv(&self) -> Result<Option<Arrival>, Error> {
        self.inner.try_recv()
    }

    /// How many messages, entries or announcements have arrived, whether somebody took them or not.
    pub fn message_count(&self) -> u64 {
        self.inner.message_count()
    }

    /// The counts so far.
    pub fn stats(&self) -> SubscriberStats {
        self.inner.stats()
    }
}

impl Iterator for DataSubscriber {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        self.recv().ok()
    }
}
