//! A network of its own for an edge: a namespace with one link to nats-server and one to viewers, each of
//! which can be broken so that packets silently vanish. Needs root, `ip` and `iptables`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;

use anyhow::{Context as _, bail};

/// Both are in the range that is set aside for benchmarks of networks.
const TO_NATS: Link = Link {
    letter: 'n',
    ours: Ipv4Addr::new(198, 18, 101, 1),
    its: Ipv4Addr::new(198, 18, 101, 2),
};
const TO_VIEWERS: Link = Link {
    letter: 'v',
    ours: Ipv4Addr::new(198, 18, 102, 1),
    its: Ipv4Addr::new(198, 18, 102, 2),
};
const PORT: u16 = 7780;

/// The network; dropping it removes it.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) namespace: String,
    number: u32,
}

/// What leads into the namespace.
#[derive(Debug, Clone, Copy)]
struct Link {
    letter: char,
    ours: Ipv4Addr,
    its: Ipv4Addr,
}

/// What may be broken.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Broken {
    ToNats,
    ToViewers,
}

impl Network {
    /// Lays it.
    pub(crate) fn lay() -> anyhow::Result<Self> {
        let number = std::process::id();
        let namespace = format!("aideator-bench-{number}");
        run("ip", &["netns", "add", &namespace])?;
        let network = Self { namespace, number };
        network.inside(&["ip", "link", "set", "lo", "up"])?;
        for link in [TO_NATS, TO_VIEWERS] {
            let (ours, its) = (network.ours(link), network.its(link));
            let namespace = network.namespace.as_str();
            let peer = ["peer", "name", &its, "netns", namespace];
            run(
                "ip",
                &[&["link", "add", &ours, "type", "veth"][..], &peer].concat(),
            )?;
            let address = format!("{}/30", link.ours);
            run("ip", &["addr", "add", &address, "dev", &ours])?;
            run("ip", &["link", "set", &ours, "up"])?;
            let address = format!("{}/30", link.its);
            network.inside(&["ip", "addr", "add", &address, "dev", &its])?;
            network.inside(&["ip", "link", "set", &its, "up"])?;
        }
        // Whether it can be broken.
        network.inside(&["iptables", "-L", "-n"])?;
        Ok(network)
    }

    /// Where nats-server is to listen.
    pub(crate) fn nats() -> SocketAddr {
        SocketAddr::new(IpAddr::V4(TO_NATS.ours), 0)
    }

    /// Where the edge is to listen.
    pub(crate) fn edge() -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT)
    }

    /// Where viewers find the edge.
    pub(crate) fn door() -> SocketAddr {
        SocketAddr::new(IpAddr::V4(TO_VIEWERS.its), PORT)
    }

    /// Where the edge is found by who does not go through the viewers' link.
    pub(crate) fn side_door() -> SocketAddr {
        SocketAddr::new(IpAddr::V4(TO_NATS.its), PORT)
    }

    /// Lets all packets of a link vanish.
    pub(crate) fn cut(&self, broken: Broken) -> anyhow::Result<()> {
        self.rules("-A", broken)
    }

    /// Lets them through again.
    pub(crate) fn mend(&self, broken: Broken) -> anyhow::Result<()> {
        self.rules("-D", broken)
    }

    fn rules(&self, action: &str, broken: Broken) -> anyhow::Result<()> {
        let link = self.its(match broken {
            Broken::ToNats => TO_NATS,
            Broken::ToViewers => TO_VIEWERS,
        });
        for (chain, side) in [("INPUT", "-i"), ("OUTPUT", "-o")] {
            self.inside(&["iptables", action, chain, side, &link, "-j", "DROP"])?;
        }
        Ok(())
    }

    fn inside(&self, command: &[&str]) -> anyhow::Result<()> {
        let inside = ["netns", "exec", &self.namespace];
        run("ip", &[&inside[..], command].concat())
    }

    /// The name of a link's end out here; a name has 15 characters at most.
    fn ours(&self, link: Link) -> String {
        format!("aib{}{}o", self.number, link.letter)
    }

    fn its(&self, link: Link) -> String {
        format!("aib{}{}i", self.number, link.letter)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The links go with it, and what runs in it has been ended before.
        if let Err(error) = run("ip", &["netns", "delete", &self.namespace]) {
            eprintln!("  {} is still there: {error:#}", self.namespace);
        }
    }
}

fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let words = arguments.join(" ");
    let output = Command::new(program).args(arguments).output();
    let output = output.with_context(|| format!("there is no {program}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {words}: {}", said.trim());
    }
    Ok(())
}
