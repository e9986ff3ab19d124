//! Raw TCP: who has connected is told, if the service wants to know.

use crate::support::{Client, Rig};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

#[tokio::test]
async fn proxy_protocol_comes_before_the_first_byte() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let rig = Rig::start(&[
        ("PROTOCOL", "tcp"),
        ("PROXY_PROTOCOL", "v2"),
        ("UPSTREAM_HOST", "127.0.0.1"),
        ("UPSTREAM_PORT", &port),
    ])
    .await;
    let client = Client::connect(rig.address).await;
    let told = loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut told = [0; 28];
        // A health check connects, too, and says nothing.
        if stream.read_exact(&mut told).await.is_ok() {
            break told;
        }
    };
    assert_eq!(told[..16], *b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c");
    assert_eq!(told[16..24], [127, 0, 0, 1, 127, 0, 0, 1]);
    assert_eq!(told[24..26], client.stream.local_addr().unwrap().port().to_be_bytes());
    assert_eq!(told[26..28], rig.address.port().to_be_bytes());
}
