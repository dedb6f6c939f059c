//! `aideator up --only PART`: one part in the foreground, to be killed or spread as one likes.

use std::time::Duration;

use serde_json::json;

use super::machine::{Machine, local_address, told_to_stop};
use super::nats::replace_by_server;
use super::parts::{Part, Parts};
use super::ready::wait_until_ready;
use crate::commands::up::WhereNats;
use crate::error::Error;
use crate::folder::Addresses;
use crate::output::put;

const ENDING: Duration = Duration::from_secs(15);

impl Machine {
    /// Runs one part until somebody says stop or it fails.
    pub(crate) async fn alone(&self, part: Part) -> Result<(), Error> {
        if part == Part::Nats {
            return self.nats_alone().await;
        }
        let stop = told_to_stop()?;
        let mut parts = Parts::default();
        let ended = tokio::select! {
            ended = self.part_works(part, &mut parts) => ended,
            () = stop => Ok(()),
        };
        parts.stop(ENDING).await;
        ended
    }

    async fn part_works(&self, part: Part, parts: &mut Parts) -> Result<(), Error> {
        let stored = self.folder.addresses()?;
        let nats_url = self.nats_url(&stored)?;
        let listener = (part == Part::Edge)
            .then(|| self.http(&stored))
            .transpose()?;
        let http = listener.as_ref().map(local_address).transpose()?;
        let models = self.models(&stored).await?;
        let need = self.need(&nats_url, listener, &models);
        parts.start(part, &self.keys, &need).await?;
        if part == Part::Submitter {
            // Its agents ask it.
            let small = models.small.as_ref().map(|small| small.address);
            self.folder
                .store(|addresses| addresses.model = small.or(addresses.model))?;
            models.serve(parts);
            tokio::select! {
                () = models.ready() => {}
                error = parts.failed() => return Err(error),
            }
        }
        if let Some(http) = http {
            self.folder.store(|addresses| addresses.http = Some(http))?;
            tokio::select! {
                ready = wait_until_ready(http) => ready?,
                error = parts.failed() => return Err(error),
            }
        }
        self.say(
            part,
            json!({ "http": http.map(|http| format!("http://{http}")), "nats": nats_url }),
        )?;
        Err(parts.failed().await)
    }

    async fn nats_alone(&self) -> Result<(), Error> {
        let stored = self.folder.addresses()?;
        let candidates = self.nats_candidates(&stored);
        let never = replace_by_server(&self.folder, &self.keys, &candidates, |address| {
            self.folder
                .store(|addresses| addresses.nats = Some(address))?;
            self.say(Part::Nats, json!({ "nats": format!("nats://{address}") }))
        });
        match never.await? {}
    }

    /// Where NATS is: where was said, else where ours was last.
    fn nats_url(&self, stored: &Addresses) -> Result<String, Error> {
        match (&self.args.nats, stored.nats) {
            (Some(WhereNats::At(url)), _) => Ok(url.clone()),
            (Some(WhereNats::Ours(address)), _) => Ok(format!("nats://{address}")),
            (None, Some(address)) => Ok(format!("nats://{address}")),
            (None, None) => Err(Error::Usage(
                "say where NATS is: --nats nats://host:port (or start one with: aideator up --only nats)".into(),
            )),
        }
    }

    fn say(&self, part: Part, mut about: serde_json::Value) -> Result<(), Error> {
        if self.args.json {
            about["part"] = part.name().into();
            about["data_dir"] = self.folder.path().display().to_string().into();
            about["pid"] = std::process::id().into();
            return put(&format!("{about}\n"));
        }
        let address = about["http"]
            .as_str()
            .or(about["nats"].as_str())
            .unwrap_or_default();
        put(&format!("{}: {address}\n", part.name()))
    }
}
