//! Which addresses may be called for somebody else.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use stationthis_core::{Error, ErrorKind, Result};
use url::{Host, Url};

/// IPv4 that is nobody's public server: IANA's special-purpose registry, multicast, reserved, and the one public
/// address at which a cloud answers its own machines.
const REFUSED_V4: [Ipv4Net; 16] = [
    v4([0, 0, 0, 0], 8),        // this network
    v4([10, 0, 0, 0], 8),       // private
    v4([100, 64, 0, 0], 10),    // carriers' shared space; Alibaba's metadata
    v4([127, 0, 0, 0], 8),      // loopback
    v4([168, 63, 129, 16], 32), // Azure's machine agent
    v4([169, 254, 0, 0], 16),   // link-local; most clouds' metadata
    v4([172, 16, 0, 0], 12),    // private
    v4([192, 0, 0, 0], 24),     // protocol assignments; Oracle's metadata
    v4([192, 0, 2, 0], 24),     // documentation
    v4([192, 88, 99, 0], 24),   // 6to4 relays, retired
    v4([192, 168, 0, 0], 16),   // private
    v4([198, 18, 0, 0], 15),    // benchmarks
    v4([198, 51, 100, 0], 24),  // documentation
    v4([203, 0, 113, 0], 24),   // documentation
    v4([224, 0, 0, 0], 4),      // multicast
    v4([240, 0, 0, 0], 4),      // reserved, and broadcast
];

/// Where public IPv6 is; everything outside (loopback, link-local, unique local, multicast, …) is refused.
const PUBLIC_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// What within it is not public, or carries an IPv4 address in a way that no host needs any more.
const REFUSED_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),     // protocol assignments, Teredo, ORCHID
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),     // 6to4
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),     // documentation
];

/// A network that speaks IPv6 alone reaches every IPv4 address under this prefix: judged by what it carries.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    let [a, b, c, d] = octets;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(groups: [u16; 8], prefix: u8) -> Ipv6Net {
    let [a, b, c, d, e, f, g, h] = groups;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)
}

/// A range of addresses, as `10.0.0.0/8`, `fd00::/8` or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange(IpNet);

impl FromStr for AddressRange {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let single = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse::<IpNet>().or_else(|_| single()).map(Self).map_err(|e| {
            Error::new(ErrorKind::InvalidInput, "parse address range")
                .with_message(format!("{text:?} is no range of addresses, such as 10.1.0.0/16."))
                .with_source(e)
        })
    }
}

/// Decides which addresses may be called for somebody else: public ones, ranges that the operator opened, and the
/// origins that the operator configured. Pure; resolves nothing.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    open: Vec<AddressRange>,
    trusted: BTreeSet<(String, u16)>,
}

impl Guard {
    /// Public addresses and these ranges.
    #[must_use]
    pub const fn new(open: Vec<AddressRange>) -> Self {
        Self { open, trusted: BTreeSet::new() }
    }

    /// And this origin (host and port of a URL that the operator configured), whatever it resolves to.
    #[must_use]
    pub fn trusting(mut self, url: &Url) -> Self {
        self.trusted.extend(origin(url));
        self
    }

    /// May this address be called?
    #[must_use]
    pub fn allows(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.open.iter().any(|range| range.0.contains(&ip)) || is_public(ip)
    }

    /// Is this URL's host and port one that the operator configured?
    #[must_use]
    pub fn trusts(&self, url: &Url) -> bool {
        origin(url).is_some_and(|origin| self.trusted.contains(&origin))
    }

    /// Takes an address as a URL that may be called, as far as its text says: `http` or `https`, without user or
    /// password, and with a host that is not itself a refused address. What a name resolves to is judged when it is
    /// called. Any port may be named.
    ///
    /// # Errors
    /// `InvalidInput` with a sentence for whoever named it.
    pub fn check(&self, address: &str) -> Result<Url> {
        let refused = |reason: &str| Error::new(ErrorKind::InvalidInput, "check address").with_message(reason);
        let url = Url::parse(address).map_err(|e| refused("This address is no URL.").with_source(e))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("Only http and https URLs are called."));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("A URL with a user or password in it is not called."));
        }
        let literal = match url.host() {
            None => return Err(refused("This URL names no host.")),
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain(name)) => is_localhost(name).then_some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        };
        if literal.is_some_and(|ip| !self.allows(ip)) && !self.trusts(&url) {
            return Err(refused("This address is private, or reserved, and not called."));
        }
        Ok(url)
    }
}

fn origin(url: &Url) -> Option<(String, u16)> {
    Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
}

/// The name that every resolver gives to this machine, with and without the final dot.
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"))
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !REFUSED_V4.iter().any(|net| net.contains(&ip)),
        IpAddr::V6(ip) if NAT64.contains(&ip) => {
            let [.., a, b, c, d] = ip.octets();
            is_public(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        IpAddr::V6(ip) => PUBLIC_V6.contains(&ip) && !REFUSED_V6.iter().any(|net| net.contains(&ip)),
    }
}

#[cfg(test)]
mod tests;
