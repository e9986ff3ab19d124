//! What becomes of an answer's head: it goes to the client, with what came of the body in the same write.

use super::connection::Client;
use super::exchange::{Exchange, Gate};
use super::flow::{Broken, Encode, Flow, To};
use super::framing::{self, Framing};
use super::head::{self, Response};
use super::rewrite::{self, Persist};
use super::scratch::{SIZE, Scratch};
use crate::proxy::Proxy;
use std::io;
use std::task::{Context, Poll, ready};

/// More interim answers than this are none.
const MOST_INTERIM: usize = 32;

/// What came.
#[derive(Debug)]
pub enum Received {
    /// The head, which went on.
    Head,
    /// Consent to another protocol, which went on.
    Switched,
    /// Nothing: the connection ended.
    Lost(io::Error),
    /// Something that is no answer.
    Bad(&'static str),
    /// It did not go on, because the client is gone.
    ClientGone,
}

/// Waits for the head of the final answer.
pub fn poll(
    exchange: &mut Exchange,
    cx: &mut Context<'_>,
    client: &mut Client,
    proxy: &Proxy,
    scratch: &mut Scratch,
) -> Poll<Received> {
    let mut interim = 0;
    loop {
        let Some(up) = exchange.up.as_mut() else { return Poll::Pending };
        let (mut len, fresh) = match ready!(up.stream.poll_more(cx, &mut scratch.read)) {
            Ok((_, 0)) => return Poll::Ready(Received::Lost(io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => read,
            Err(error) => return Poll::Ready(Received::Lost(error)),
        };
        exchange.answered = true;
        let old = len - fresh;
        if old == 0 || head::may_be_complete(&scratch.read[..len], old) {
            while len > 0 {
                let Scratch { read, head: out } = scratch;
                match read_one(exchange, proxy, &read[..len], out) {
                    Ok(None) => break,
                    Err(why) => return Poll::Ready(Received::Bad(why)),
                    Ok(Some(Head::Interim { used, goes_on })) => {
                        interim += 1;
                        if interim > MOST_INTERIM {
                            return Poll::Ready(Received::Bad("too many interim answers"));
                        }
                        if goes_on && client.stream.send(cx, &[out]).is_err() {
                            return Poll::Ready(Received::ClientGone);
                        }
                        read.copy_within(used..len, 0);
                        len -= used;
                    }
                    Ok(Some(Head::Last { used, body, encode, status })) => {
                        client.answered(proxy, status);
                        return Poll::Ready(send(
                            exchange,
                            cx,
                            client,
                            proxy,
                            (used, body, encode),
                            out,
                            &mut read[..len],
                        ));
                    }
                }
            }
        }
        if len == SIZE {
            return Poll::Ready(Received::Bad("its head is longer than 64 KiB"));
        }
        if let Some(up) = exchange.up.as_mut() {
            up.stream.stash(&scratch.read[..len]);
        }
    }
}

enum Head {
    Interim {
        used: usize,
        goes_on: bool,
    },
    /// `body` is `None` when there is none because the protocol is another one now.
    Last {
        used: usize,
        body: Option<Framing>,
        encode: Encode,
        status: u16,
    },
}

/// Reads a head and writes it as it goes on.
fn read_one(
    exchange: &mut Exchange,
    proxy: &Proxy,
    bytes: &[u8],
    out: &mut Vec<u8>,
) -> Result<Option<Head>, &'static str> {
    out.clear();
    let mut slots = head::slots();
    let Some(response) = head::response(bytes, &mut slots).map_err(|refusal| refusal.why)? else {
        return Ok(None);
    };
    let used = response.len;
    match response.status {
        101 if !exchange.asked.switch => Err("it switches protocols unasked"),
        101 => {
            rewrite::response(out, &response, Persist::Switches, exchange.asked.old, false);
            Ok(Some(Head::Last { used, body: None, encode: Encode::Same, status: 101 }))
        }
        100..=199 => {
            let goes_on = match response.status {
                100 => exchange.is_awaited(),
                // RFC 9110, 15.2: not to HTTP/1.0.
                _ => !exchange.asked.old,
            };
            rewrite::interim(out, &response);
            Ok(Some(Head::Interim { used, goes_on }))
        }
        _ => last(exchange, proxy, &response, out).map(Some),
    }
}

fn last(
    exchange: &mut Exchange,
    proxy: &Proxy,
    response: &Response<'_, '_>,
    out: &mut Vec<u8>,
) -> Result<Head, &'static str> {
    let asked = exchange.asked;
    let body = framing::of_response(response, asked.head).map_err(|refusal| refusal.why)?;
    let encode = match (body, asked.old) {
        (Framing::Length(_), _) | (Framing::Chunked, false) => Encode::Same,
        (Framing::Close, false) => Encode::Chunks,
        (_, true) => Encode::Plain,
    };
    // A body that was asked for and is not wanted any more leaves the connection in the middle of a message.
    let unread = exchange.gate == Gate::Shut || exchange.is_broken;
    exchange.keep = asked.persists && encode != Encode::Plain && !unread && !proxy.is_draining();
    exchange.keep_up = body != Framing::Close && response.facts.persists(response.old);
    let persist = match (exchange.keep, asked.old) {
        (false, _) => Persist::Close,
        (true, true) => Persist::KeepAlive,
        (true, false) => Persist::Goes,
    };
    let chunked = rewrite::goes_in_chunks(response, body, asked.old);
    rewrite::response(out, response, persist, asked.old, chunked);
    Ok(Head::Last { used: response.len, body: Some(body), encode, status: response.status })
}

/// Sends the head with what came after it.
fn send(
    exchange: &mut Exchange,
    cx: &mut Context<'_>,
    client: &mut Client,
    proxy: &Proxy,
    (used, body, encode): (usize, Option<Framing>, Encode),
    out: &[u8],
    bytes: &mut [u8],
) -> Received {
    let Some(up) = exchange.up.as_mut() else { return Received::Bad("it has no connection") };
    let Some(body) = body else {
        up.stream.stash(&bytes[used..]);
        return match client.stream.send(cx, &[out]) {
            Ok(()) => Received::Switched,
            Err(_) => Received::ClientGone,
        };
    };
    let mut download = Flow::new(body, encode);
    let to = To::Stream(&mut client.stream);
    match download.begin(cx, out, &mut bytes[used..], to, &proxy.activity) {
        Ok(of_body) => up.stream.stash(&bytes[used + of_body..]),
        Err(Broken::Malformed(why)) => return Received::Bad(why),
        Err(Broken::Sink(_) | Broken::Source(_)) => return Received::ClientGone,
    }
    exchange.download = Some(download);
    Received::Head
}
