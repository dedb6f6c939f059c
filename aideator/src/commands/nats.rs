//! `aideator nats`: the three verbs of NATS that scripts need, for machines without a NATS client.

use std::time::Duration;

use aideator_bus::{Bus, Connect};
use aideator_contract::subject::REQUESTS_ALL;
use clap::Subcommand;

use crate::error::Error;
use crate::exit::Exit;
use crate::output::put;
use crate::server::Server;

const WAIT: Duration = Duration::from_secs(10);

/// Publish, ask and listen, as the `nats` command does.
///
/// It connects without credentials, as any script may: it can send requests, ask services and read,
/// and write no run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where NATS is: nats://host:port. Without it: that of the `up` in the data directory
    #[arg(long = "nats", value_name = "URL", global = true)]
    url: Option<String>,
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
    },
    /// Send a message and print the answer
    Request {
        /// Whom to ask, e.g. aideator.rpc.run
        subject: String,
        /// What
        #[arg(default_value = "")]
        payload: String,
    },
    /// Print what is sent, until interrupted
    Sub {
        /// Where to listen, e.g. 'aideator.live.>'
        subject: String,
        /// End after so many messages
        #[arg(long, value_name = "N")]
        count: Option<u64>,
    },
}

pub(crate) async fn run(args: Args, server: &Server) -> Result<Exit, Error> {
    let url = match args.url {
        Some(url) => url,
        None => server.nats()?,
    };
    let bus = Bus::connect(Connect::new(url, "aideator nats").wait(WAIT)).await?;
    match args.verb {
        // The answer is the stream's acknowledgement: a request that nobody takes is not passed over.
        Verb::Pub { subject, payload }
            if subject.starts_with(REQUESTS_ALL.trim_end_matches('>')) =>
        {
            bus.request(&subject, payload.into(), WAIT).await?;
        }
        Verb::Pub { subject, payload } => bus.publish(&subject, payload.into()).await?,
        Verb::Request { subject, payload } => {
            let answer = bus.request(&subject, payload.into(), WAIT).await?;
            put(&format!("{}\n", String::from_utf8_lossy(&answer)))?;
        }
        Verb::Sub { subject, count } => listen(&bus, &subject, count).await?,
    }
    bus.close().await;
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
