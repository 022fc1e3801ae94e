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
//! # Panics
//! Every call that waits panics on a thread that drives an asynchronous runtime, which it would
//! stop. Use the asynchronous types there, or `tokio::task::spawn_blocking`.
//!
//! # How to add a twin
//! Keep the asynchronous value as `inner`, and list the methods in `twin!` with what they give when
//! they succeed. It makes methods of the same names that wait; a method that returns no `Result` has
//! its type behind `=>`. A type that [`Run`](crate::client::Run)s commands gets all of them by
//! implementing that. What starts tasks, or is polled, goes through `runtime::wait`.

mod client;
mod fanfare;
mod pubsub;
mod runtime;
mod stream;

pub use client::{Client, Pipeline, Transaction, Watch};
pub use fanfare::Fanfare;
pub use pubsub::{Handler, Subscriber, Subscription};
pub use stream::{Group, Stream, Tail};

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
