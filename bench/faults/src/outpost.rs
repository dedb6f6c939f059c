//! An edge in a network of its own, with nats-server and viewers out here.

use std::path::Path;
use std::time::Duration;

use aideator_bench_peers::instance::{Instance, Setup};
use aideator_bus::Bus;
use aideator_bus::credentials::User;
use aideator_bus::server::testing::TestServer;

use crate::network::Network;
use crate::stage::{self, administer, setup};
use crate::viewer::Manner;

/// What lets viewers in where an edge does not serve loopback.
const TOKEN: &str = "bench-faults-0123456789";

pub(crate) struct Outpost {
    /// Ended first.
    _edge: Instance,
    pub(crate) bus: Bus,
    _nats: TestServer,
}

impl Outpost {
    pub(crate) async fn start(edge: &Path, network: &Network) -> anyhow::Result<Self> {
        let nats = TestServer::start_with_operator_at(Network::nats()).await;
        let bus = administer(&nats.url(), nats.credentials(User::Admin), 1).await?;
        let setup = Setup {
            listen: Network::edge(),
            asked_at: Network::side_door(),
            token: Some(TOKEN.to_owned()),
            namespace: Some(network.namespace.clone()),
            ..setup(
                edge,
                &nats.url(),
                nats.credentials(User::Edge),
                nats.folder(),
            )?
        };
        Ok(Self {
            _edge: Instance::start(setup).await?,
            bus,
            _nats: nats,
        })
    }

    /// Viewers who come through their link.
    pub(crate) fn manner(&self) -> Manner {
        Manner {
            door: Network::door(),
            token: Some(TOKEN.to_owned()),
            pause: Duration::from_millis(100),
            cuts: None,
        }
    }

    /// How many viewers the edge holds, as it says itself through the other link.
    pub(crate) async fn viewers(&self) -> anyhow::Result<u64> {
        stage::viewers(Network::side_door(), TOKEN).await
    }
}
