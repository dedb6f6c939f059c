//! `aideator up`: all parts in one process, and nats-server beside it.

use std::time::Duration;

use super::announce;
use super::lock::Lock;
use super::machine::{Machine, local_address, told_to_stop};
use super::nats::Nats;
use super::parts::{Part, Parts};
use super::ready::wait_until_ready;
use crate::commands::up::WhereNats;
use crate::error::Error;
use crate::output::{news, put};
use crate::view::Paint;

/// How long the parts have to end what they are doing.
const ENDING: Duration = Duration::from_secs(15);

impl Machine {
    /// Runs everything until somebody says stop or a part fails. Agents at work go on.
    pub(crate) async fn everything(&self) -> Result<(), Error> {
        let _lock = Lock::take(&self.folder)?;
        let stop = told_to_stop()?;
        let (mut servers, mut parts) = (Parts::default(), Parts::default());
        let ended = tokio::select! {
            ended = self.work(&mut servers, &mut parts) => ended,
            () = stop => {
                if !self.args.json {
                    news("stopping; agents at work go on, and the next `aideator up` takes them over");
                }
                Ok(())
            }
        };
        parts.stop(ENDING).await;
        // Last, because the parts say goodbye to it.
        servers.stop(ENDING).await;
        self.folder.store(|addresses| addresses.pid = None)?;
        ended
    }

    async fn work(&self, servers: &mut Parts, parts: &mut Parts) -> Result<(), Error> {
        let stored = self.folder.addresses()?;
        let (nats_url, ours) = match &self.args.nats {
            Some(WhereNats::At(url)) => (url.clone(), None),
            Some(WhereNats::Ours(_)) | None => {
                let nats =
                    Nats::start(&self.folder, &self.keys, &self.nats_candidates(&stored)).await?;
                let address = nats.address();
                servers.add(Part::Nats.name(), |shutdown| nats.keep(shutdown));
                (format!("nats://{address}"), Some(address))
            }
        };
        let listener = self.http(&stored)?;
        let http = local_address(&listener)?;
        let models = self.models(&stored).await?;
        let small = models.small.as_ref().map(|small| small.address);
        models.serve(servers);
        // Kept before anything is launched: an agent knows where NATS is from its launch.
        self.folder.store(|addresses| {
            addresses.http = Some(http);
            addresses.nats = ours.or(addresses.nats);
            addresses.model = small.or(addresses.model);
            addresses.pid = Some(std::process::id());
        })?;
        let need = self.need(&nats_url, Some(listener), &models);
        Parts::ensure(&self.keys, &nats_url, &need.declared).await?;
        for part in Part::SERVICES {
            parts.start(part, &self.keys, &need).await?;
        }
        tokio::select! {
            ready = wait_until_ready(http) => ready?,
            error = parts.failed() => return Err(error),
            error = servers.failed() => return Err(error),
        }
        models.ready().await;
        put(&if self.args.json {
            format!("{}\n", announce::line(&need, http, ours.is_some()))
        } else {
            announce::block(&need, http, Paint::for_stdout())
        })?;
        Err(tokio::select! {
            error = parts.failed() => error,
            error = servers.failed() => error,
        })
    }
}
