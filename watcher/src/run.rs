//! The watcher as a service.

use std::error::Error as StdError;

use aideator_bus::Bus;
use kube::Client;
use tokio_util::sync::CancellationToken;

use crate::archive::archive;
use crate::config::{ClusterConfig, Config, Database};
use crate::decide::Limits;
use crate::error::Error;
use crate::observe::{Cluster, Local, Observer};
use crate::projection::Projection;
use crate::rpc;
use crate::watch::{until_done, watch};

/// Watches this machine's runs and answers questions about them until `shutdown`.
///
/// # Errors
/// The data directory can't be used. What NATS does is waited for, never an error.
pub async fn run(config: Config, bus: Bus, shutdown: CancellationToken) -> Result<(), Error> {
    let observer = Local::new(&config.data_dir);
    let database = Database::Embedded(config.data_dir);
    serve(observer, config.limits, database, bus, shutdown).await
}

/// Watches the runs of a cluster's namespace and answers questions about them until `shutdown`.
///
/// # Errors
/// The configuration or the data directory can't be used. What NATS and Kubernetes do is waited for.
pub async fn run_in_cluster(
    config: ClusterConfig,
    client: Client,
    bus: Bus,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let database = config.database()?;
    let (observer, watching) = Cluster::new(client, &config.namespace, &config.instance);
    let served = serve(observer, config.limits(), database, bus, shutdown);
    tokio::select! {
        served = served => served,
        () = watching => Ok(()),
    }
}

async fn serve(
    observer: impl Observer,
    limits: Limits,
    database: Database,
    bus: Bus,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let (projection, following) = Projection::new(bus.clone(), database, shutdown.clone());
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
    let watching = watch(bus.clone(), observer, limits, shutdown.clone());
    let archiving = archive(bus.clone(), shutdown.clone());
    let ((), (), (), followed) = tokio::join!(watching, archiving, serving, following);
    followed
}
