//! What becomes of a request's head: it is refused, answered here, or sent on at once over a kept connection.

use super::connection::Client;
use super::exchange::Exchange;
use super::flow::{Broken, Encode, Flow, To};
use super::framing::{self, Framing};
use super::head::{self, Refusal, Request};
use super::pool::{Connection, FRESH, KEPT_FOR};
use super::rewrite;
use super::scratch::Scratch;
use crate::access::Entry;
use crate::activity::Activity;
use crate::answer::{self, Own};
use crate::front::Purpose;
use crate::metrics;
use crate::proxy::Proxy;
use dormouse_peer::settings::Protocol;
use std::task::Context;

/// Longer heads of requests get 431.
pub const LONGEST_HEAD: usize = 32 * 1024;
/// How a client that speaks HTTP/2 from the start begins (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What is to be done.
#[derive(Debug)]
pub enum Prepared {
    /// Wait for more of the head.
    More,
    /// It is HTTP/2.
    Http2,
    /// It is HTTP/1.1, for a service that speaks HTTP/2.
    Http1,
    /// Say this.
    Answer(Box<Reply>),
    /// It is on its way, or will be once there is a connection.
    Exchange(Box<Exchange>),
}

/// One of the proxy's own answers, and how it is said.
#[derive(Debug)]
pub struct Reply {
    /// The answer.
    pub own: Own,
    /// The client's version is HTTP/1.0.
    pub old: bool,
    /// It answers a HEAD.
    pub head: bool,
    /// The connection goes on afterwards.
    pub keep: bool,
}

impl Reply {
    /// What is wrong with a request; nothing that follows can be trusted.
    pub fn refusal(refusal: Refusal) -> Box<Reply> {
        let own = answer::problem(refusal.status, refusal.why);
        Box::new(Reply { own, old: false, head: false, keep: false })
    }
}

/// Looks at what was read: `len` bytes in the shared buffer, the beginning of a request.
pub fn prepare(
    proxy: &Proxy,
    client: &mut Client,
    cx: &mut Context<'_>,
    scratch: &mut Scratch,
    len: usize,
) -> Prepared {
    if client.is_new()
        && client.purpose == Purpose::Traffic
        && scratch.read[..len].starts_with(&PREFACE[..len.min(PREFACE.len())])
    {
        return if len < PREFACE.len() { Prepared::More } else { Prepared::Http2 };
    }
    let Scratch { read, head } = scratch;
    let bytes = &mut read[..len];
    let mut slots = head::slots();
    let request = match head::request(bytes, &mut slots) {
        Ok(Some(request)) if request.len <= LONGEST_HEAD => request,
        Ok(None) if len < LONGEST_HEAD => return Prepared::More,
        Ok(_) => {
            let refusal = Refusal { status: 431, why: "the request's head is longer than 32 KiB" };
            return refused(proxy, client, refusal);
        }
        Err(refusal) => return refused(proxy, client, refusal),
    };
    let body = match framing::of_request(&request) {
        Ok(body) => body,
        Err(refusal) => return refused(proxy, client, refusal),
    };
    if let Some(own) = here(proxy, client.purpose, &request) {
        let whole = body == Framing::Length(0);
        let keep = whole && request.facts.persists(request.old);
        let reply = Reply { own, old: request.old, head: request.method == "HEAD", keep };
        let used = request.len;
        client.stream.stash(&bytes[used..]);
        return Prepared::Answer(Box::new(reply));
    }
    if proxy.settings.common.protocol == Protocol::H2c {
        return Prepared::Http1;
    }
    client.begin(proxy);
    if proxy.settings.access_log {
        let protocol = if request.old { "HTTP/1.0" } else { "HTTP/1.1" };
        let (target, host) = (request.target.path, request.target.host.unwrap_or_default());
        client.entry = Some(Entry::request(protocol, request.method, target, host, client.stream.written));
    }
    head.clear();
    rewrite::request(head, &request, body, &client.origin);
    let mut exchange = Exchange::begin(&request, body);
    let used = request.len;
    let repeatable = exchange.repeatable;
    let mut kept = proxy.upstream.pool().take(if repeatable { KEPT_FOR } else { FRESH });
    if repeatable && kept.is_some() {
        exchange.replay.extend_from_slice(head);
    }
    let begun = begin(&mut exchange, cx, head, &mut bytes[used..], kept.as_mut(), &proxy.activity);
    exchange.up = kept;
    match begun {
        Ok(of_body) => {
            client.stream.stash(&bytes[used + of_body..]);
            exchange.expects(client);
            Prepared::Exchange(exchange)
        }
        Err(Broken::Malformed(why)) => Prepared::Answer(Reply::refusal(head::bad(why))),
        // Nothing was taken, and nothing is lost: another connection will do.
        Err(Broken::Sink(_) | Broken::Source(_)) => {
            exchange.is_broken = true;
            Prepared::Exchange(exchange)
        }
    }
}

fn begin(
    exchange: &mut Exchange,
    cx: &mut Context<'_>,
    head: &[u8],
    body: &mut [u8],
    kept: Option<&mut Connection>,
    activity: &Activity,
) -> Result<usize, Broken> {
    let to = match kept {
        Some(kept) => {
            kept.stream.written = 0;
            To::Stream(&mut kept.stream)
        }
        None => To::Later(&mut exchange.first),
    };
    exchange.upload.begin(cx, head, body, to, activity)
}

/// What the proxy answers itself.
fn here(proxy: &Proxy, purpose: Purpose, request: &Request<'_, '_>) -> Option<Own> {
    let path = request.target.path.split('?').next();
    let is_health = path == Some("/health") && matches!(request.method, "GET" | "HEAD");
    match purpose {
        Purpose::Admin if path == Some("/metrics") && request.method == "GET" => Some(metrics::page(proxy)),
        Purpose::Admin => Some(answer::problem(404, "only /metrics is here")),
        _ if is_health => Some(answer::health(proxy)),
        Purpose::Traffic => None,
        Purpose::Health => Some(answer::problem(404, "only /health is here")),
    }
}

/// A refused request was one all the same.
fn refused(proxy: &Proxy, client: &mut Client, refusal: Refusal) -> Prepared {
    if client.purpose == Purpose::Traffic {
        client.begin(proxy);
    }
    Prepared::Answer(Reply::refusal(refusal))
}

/// A body whose frames the service is told in the same way.
pub fn upload(body: Framing) -> Flow {
    Flow::new(body, Encode::Same)
}
