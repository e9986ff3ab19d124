//! PROXY protocol, version 2: tells a raw TCP service who has connected, before the first byte.

use std::net::{IpAddr, SocketAddr};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, and "on behalf of somebody".
const PROXY: u8 = 0x21;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// The header for a connection from `client` to `here`.
pub fn header(client: SocketAddr, here: SocketAddr) -> Vec<u8> {
    let (mut family, mut addresses) = (TCP4, Vec::with_capacity(36));
    match (client.ip().to_canonical(), here.ip().to_canonical()) {
        (IpAddr::V4(client), IpAddr::V4(here)) => {
            addresses.extend(client.octets());
            addresses.extend(here.octets());
        }
        (client, here) => {
            family = TCP6;
            addresses.extend(in_six(client));
            addresses.extend(in_six(here));
        }
    }
    addresses.extend(client.port().to_be_bytes());
    addresses.extend(here.port().to_be_bytes());
    let mut header = SIGNATURE.to_vec();
    let length = u8::try_from(addresses.len()).unwrap_or(0);
    header.extend([PROXY, family, 0, length]);
    header.extend(addresses);
    header
}

fn in_six(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(four) => four.to_ipv6_mapped().octets(),
        IpAddr::V6(six) => six.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let four = header(address("192.0.2.1:258"), address("[::ffff:192.0.2.2]:80"));
        assert_eq!(four[..16], *b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c");
        assert_eq!(four[16..], [192, 0, 2, 1, 192, 0, 2, 2, 1, 2, 0, 80]);
        let six = header(address("[2001:db8::1]:1"), address("192.0.2.2:2"));
        assert_eq!((six.len(), six[13], six[15]), (16 + 36, TCP6, 36));
        assert_eq!(six[16..32], "2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
        assert_eq!(six[48..], [0, 1, 0, 2]);
    }
}
