//! Orders: to shut down, to take another configuration. Only of those who may, signed.

mod gate;
mod keys;
mod order;

use std::sync::{Arc, Mutex, PoisonError};

use fanfare_client::Error;
use serde::{Deserialize, Serialize};

use super::{ServiceEvent, core::Core};
use crate::{BoxError, Call, Channel, Json, client::Client, handle::Endpoint, request::Responding};
use gate::Gate;
use order::Signed;

pub use gate::RefusedOrder;
pub use keys::ControlKeys;
pub(super) use keys::Key;
pub(super) use order::{Command, Order};

/// An order to shut down, from somebody who may.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shutdown {
    /// Who has sent it.
    pub sender: String,
    /// Why, as the sender says.
    pub reason: String,
}

/// An instance has obeyed an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Confirmation {
    /// The service's name.
    pub service: String,
    /// The instance's id.
    pub instance: String,
}

/// What an instance needs to judge orders, and to obey them.
struct Obeying {
    core: Arc<Core>,
    gate: Mutex<Gate>,
    on_config: Option<Endpoint<Call>>,
}

/// Obeys the orders for an instance.
pub(super) async fn obey(
    core: &Arc<Core>,
    keys: ControlKeys,
    on_config: Option<Endpoint<Call>>,
) -> Result<Responding, Error> {
    let channels = core.names.heard("control", &core.name, &core.instance)?;
    // What was ordered before is not for this instance: another one may have obeyed it, and this one
    // could not know.
    let begun_ms = Core::now_ms(&core.client).await?;
    let targets = channels.iter().map(|it| target(&core.client, it)).collect::<Result<_, _>>()?;
    let gate = Mutex::new(Gate::new(keys, targets, begun_ms));
    let obeying = Arc::new(Obeying { core: core.clone(), gate, on_config });
    let handler = move |call: Call| {
        let obeying = obeying.clone();
        async move { obeying.handle(call).await }
    };
    core.client.fanfare().respond_all(channels, handler).start().await
}

/// Whom an order is signed for: a channel, with the namespace, so that none for another environment holds.
pub(super) fn target(client: &Client, channel: &Channel) -> Result<String, Error> {
    let name = client.fanfare().channel(channel.as_ref())?;
    Ok(String::from_utf8_lossy(&name).into_owned())
}

impl Obeying {
    async fn handle(&self, call: Call) -> Result<Json<Confirmation>, BoxError> {
        let core = &self.core;
        let signed = Signed::read(&call);
        let judged = match &signed {
            Ok(signed) => {
                let now_ms = Core::now_ms(&core.client).await?;
                self.gate.lock().unwrap_or_else(PoisonError::into_inner).judge(signed, now_ms)
            }
            Err(reason) => Err(*reason),
        };
        let order = match judged {
            Ok(order) => order,
            Err(reason) => {
                core.counts().orders_refused += 1;
                let key_id = signed.ok().map(|it| it.key);
                tracing::warn!(service = core.name, ?reason, ?key_id, "an order is refused");
                core.tell(ServiceEvent::OrderRefused { reason, key_id });
                return Err(reason.into());
            }
        };
        let sender = order.sender;
        match order.command {
            Command::Shutdown { reason } => {
                let shutdown = Shutdown { sender, reason };
                core.shutdown.send_replace(Some(shutdown.clone()));
                core.tell(ServiceEvent::Shutdown(shutdown));
            }
            Command::Config { data } => {
                let on_config =
                    self.on_config.as_ref().ok_or("this service takes no configuration")?;
                on_config(call.with_payload(serde_json::to_vec(&data)?)).await?;
                core.tell(ServiceEvent::Configured { sender });
            }
        }
        core.counts().orders_obeyed += 1;
        let (service, instance) = (core.name.clone(), core.instance.clone());
        Ok(Json(Confirmation { service, instance }))
    }
}
