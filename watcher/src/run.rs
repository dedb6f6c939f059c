//! The watcher as a service.

use aideator_bus::Bus;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::Error;
use crate::observe::Local;
use crate::watch::watch;

/// Watches this machine's runs until `shutdown`.
///
/// # Errors
/// The data directory can't be used. What NATS does is waited for, never an error.
pub async fn run(config: Config, bus: Bus, shutdown: CancellationToken) -> Result<(), Error> {
    let observer = Local::new(&config.data_dir);
    watch(bus, observer, config.limits, shutdown).await;
    Ok(())
}
