//! Lists.

pub(crate) mod blpop;
pub(crate) mod lindex;
pub(crate) mod linsert;
pub(crate) mod llen;
pub(crate) mod lmove;
pub(crate) mod lmpop;
pub(crate) mod lpos;
pub(crate) mod lrange;
pub(crate) mod lrem;
pub(crate) mod lset;
pub(crate) mod ltrim;
pub(crate) mod pop;
pub(crate) mod push;
