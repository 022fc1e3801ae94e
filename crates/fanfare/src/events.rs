//! Listening to what happens, one event after the other.

/// The events of something, with what they are told through and a variant for what a slow listener missed.
macro_rules! events {
    ($(#[$about:meta])* $name:ident of $event:ident, until $end:literal) => {
        $(#[$about])*
        pub struct $name(pub(crate) tokio::sync::broadcast::Receiver<$event>);

        impl $name {
            #[doc = concat!("The next event, or `None` when ", $end, ".")]
            ///
            /// # Cancel safety
            /// Dropping the future loses no event.
            pub async fn next(&mut self) -> Option<$event> {
                use tokio::sync::broadcast::error::RecvError;
                match self.0.recv().await {
                    Ok(event) => Some(event),
                    Err(RecvError::Lagged(n)) => Some($event::Missed { n }),
                    Err(RecvError::Closed) => None,
                }
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

pub(crate) use events;
