//! A resolver that answers every question about name servers with the same ones.

use std::net::{SocketAddr, UdpSocket};
use std::thread;

/// Where the question begins, and the reference to the name in it that answers use.
const HEADER: usize = 12;
const QUESTIONED: [u8; 2] = [0xc0, 12];

/// Starts one that lives as long as the test's process.
///
/// # Panics
/// When it cannot listen.
#[track_caller]
pub fn start(servers: &[String]) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = socket.local_addr().expect("an address");
    let records: Vec<u8> = servers.iter().flat_map(|server| record(server)).collect();
    let count = u8::try_from(servers.len()).expect("some few");
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let mut answer = buffer[..length].to_vec();
            if length < HEADER {
                continue;
            }
            answer[2] |= 0x80;
            answer[7] = count;
            answer.extend(&records);
            let _ = socket.send_to(&answer, from);
        }
    });
    address
}

fn record(server: &str) -> Vec<u8> {
    let mut name: Vec<u8> = Vec::new();
    for label in server.trim_end_matches('.').split('.') {
        name.push(u8::try_from(label.len()).expect("a label"));
        name.extend(label.bytes());
    }
    name.push(0);
    let length = u16::try_from(name.len()).expect("a name");
    let kind_class_ttl = [0, 2, 0, 1, 0, 0, 1, 0];
    [&QUESTIONED[..], &kind_class_ttl, &length.to_be_bytes(), &name].concat()
}
