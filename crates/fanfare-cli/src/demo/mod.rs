//! `fanfare demo`: an embedded broker with publishers and subscribers, live, that ends with a
//! summary that must add up.
//!
//! `command` arguments and course · `stage` who publishes and who listens · `view` what is seen
//! meanwhile · `summary` what is counted at the end.

mod command;
mod stage;
mod summary;
mod view;

pub(crate) use command::Demo;
