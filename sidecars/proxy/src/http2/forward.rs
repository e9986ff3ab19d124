//! A client's request, all the way: checked, rewritten, exchanged, answered.

use crate::access::Entry;
use crate::answer::{self, Own};
use crate::http2::body::{Carried, Content, RequestBody, ResponseBody};
use crate::http2::exchange::{Failure, exchange, exchange_http2};
use crate::http2::headers;
use crate::http2::streams::Stream;
use crate::origin::Origin;
use crate::proxy::{Proxy, Stage};
use bytes::Bytes;
use dormouse_peer::pass;
use dormouse_peer::settings::Protocol;
use http_body::Body;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderValue, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// Answers one request.
pub async fn handle(
    proxy: Arc<Proxy>,
    mut stream: Stream,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let answer = if is_health(request.method(), request.uri()) {
        own(answer::health(&proxy))
    } else {
        stream.entry = proxy.settings.access_log.then(|| entry(&request));
        answered(Arc::clone(&proxy), stream.origin(), request).await
    };
    let status = answer.status().as_u16();
    proxy.metrics.answered(status);
    if let Some(entry) = &mut stream.entry {
        entry.status = status;
    }
    answer.map(|content| ResponseBody::new(content, stream))
}

fn entry(request: &Request<Incoming>) -> Box<Entry> {
    let protocol = match request.version() {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    };
    let named = request.headers().get(HOST).map(HeaderValue::as_bytes);
    let host = request.uri().authority().map(|authority| authority.as_str().as_bytes()).or(named);
    let (method, path) = (request.method().as_str(), request.uri().path());
    Entry::request(protocol, method, path, host.unwrap_or_default(), 0)
}

async fn answered(proxy: Arc<Proxy>, origin: &Origin, request: Request<Incoming>) -> Response<Content> {
    let (busy, news) = proxy.activity.request();
    if news {
        proxy.touch();
    }
    let (mut parts, body) = request.into_parts();
    if let Err((status, why)) = check(&mut parts) {
        return own(answer::problem(status.as_u16(), why));
    }
    let version = parts.version;
    let h2c = proxy.settings.common.protocol == Protocol::H2c;
    let mut out = outgoing(&proxy, parts, body, origin);
    if h2c && let Err(why) = to_http2(&mut out) {
        return own(answer::problem(400, why));
    }
    let exchanged = async {
        let limit = proxy.settings.response_timeout.unwrap_or(Duration::MAX);
        let exchanged = timeout(limit, async {
            if h2c {
                exchange_http2(&proxy, out).await.map(|answer| (answer, None))
            } else {
                exchange(&proxy, out).await.map(|(answer, up)| (answer, Some(up)))
            }
        });
        exchanged.await.unwrap_or(Err(Failure::Late))
    };
    let exchanged = tokio::select! {
        exchanged = exchanged => exchanged,
        () = proxy.reaches(Stage::Ending) => {
            return own(answer::unavailable(&proxy, "the proxy had to stop before the service answered"));
        }
    };
    let (answer, connection) = match exchanged {
        Ok(answered) => answered,
        Err(Failure::Unsent(reason)) => {
            tracing::warn!("503: {reason}");
            return own(answer::unavailable(&proxy, &reason.to_string()));
        }
        Err(Failure::Late) => return own(answer::late(&proxy)),
        Err(Failure::Unanswered(error)) => {
            tracing::warn!("503: the service broke the connection off: {error}");
            let reason = "the service closed the connection without an answer";
            return own(answer::unavailable(&proxy, reason));
        }
    };
    let (mut parts, body) = answer.into_parts();
    parts.extensions.clear();
    // The client's version decides how this is framed, not the service's.
    parts.version = version;
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return own(answer::unavailable(&proxy, "the service switched protocols unasked"));
    }
    headers::to_client(&mut parts.headers);
    if version < Version::HTTP_2 && proxy.is_draining() {
        parts.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Response::from_parts(parts, Content::Carried(Carried::new(body, connection, proxy, busy)))
}

