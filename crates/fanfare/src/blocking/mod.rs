//! The twin of the library for programs without a runtime: every call returns when it is done.
//!
#![cfg_attr(feature = "embedded", doc = "```")]
#![cfg_attr(not(feature = "embedded"), doc = "```no_run")]
//! use std::time::Duration;
//! use fanfare::{blocking::Fanfare, commands::*};
//!
//! let fanfare = Fanfare::connect("embedded:")?;
//! let client = fanfare.client();
//! client.set("greeting", "hello")?;
//! assert_eq!(client.get::<String>("greeting")?.as_deref(), Some("hello"));
//!
//! let mut news = fanfare.subscribe(["news"])?;
//! fanfare.publish("news", "it works")?;
//! let message = news.next_within(Duration::from_secs(60)).expect("it has been published");
//! assert_eq!(message.text()?, "it works");
//! # Ok::<_, fanfare::Error>(())
//! ```
//!
//! # How it is made
//! The first call starts one thread with a runtime, which lives as long as the process and carries
//! all connections of all handles. Whoever calls waits on its own thread. So every value may be used
//! from any thread, and what the asynchronous type promises (deadlines, delivery, what happens when a
//! connection breaks) is promised by its twin: see there.
//!
//! Types have the same names as there. What there is a stream is an iterator here, with `next_within`
//! for a time limit. Handlers ([`Subscriber::handle`], [`Router`], [`Worker`], [`QueueWorker`]) are plain functions:
//! each call has a thread apart while it runs, at most 4,096 of them in the process; those beyond wait
//! for one. A handler that never returns keeps its thread, whatever becomes of its message or entry.
//! `tower` services are asynchronous: a router of them is made with [`Fanfare::asynchronous`].
//!
//! # Panics
//! Every call that waits panics on a thread that drives an asynchronous runtime, which it would
//! stop. Use the asynchronous types there, or `tokio::task::spawn_blocking`.
//!
//! # How to add a twin
//! Keep the asynchronous value as `inner`, and list the methods in `twin!` with what they give when
//! they succeed. It makes methods of the same names that wait; a method that returns no `Result` has
//! its type behind `=>`. A type that [`Run`](crate::client::Run)s commands gets all of them by
//! implementing that. What starts tasks, or is polled, goes through `runtime::wait`.

mod chat;
mod client;
mod data;
mod fanfare;
mod health;
mod monitor;
mod publisher;
mod pubsub;
mod queue;
mod request;
mod router;
mod runtime;
mod service;
mod spool;
mod stream;
mod worker;

pub use chat::{Chat, Member};
pub use client::{Client, Pipeline, Transaction, Watch};
pub use data::{DataPublisher, DataSubscriber};
pub use fanfare::{Builder, Fanfare};
pub use health::{Events, Monitor};
pub use monitor::{Notices, RunningMonitor, examine};
pub use publisher::{Lingering, Publisher, Receipt};
pub use pubsub::{Handler, Subscriber, Subscription, SubscriptionNames};
pub use queue::{
    DeadTasks, DelayQueue, PriorityQueue, QueueWorker, QueueWorkerEvents, RunningQueueWorker,
    Taken, TaskQueue, Ticket, UniqueQueue,
};
#[cfg(feature = "cron")]
pub use queue::{RunningScheduler, Schedules};
pub use request::{Answers, Requester, Responder, Responding};
pub use router::{Handle, Router, RunningRouter, service};
pub(crate) use runtime::apart;
pub use service::{Emitter, RunningService, Service};
pub use spool::Spool;
pub use stream::{Group, Stream, Tail};
pub use worker::{DeadLetters, RunningWorker, Worker, WorkerEvents};

/// Makes methods that wait of asynchronous ones with the same names.
macro_rules! twin {
    ($type:ty { $($methods:tt)* }) => {
        impl $type {
            $crate::blocking::twin!(@ $($methods)*);
        }
    };
    (@) => {};
    (@
        $(#[$doc:meta])*
        fn $name:ident(&self $(, $arg:ident: $arg_type:ty)* $(,)?) -> $out:ty;
        $($rest:tt)*
    ) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// As the asynchronous method of the same name.
        pub fn $name(&self $(, $arg: $arg_type)*) -> Result<$out, $crate::Error> {
            $crate::blocking::runtime::wait(self.inner.$name($($arg),*))
        }
        $crate::blocking::twin!(@ $($rest)*);
    };
    (@
        $(#[$doc:meta])*
        fn $name:ident<$generic:ident: $bound:ident>(
            &self $(, $arg:ident: $arg_type:ty)* $(,)?
        ) -> $out:ty;
        $($rest:tt)*
    ) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// As the asynchronous method of the same name.
        pub fn $name<$generic: $bound>(
            &self $(, $arg: $arg_type)*
        ) -> Result<$out, $crate::Error> {
            $crate::blocking::runtime::wait(self.inner.$name($($arg),*))
        }
        $crate::blocking::twin!(@ $($rest)*);
    };
    (@
        $(#[$doc:meta])*
        fn $name:ident(&self $(, $arg:ident: $arg_type:ty)* $(,)?) => $out:ty;
        $($rest:tt)*
    ) => {
        $(#[$doc])*
        pub fn $name(&self $(, $arg: $arg_type)*) -> $out {
            $crate::blocking::runtime::wait(self.inner.$name($($arg),*))
        }
        $crate::blocking::twin!(@ $($rest)*);
    };
}
use twin;
