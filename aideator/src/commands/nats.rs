//! `aideator nats`: the three verbs of NATS that scripts need, for machines without a NATS client,
//! and the keys of a cluster.

mod bootstrap;
mod rotate;

use std::path::PathBuf;
use std::time::Duration;

use aideator_bus::{Bus, Connect, Credentials};
use aideator_contract::subject::REQUESTS_ALL;
use clap::Subcommand;

use crate::error::Error;
use crate::exit::Exit;
use crate::output::put;
use crate::server::Server;

const WAIT: Duration = Duration::from_secs(10);

/// Publish, ask and listen, as the `nats` command does; make and rotate the keys of a cluster.
///
/// It may do what any script may: send requests, ask services and read, and write no run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Send a message
    Pub {
        /// Where to, e.g. aideator.requests.run
        subject: String,
        /// What, e.g. '{"prompt":"What is an idea?"}'
        payload: String,
        #[command(flatten)]
        at: At,
    },
    /// Send a message and print the answer
    Request {
        /// Whom to ask, e.g. aideator.rpc.run
        subject: String,
        /// What
        #[arg(default_value = "")]
        payload: String,
        #[command(flatten)]
        at: At,
    },
    /// Print what is sent, until interrupted
    Sub {
        /// Where to listen, e.g. 'aideator.live.>'
        subject: String,
        /// End after so many messages
        #[arg(long, value_name = "N")]
        count: Option<u64>,
        #[command(flatten)]
        at: At,
    },
    Bootstrap(bootstrap::Args),
    Rotate(rotate::Args),
}

/// Where and as whom to connect.
#[derive(Debug, clap::Args)]
struct At {
    /// Where NATS is: nats://host:port. Without it: that of the `up` in the data directory
    #[arg(
        long = "nats",
        value_name = "URL",
        env = "AIDEATOR_NATS",
        hide_env_values = true
    )]
    url: Option<String>,
    /// Who we are: a .creds file. Without it: anybody, as a local `up` allows
    #[arg(
        long,
        value_name = "FILE",
        env = "AIDEATOR_CREDS",
        hide_env_values = true
    )]
    creds: Option<PathBuf>,
}

impl At {
    async fn connect(self, server: &Server) -> Result<Bus, Error> {
        let url = match self.url {
            Some(url) => url,
            None => server.nats()?,
        };
        let mut connect = Connect::new(url, "aideator nats").wait(WAIT);
        connect.credentials = self.creds.as_deref().map(Credentials::load).transpose()?;
        let anybody = connect.credentials.is_none();
        match Bus::connect(connect).await {
            Err(aideator_bus::Error::Unauthorized { url }) if anybody => {
                Err(Error::Usage(format!(
                    "NATS at {url} lets nobody in without credentials; give some with --creds FILE"
                )))
            }
            connected => Ok(connected?),
        }
    }
}

pub(crate) async fn run(args: Args, server: &Server) -> Result<Exit, Error> {
    match args.verb {
        Verb::Pub {
            subject,
            payload,
            at,
        } => {
            let bus = at.connect(server).await?;
            // The answer is the stream's acknowledgement: a request that nobody takes is not passed over.
            if subject.starts_with(REQUESTS_ALL.trim_end_matches('>')) {
                bus.request(&subject, payload.into(), WAIT).await?;
            } else {
                bus.publish(&subject, payload.into()).await?;
            }
            bus.close().await;
        }
        Verb::Request {
            subject,
            payload,
            at,
        } => {
            let bus = at.connect(server).await?;
            let answer = bus.request(&subject, payload.into(), WAIT).await?;
            put(&format!("{}\n", String::from_utf8_lossy(&answer)))?;
            bus.close().await;
        }
        Verb::Sub { subject, count, at } => {
            let bus = at.connect(server).await?;
            listen(&bus, &subject, count).await?;
            bus.close().await;
        }
        Verb::Bootstrap(args) => bootstrap::run(&args)?,
        Verb::Rotate(args) => rotate::run(&args)?,
    }
    Ok(Exit::Success)
}

async fn listen(bus: &Bus, subject: &str, count: Option<u64>) -> Result<(), Error> {
    let mut messages = bus.subscribe(subject).await?;
    let mut seen = 0;
    while count.is_none_or(|count| seen < count) {
        let Some(message) = messages.next().await else {
            break;
        };
        let payload = String::from_utf8_lossy(&message.payload);
        put(&format!("{} {payload}\n", message.subject))?;
        seen += 1;
    }
    Ok(())
}
