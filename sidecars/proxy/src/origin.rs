//! Who asks, as the service is told: the client, or whom it speaks for when it is a trusted proxy.

use dormouse_peer::trust::TrustedProxies;
use std::net::IpAddr;

/// The other end of a connection.
#[derive(Debug, Clone)]
pub struct Origin {
    address: IpAddr,
    name: Box<str>,
    /// What carries its requests: `http` or `https`.
    pub scheme: &'static str,
    /// `None`: what it says of others counts for nothing.
    trusted: Option<TrustedProxies>,
}

impl Origin {
    /// Whoever has connected from this address, over plain HTTP.
    pub fn new(address: IpAddr, trusted: &TrustedProxies) -> Origin {
        let address = address.to_canonical();
        Origin {
            address,
            name: address.to_string().into(),
            scheme: "http",
            trusted: trusted.trusts(address).then(|| trusted.clone()),
        }
    }

    /// Its address, in words.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is a trusted proxy: then what it says of others counts.
    pub fn is_trusted(&self) -> bool {
        self.trusted.is_some()
    }

    /// Who asks. `hops`: what `X-Forwarded-For` lists, the nearest first.
    pub fn client<'a>(&self, hops: impl IntoIterator<Item = &'a str>) -> IpAddr {
        self.trusted.as_ref().map_or(self.address, |trusted| trusted.client(self.address, hops))
    }
}
