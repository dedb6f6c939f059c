//! Everything on this machine, as `aideator up` runs it: the parts, what they need, and their order.

mod address;
mod alone;
mod announce;
mod base_url;
mod everything;
mod lock;
mod machine;
mod model;
mod model_server;
mod nats;
mod parts;
mod ready;

pub(crate) use lock::Lock;
pub(crate) use machine::Machine;
pub(crate) use model::PROVIDERS;
pub(crate) use parts::Part;
