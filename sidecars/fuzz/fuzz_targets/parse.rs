//! Heads and chunks, alone: what the proxy takes must mean the same to the reference reader of the differential test,
//! before it is rewritten and after.

#![no_main]

#[path = "../../proxy/tests/differential/oracle.rs"]
#[allow(dead_code)]
mod oracle;

use dormouse_proxy::http1::chunked::{Chunked, Keep};
use dormouse_proxy::http1::framing::{self, Framing};
use dormouse_proxy::http1::{head, rewrite};
use dormouse_proxy::origin::Origin;
use libfuzzer_sys::fuzz_target;
use oracle::Parse;
use std::net::SocketAddr;

fuzz_target!(|bytes: &[u8]| {
    request(bytes);
    answer(bytes);
    chunks(bytes);
});

fn request(bytes: &[u8]) {
    let mut slots = head::slots();
    let Ok(Some(read)) = head::request(bytes, &mut slots) else { return };
    let Ok(framing) = framing::of_request(&read) else { return };
    let client = SocketAddr::from(([192, 0, 2, 1], 1));
    for trusted in ["", "192.0.2.0/24"] {
        let mut out = Vec::new();
        let origin = Origin::new(client, &trusted.parse().unwrap());
        rewrite::request(&mut out, &read, framing, &origin);
        same(&bytes[..read.len], &out, framing);
    }
}

/// Both heads are of the same request.
fn same(bytes: &[u8], out: &[u8], framing: Framing) {
    // A whole body, whatever comes in truth.
    let body = match framing {
        Framing::Length(length) if length < 1 << 20 => vec![b'x'; usize::try_from(length).unwrap_or(0)],
        Framing::Length(_) => return,
        Framing::Chunked => b"1\r\nx\r\n0\r\n\r\n".to_vec(),
        Framing::Close => panic!("a request to the end of the connection"),
    };
    let whole = |head: &[u8]| match oracle::request(&[head, &body].concat()) {
        Parse::Whole(request, used) if used == head.len() + body.len() => request,
        other => panic!("not the same request: {other:?}"),
    };
    let (before, after) = (whole(bytes), whole(out));
    assert_eq!((&before.method, &before.body), (&after.method, &after.body));
    assert_eq!(before.target.split('?').next(), after.target.split('?').next());
    assert!(before.host.is_none() || before.host == after.host);
    assert_eq!(after.minor, 1);
    let odd = |request: &oracle::Request| {
        request.lenient.iter().any(|odd| !matches!(*odd, "large head" | "target not escaped"))
    };
    assert!(!odd(&after), "{:?}", after.lenient);
}

fn answer(bytes: &[u8]) {
    let mut slots = head::slots();
    let Ok(Some(read)) = head::response(bytes, &mut slots) else { return };
    if read.status < 200 {
        return;
    }
    let Ok(framing) = framing::of_response(&read, false) else { return };
    let chunked = rewrite::goes_in_chunks(&read, framing, false);
    let mut out = Vec::new();
    rewrite::response(&mut out, &read, rewrite::Persist::Close, false, chunked);
    let body: &[u8] = match (framing::is_bodiless(read.status), chunked, framing) {
        (true, ..) => b"",
        (_, true, _) => b"1\r\nx\r\n0\r\n\r\n",
        (_, _, Framing::Length(length)) if length < 1 << 20 => {
            &vec![b'x'; usize::try_from(length).unwrap_or(0)]
        }
        _ => return,
    };
    let sent = [&out, body].concat();
    match oracle::answer(&sent, false, false) {
        Parse::Whole(answer, used) => assert_eq!((answer.status, used), (read.status, sent.len())),
        other => panic!("no answer: {other:?}: {:?}", String::from_utf8_lossy(&out)),
    }
}

/// In one piece or in many, a body is the same.
fn chunks(bytes: &[u8]) {
    let at_once = scanned(bytes, bytes.len().max(1));
    for size in [1, 3] {
        let torn = scanned(bytes, size);
        assert_eq!(at_once.is_err(), torn.is_err(), "by {size}");
        if at_once.is_ok() {
            assert_eq!(at_once, torn, "by {size}");
        }
    }
    let head = b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n";
    let meant = oracle::request(&[head, bytes].concat());
    match (&at_once, meant) {
        (Ok((body, used, true)), Parse::Whole(request, whole)) => {
            assert_eq!((body, used + head.len()), (&request.body, whole));
        }
        (Ok((.., true)), other) => panic!("no body: {other:?}"),
        (Err(_), Parse::Whole(request, _)) => assert!(!request.lenient.is_empty(), "a good body is refused"),
        (Ok((.., false)), Parse::Whole(request, _)) => panic!("it has an end: {request:?}"),
        _ => {}
    }
}

fn scanned(bytes: &[u8], size: usize) -> Result<(Vec<u8>, usize, bool), &'static str> {
    let mut chunked = Chunked::new();
    let (mut data, mut used) = (Vec::new(), 0);
    for piece in bytes.chunks(size) {
        if chunked.is_done() {
            break;
        }
        let mut piece = piece.to_vec();
        let scan = chunked.scan(&mut piece, Keep::Data)?;
        data.extend_from_slice(&piece[..scan.kept]);
        used += scan.used;
    }
    Ok((data, used, chunked.is_done()))
}
