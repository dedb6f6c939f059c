//! Which address to take: the given one, the one of last time, the usual one, a free one.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Addresses in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidates(Vec<SocketAddr>);

impl Candidates {
    /// A given address is taken as it is, or not at all; its port 0 means any, best that of last time.
    /// Without one it is that of last time, the usual one, or any, all on loopback: nothing listens
    /// to other machines unasked.
    pub(crate) fn new(
        given: Option<SocketAddr>,
        stored: Option<SocketAddr>,
        usual: SocketAddr,
    ) -> Self {
        let list = match given {
            Some(given) if given.port() != 0 => vec![given],
            Some(given) => stored
                .filter(|stored| stored.ip() == given.ip())
                .into_iter()
                .chain([given])
                .collect(),
            None => stored
                .filter(|stored| stored.ip().is_loopback())
                .into_iter()
                .chain([usual, any()])
                .collect(),
        };
        Self(list)
    }

    /// Each once, in order.
    pub(crate) fn each(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        let is_first = |(at, address): &(usize, &SocketAddr)| !self.0[..*at].contains(address);
        self.0
            .iter()
            .enumerate()
            .filter(is_first)
            .map(|(_, address)| *address)
    }
}

fn any() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// Listens on the first address that is free; the last error if none is.
pub(crate) fn first_free(candidates: &Candidates) -> std::io::Result<TcpListener> {
    let mut failed = std::io::Error::other("no address is given");
    for address in candidates.each() {
        match TcpListener::bind(address) {
            Ok(free) => return Ok(free),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(given: Option<&str>, stored: Option<&str>) -> Vec<String> {
        let parse = |text: &str| text.parse().unwrap();
        Candidates::new(given.map(parse), stored.map(parse), parse("127.0.0.1:4222"))
            .each()
            .map(|address| address.to_string())
            .collect()
    }

    #[test]
    fn a_given_address_is_the_only_one() {
        assert_eq!(
            of(Some("127.0.0.1:9"), Some("127.0.0.1:8")),
            ["127.0.0.1:9"]
        );
    }

    #[test]
    fn port_0_is_best_the_port_of_last_time() {
        assert_eq!(
            of(Some("127.0.0.1:0"), Some("127.0.0.1:8")),
            ["127.0.0.1:8", "127.0.0.1:0"]
        );
        assert_eq!(of(Some("[::1]:0"), Some("127.0.0.1:8")), ["[::1]:0"]);
    }

    #[test]
    fn without_a_word_last_time_goes_before_the_usual() {
        assert_eq!(of(None, None), ["127.0.0.1:4222", "127.0.0.1:0"]);
        assert_eq!(
            of(None, Some("127.0.0.1:8")),
            ["127.0.0.1:8", "127.0.0.1:4222", "127.0.0.1:0"]
        );
        assert_eq!(
            of(None, Some("127.0.0.1:4222")),
            ["127.0.0.1:4222", "127.0.0.1:0"]
        );
    }

    #[test]
    fn an_address_for_other_machines_is_not_taken_again_unasked() {
        for stored in ["0.0.0.0:8", "192.0.2.1:8", "[::]:8"] {
            assert_eq!(
                of(None, Some(stored)),
                ["127.0.0.1:4222", "127.0.0.1:0"],
                "{stored}"
            );
        }
        assert_eq!(of(None, Some("[::1]:8"))[0], "[::1]:8");
        assert_eq!(
            of(Some("0.0.0.0:0"), Some("0.0.0.0:8")),
            ["0.0.0.0:8", "0.0.0.0:0"]
        );
    }

    #[test]
    fn an_address_in_use_is_passed_over() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let taken = held.local_addr().unwrap();
        let free = first_free(&Candidates::new(None, Some(taken), taken)).unwrap();
        assert_ne!(free.local_addr().unwrap(), taken);
        assert!(first_free(&Candidates::new(Some(taken), None, taken)).is_err());
    }
}
