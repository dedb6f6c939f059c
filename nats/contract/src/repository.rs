//! Which repositories may be asked for: addresses as people write them, judged without any I/O.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::limits;
use crate::reason::{Code, Reason};

/// What an installation allows beyond public https addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepositoryPolicy {
    /// Absolute paths on this machine (local mode).
    pub paths: bool,
    /// Hosts (`host` or `host:port`) that may be private and may speak plain http.
    pub trusted_hosts: Vec<String>,
}

/// A repository that may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repository {
    /// Over smart HTTP.
    Http {
        /// The address, without a login.
        url: Url,
        /// Its host is trusted by configuration: private addresses are allowed.
        trusted: bool,
    },
    /// A folder of this machine.
    Path(String),
}

impl Repository {
    /// Judges an address. What is refused says why and what would do.
    pub fn parse(text: &str, policy: &RepositoryPolicy) -> Result<Self, Reason> {
        let refuse = |code, message: String| Err(Reason::new(code, message));
        let text = text.trim();
        if text.is_empty() || text.len() > limits::REPOSITORY_BYTES {
            let most = limits::REPOSITORY_BYTES;
            return refuse(
                Code::RepositoryAddress,
                format!("a repository address is 1 to {most} bytes"),
            );
        }
        if text.starts_with('/') {
            if policy.paths {
                return Ok(Self::Path(text.to_owned()));
            }
            return refuse(
                Code::RepositoryAddress,
                "a path is allowed in local mode only; give an https address".into(),
            );
        }
        let Ok(url) = Url::parse(text) else {
            return refuse(
                Code::RepositoryAddress,
                format!("{text:?} is neither an https address nor an absolute path"),
            );
        };
        let trusted = policy.trusts(&url);
        match url.scheme() {
            "https" => {}
            "http" if trusted => {}
            other => {
                return refuse(
                    Code::RepositoryAddress,
                    format!("{other}:// is not allowed for a repository; use https://"),
                );
            }
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse(
                Code::RepositoryAddress,
                "a repository address may not hold a user name or password".into(),
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse(
                Code::RepositoryAddress,
                "a repository address may not hold '?' or '#'; name a branch in \"ref\"".into(),
            );
        }
        let private = match url.host() {
            Some(Host::Ipv4(ip)) => !is_public(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => !is_public(IpAddr::V6(ip)),
            Some(Host::Domain(name)) => is_local_name(name),
            None => true,
        };
        if private && !trusted {
            return refuse(
                Code::PrivateAddress,
                format!(
                    "{} is a private, local or reserved address",
                    url.host_str().unwrap_or("")
                ),
            );
        }
        Ok(Self::Http { url, trusted })
    }
}

impl RepositoryPolicy {
    fn trusts(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else {
            return false;
        };
        let with_port = url
            .port_or_known_default()
            .map(|port| format!("{host}:{port}"));
        self.trusted_hosts
            .iter()
            .any(|t| t == host || Some(t) == with_port.as_ref())
    }
}

fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || !name.contains('.')
        || [
            ".localhost",
            ".local",
            ".internal",
            ".home.arpa",
            ".svc",
            ".cluster.local",
        ]
        .iter()
        .any(|suffix| name.ends_with(suffix))
}

/// Whether an address is reachable by everybody: not private, loopback, link-local, carrier-grade NAT
/// (RFC 6598), unique-local (RFC 4193), multicast, documentation or reserved; addresses that embed an
/// IPv4 one (mapped, 6to4, NAT64) are judged by it.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19)))
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    if let Some(v4) = ip.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    if s[0] == 0x2002 {
        return is_public_v4(embedded(s[1], s[2]));
    }
    if s[0] == 0x64 && s[1] == 0xff9b {
        return s[2..6] == [0; 4] && is_public_v4(embedded(s[6], s[7]));
    }
    // 2000::/3 is all that is handed out; within it Teredo (2001::/32) and documentation are not.
    s[0] & 0xe000 == 0x2000
        && !(s[0] == 0x2001 && (s[1] == 0 || s[1] == 0xdb8))
        && !(s[0] == 0x3fff && s[1] < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Result<Repository, Code> {
        Repository::parse(text, &RepositoryPolicy::default()).map_err(|r| r.code)
    }

    #[test]
    fn public_https_is_allowed_and_nothing_else() {
        assert!(code("https://github.com/octocat/Hello-World").is_ok());
        for bad in [
            "file:///etc",
            "ssh://git@example.com/a",
            "git@example.com:a/b.git",
            "http://example.com/a",
            "https://user@example.com/a",
            "https://user:pw@example.com/a",
            "https://example.com/a?x=1",
            "/srv/repo",
            "ext::sh -c id",
            "",
        ] {
            assert_eq!(code(bad), Err(Code::RepositoryAddress), "{bad}");
        }
    }

    #[test]
    fn private_and_disguised_addresses_are_refused() {
        for bad in [
            "https://127.0.0.1/a",
            "https://localhost/a",
            "https://10.1.2.3/a",
            "https://192.168.1.1/a",
            "https://172.16.0.1/a",
            "https://169.254.169.254/latest",
            "https://100.64.0.1/a",
            "https://0x7f000001/a",
            "https://2130706433/a",
            "https://[::1]/a",
            "https://[fe80::1]/a",
            "https://[fd00::1]/a",
            "https://[::ffff:10.0.0.1]/a",
            "https://[2002:7f00:1::]/a",
            "https://[64:ff9b::a00:1]/a",
            "https://metadata.google.internal/a",
            "https://intranet/a",
        ] {
            assert_eq!(code(bad), Err(Code::PrivateAddress), "{bad}");
        }
    }

    #[test]
    fn a_trusted_host_may_be_private_and_plain() {
        let policy = RepositoryPolicy {
            paths: false,
            trusted_hosts: vec!["git.test.svc:8080".into()],
        };
        assert!(Repository::parse("http://git.test.svc:8080/r.git", &policy).is_ok());
        assert!(Repository::parse("http://git.test.svc/r.git", &policy).is_err());
    }

    #[test]
    fn a_path_is_allowed_where_the_policy_says_so() {
        let policy = RepositoryPolicy {
            paths: true,
            ..RepositoryPolicy::default()
        };
        assert_eq!(
            Repository::parse("/a/b", &policy),
            Ok(Repository::Path("/a/b".into()))
        );
        assert!(Repository::parse("a/b", &policy).is_err());
    }
}
