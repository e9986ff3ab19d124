//! Posts to an address that is not AWS's.

use dormouse_aws::Https;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Takes one request and answers so much; answers what was read.
async fn once(listener: TcpListener, answer: &'static [u8]) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut read = Vec::new();
    while !read.ends_with(b"{\"a\":1}") {
        let mut part = [0; 1024];
        let count = stream.read(&mut part).await.unwrap();
        assert!(count > 0, "the request ended: {}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&part[..count]);
    }
    stream.write_all(answer).await.unwrap();
    // The rest of the body never comes; nor does the end of the connection, as long as this is held.
    let _ = stream.read(&mut [0; 1]).await;
    String::from_utf8(read).unwrap()
}

#[tokio::test]
async fn what_is_posted_and_what_counts_of_the_answer() {
    let config = dormouse_aws::sdk_config().await;
    for (answer, status) in [
        (&b"HTTP/1.1 204 No Content\r\n\r\n"[..], 204),
        (b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 1000000\r\n\r\nand so on", 500),
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", 302),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook/a?b=c", listener.local_addr().unwrap());
        let request = tokio::spawn(once(listener, answer));
        let headers = [("content-type", "application/json"), ("webhook-id", "msg_1")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let to = Https::to(&config, &url);
        assert_eq!(to.post(headers, b"{\"a\":1}".to_vec()).await, Ok(status));
        drop(to);
        let request = request.await.unwrap().to_lowercase();
        assert!(request.starts_with("post /hook/a?b=c http/1.1\r\n"), "{request}");
        for header in ["\r\nwebhook-id: msg_1\r\n", "\r\ncontent-type: application/json\r\n"] {
            assert!(request.contains(header), "{request}");
        }
        assert!(!request.contains("authorization"), "{request}");
    }
}

#[tokio::test]
async fn who_does_not_answer_is_not_named() {
    let config = dormouse_aws::sdk_config().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hush", listener.local_addr().unwrap());
    drop(listener);
    let error = Https::to(&config, &url).post(Vec::new(), Vec::new()).await.unwrap_err();
    assert!(error.to_lowercase().contains("connect") && !error.contains("hush"), "{error}");
}
