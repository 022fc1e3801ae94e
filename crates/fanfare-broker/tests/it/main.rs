//! The broker over its sockets, held to redis-server where that is the oracle.

mod accept;
mod atomic;
mod blocking;
mod carried;
mod claiming;
mod everywhere;
mod full_mailbox;
mod info;
mod isolation;
mod lazyfree;
mod load;
mod order;
mod panic;
mod peer;
mod push;
mod resident;
mod shutdown;
mod tangled;
mod tracking;
mod vanish;
mod waits;
