//! Who asks, as the service is told: the client, or whom it speaks for when it is a trusted proxy.

use dormouse_peer::trust::TrustedProxies;
use std::net::{IpAddr, SocketAddr};

/// The other end of a connection.
#[derive(Debug, Clone)]
pub struct Origin {
    address: IpAddr,
    port: u16,
    /// Its requests come over TLS.
    pub is_secure: bool,
    name: Box<str>,
    /// `None`: what it says of others counts for nothing.
    trusted: Option<TrustedProxies>,
}

impl Origin {
    /// Whoever has connected from this address, over plain HTTP.
    pub fn new(address: SocketAddr, trusted: &TrustedProxies) -> Origin {
        let (address, port) = (address.ip().to_canonical(), address.port());
        Origin {
            address,
            port,
            is_secure: false,
            name: address.to_string().into(),
            trusted: trusted.trusts(address).then(|| trusted.clone()),
        }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }

    /// The same, in words and without the port.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What carries its requests: `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.is_secure { "https" } else { "http" }
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
