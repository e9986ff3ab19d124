//! A small forwarder on hyper, as anybody would write one.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1 as client;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::thread;
use tokio::net::{TcpListener, TcpStream};

type Boxed = BoxBody<Bytes, hyper::Error>;

/// Forwards to this address; gives its own.
pub fn start(to: SocketAddr) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let service = service_fn(move |request| async move {
                    Ok::<_, hyper::Error>(match forward(request, to).await {
                        Ok(answer) => answer,
                        Err(_) => status(StatusCode::BAD_GATEWAY),
                    })
                });
                tokio::spawn(server::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
    });
    address
}

fn status(status: StatusCode) -> Response<Boxed> {
    let mut answer = Response::new(Empty::new().map_err(|never| match never {}).boxed());
    *answer.status_mut() = status;
    answer
}

async fn forward(mut request: Request<Incoming>, to: SocketAddr) -> Result<Response<Boxed>, hyper::Error> {
    let headers = request.headers();
    let hosts = headers.get_all(HOST).iter().count();
    if hosts > 1 || hosts == 0 && request.version() == hyper::Version::HTTP_11 {
        return Ok(status(StatusCode::BAD_REQUEST));
    }
    if request.method() == hyper::Method::CONNECT {
        return Ok(status(StatusCode::METHOD_NOT_ALLOWED));
    }
    let chunked = headers.contains_key(TRANSFER_ENCODING);
    if let Some(authority) = request.uri().authority() {
        let host = HeaderValue::try_from(authority.as_str()).unwrap();
        request.headers_mut().insert(HOST, host);
    }
    let Ok(target) = request.uri().path_and_query().map_or("/", |target| target.as_str()).parse() else {
        return Ok(status(StatusCode::BAD_REQUEST));
    };
    *request.uri_mut() = target;
    *request.version_mut() = hyper::Version::HTTP_11;
    strip(request.headers_mut());
    if chunked {
        request.headers_mut().remove(CONTENT_LENGTH);
        request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    let Ok(stream) = TcpStream::connect(to).await else { return Ok(status(StatusCode::BAD_GATEWAY)) };
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = if request.body().is_end_stream() {
        request.map(|_| Empty::new().map_err(|never| match never {}).boxed())
    } else {
        request.map(BodyExt::boxed)
    };
    let mut answer = sender.send_request(request).await?;
    strip(answer.headers_mut());
    *answer.version_mut() = hyper::Version::HTTP_11;
    // The connection ends with its answer.
    Ok(answer.map(|body| Held { body, _sender: sender }.boxed()))
}

struct Held {
    body: Incoming,
    _sender: client::SendRequest<Boxed>,
}

impl Body for Held {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, hyper::Error>>> {
        std::pin::Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| *name != HOST && *name != CONTENT_LENGTH)
        .collect();
    let fixed = ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];
    for name in named {
        headers.remove(name);
    }
    for name in fixed {
        headers.remove(name);
    }
}
