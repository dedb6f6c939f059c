//! The watcher as a service.

use std::error::Error as StdError;

use aideator_bus::Bus;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::Error;
use crate::observe::Local;
use crate::projection::Projection;
use crate::rpc;
use crate::watch::{until_done, watch};

/// Watches this machine's runs and answers questions about them until `shutdown`.
///
/// # Errors
/// The data directory can't be used. What NATS does is waited for, never an error.
pub async fn run(config: Config, bus: Bus, shutdown: CancellationToken) -> Result<(), Error> {
    let observer = Local::new(&config.data_dir);
    let (projection, following) =
        Projection::new(bus.clone(), config.data_dir.clone(), shutdown.clone());
    let serving = async {
        let start = until_done("starting the query service", || {
            rpc::serve(&bus, projection.clone())
        });
        if let Some(service) = shutdown.run_until_cancelled(start).await {
            shutdown.cancelled().await;
            service.stop().await;
        }
    };
    let following = async {
        let followed = following.await;
        if let Err(error) = &followed {
            // Runs go on without their list.
            tracing::error!(error = error as &dyn StdError, "there is no list of runs");
            shutdown.cancelled().await;
        }
        followed
    };
    let watching = watch(bus.clone(), observer, config.limits, shutdown.clone());
    let ((), (), followed) = tokio::join!(watching, serving, following);
    followed
}