fn is_health(method: &Method, uri: &Uri) -> bool {
    uri.path() == "/health" && matches!(*method, Method::GET | Method::HEAD)
}

/// Refuses what no service should see, and brings the target into origin form.
fn check(parts: &mut Parts) -> Result<(), (StatusCode, &'static str)> {
    if parts.method == Method::CONNECT {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "this is not a forward proxy"));
    }
    if let Some(authority) = parts.uri.authority() {
        // RFC 9112, 3.2.2: an absolute target overrides the Host header.
        let host = HeaderValue::try_from(authority.as_str());
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).parse();
        let (Ok(host), Ok(target)) = (host, target) else {
            return Err((StatusCode::BAD_REQUEST, "the request target cannot be read"));
        };
        parts.headers.insert(HOST, host);
        parts.uri = target;
    }
    let hosts = parts.headers.get_all(HOST).iter().count();
    if hosts > 1 || hosts == 0 && parts.version == Version::HTTP_11 {
        return Err((StatusCode::BAD_REQUEST, "a request has exactly one Host header"));
    }
    Ok(())
}

fn outgoing(proxy: &Arc<Proxy>, mut parts: Parts, body: Incoming, origin: &Origin) -> Request<RequestBody> {
    parts.uri = without_pass(parts.uri);
    headers::to_upstream(&mut parts.headers, origin);
    parts.headers.entry(HOST).or_insert(HeaderValue::from_static("localhost"));
    if !body.is_end_stream() && !parts.headers.contains_key(CONTENT_LENGTH) {
        // Said out loud, because of a GET with a body hyper would otherwise send the head alone.
        parts.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    let expects =
        parts.headers.get(EXPECT).is_some_and(|e| e.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    let mut body = RequestBody::new((!body.is_end_stream()).then_some(body), Arc::clone(proxy));
    let gate = (expects && !body.is_end_stream()).then(|| Mutex::new(Some(body.hold())));
    let mut request = Request::new(body);
    *request.method_mut() = parts.method;
    *request.uri_mut() = parts.uri;
    *request.headers_mut() = parts.headers;
    if let Some(gate) = gate {
        hyper::ext::on_informational(&mut request, move |interim| {
            if interim.status() == StatusCode::CONTINUE
                && let Some(open) = gate.lock().unwrap_or_else(PoisonError::into_inner).take()
            {
                let _ = open.send(());
            }
        });
    }
    request
}

/// What HTTP/2 has in the target is not said again, and nothing of connections (RFC 9113, 8.2.2).
fn to_http2(request: &mut Request<RequestBody>) -> Result<(), &'static str> {
    let headers = request.headers_mut();
    for gone in [CONNECTION, TRANSFER_ENCODING, EXPECT] {
        headers.remove(gone);
    }
    let host = headers.remove(HOST);
    let host = host.as_ref().and_then(|host| host.to_str().ok()).filter(|host| !host.is_empty());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let uri =
        Uri::builder().scheme("http").authority(host.unwrap_or("localhost")).path_and_query(path).build();
    *request.uri_mut() = uri.map_err(|_| "the host cannot be read")?;
    *request.version_mut() = Version::HTTP_2;
    Ok(())
}

/// A link that wakes the service is no business of the service's, which is awake.
fn without_pass(uri: Uri) -> Uri {
    let told = uri.query().is_some_and(|query| query.contains(pass::PARAMETER));
    let whole = uri.path_and_query().filter(|_| told).map(|whole| pass::without_parameter(whole.as_str()));
    whole.and_then(|whole| whole.parse().ok()).unwrap_or(uri)
}

fn own(own: Own) -> Response<Content> {
    let mut answer = Response::new(Content::Own(Some(Bytes::from(own.text.clone()))));
    if let Ok(status) = StatusCode::from_u16(own.status) {
        *answer.status_mut() = status;
    }
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(own.content_type));
    for (name, value) in own.fields() {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}
