//! The broker over its sockets, held to redis-server where that is the oracle.

mod everywhere;
mod full_mailbox;
mod info;
mod isolation;
mod load;
mod order;
mod peer;
mod resident;
mod shutdown;
mod vanish;
