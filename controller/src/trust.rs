//! Who a request comes from: its peer, or whom a trusted proxy in front says (`DORMOUSE_TRUSTED_PROXIES`).

pub use dormouse_peer::trust::{Network, TrustedProxies};
use http::header::{HeaderMap, HeaderName};

/// The header that proxies add their peers to, the nearest last.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What the header lists, the nearest first.
pub fn hops(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(X_FORWARDED_FOR).iter().rev();
    values.flat_map(|value| value.to_str().unwrap_or("?").rsplit(','))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn trusted(networks: &[&str]) -> TrustedProxies {
        networks.iter().map(|network| network.parse::<Network>().unwrap()).collect()
    }

    fn client(networks: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        trusted(networks).client(peer.parse().unwrap(), hops(&headers)).to_string()
    }

    #[test]
    fn strangers_speak_for_themselves_only() {
        assert_eq!(client(&[], "203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(client(&["10.0.0.0/8"], "203.0.113.9", &["198.51.100.1, 10.0.0.1"]), "203.0.113.9");
    }

    #[test]
    fn a_trusted_proxy_tells_who_its_peer_was() {
        let proxies = &["10.0.0.0/8"];
        for (forwarded, expected) in [
            (&["198.51.100.1"][..], "198.51.100.1"),
            // What the client itself wrote is further left, and does not count.
            (&["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
            (&["6.6.6.6", "198.51.100.1"], "198.51.100.1"),
            (&["6.6.6.6, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            (&["198.51.100.1:4711"], "198.51.100.1"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["::ffff:198.51.100.1"], "198.51.100.1"),
            (&["10.0.0.3"], "10.0.0.3"),
            (&[], "10.0.0.7"),
            (&[""], "10.0.0.7"),
            (&["198.51.100.1, unknown"], "10.0.0.7"),
            (&["198.51.100.1, <script>, 10.0.0.2"], "10.0.0.2"),
            (&["198.51.100.1,\u{e9}"], "10.0.0.7"),
        ] {
            assert_eq!(client(proxies, "10.0.0.7", forwarded), expected, "{forwarded:?}");
        }
    }
}
