//! The application of the tests: a small HTTP server that says who answered, and does odd things when asked.
//!
//! | path | answer |
//! |---|---|
//! | `/`, `/…` | `<family> <task id>`; prints `request <id>` for `?id=` |
//! | `/healthz` | 200, until `/fail` was asked for |
//! | `/slow?ms=` | late |
//! | `/echo` | method, path, headers and body as they came |
//! | `/count` | how many requests were taken, health checks not counted |
//! | `/env?name=` | the value of a variable |
//! | `/ws` | upgrades to a WebSocket that sends every text back |
//! | `/sleep?why=` | asks for its own sleep |
//! | `/busy` | `busy` between `/work` and `/rest`, else `free`; not counted |
//! | `/fail` | its health checks fail from now on |
//! | `/exit?code=` | ends |
//!
//! `START_DELAY_MS` puts off the moment at which it listens, at `LISTEN_ADDRESS:PORT` (9050). `EXIT_AT_START` is the code
//! that it ends with instead.

// See the crate's root.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use dormouse_e2e::http::Request;
use dormouse_e2e::websocket::ACCEPT;
use std::collections::HashMap;
use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

static COUNT: AtomicU64 = AtomicU64::new(0);
static BUSY: AtomicBool = AtomicBool::new(false);
static FAILS: AtomicBool = AtomicBool::new(false);
static SELF: OnceLock<String> = OnceLock::new();

fn main() -> io::Result<()> {
    if let Some(code) = variable("EXIT_AT_START").and_then(|code| code.parse().ok()) {
        std::process::exit(code);
    }
    let delay = variable("START_DELAY_MS").and_then(|ms| ms.parse().ok()).unwrap_or(0);
    thread::sleep(Duration::from_millis(delay));
    let address = variable("LISTEN_ADDRESS").unwrap_or_else(|| "0.0.0.0".to_owned());
    let port = variable("PORT").and_then(|port| port.parse().ok()).unwrap_or(9050_u16);
    let listener = TcpListener::bind((address.as_str(), port))?;
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        // Many of these run at once: a thread's usual 8 MiB of stack would only be promised, but counted.
        let _ = thread::Builder::new().stack_size(128 * 1024).spawn(move || serve(&stream));
    }
    Ok(())
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Family and id of the task, from the metadata endpoint that ECS gives.
fn own_name() -> &'static str {
    SELF.get_or_init(|| {
        let metadata = || {
            let uri = variable("ECS_CONTAINER_METADATA_URI_V4")?;
            let (authority, path) = uri.strip_prefix("http://")?.split_once('/')?;
            let request =
                Request::new("GET", authority, &format!("/{path}/task")).patience(Duration::from_secs(20));
            let task = request.send(authority.parse().ok()?).ok()?.json();
            let id = task["TaskARN"].as_str()?.rsplit('/').next()?.to_owned();
            Some(format!("{} {id}", task["Family"].as_str()?))
        };
        metadata().unwrap_or_else(|| format!("process {}", std::process::id()))
    })
}

struct Asked {
    method: String,
    target: String,
    head: String,
    body: Vec<u8>,
}

impl Asked {
    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    fn query(&self) -> HashMap<&str, &str> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        query.split('&').filter_map(|pair| pair.split_once('=')).collect()
    }
}

fn serve(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    while let Ok(Some(asked)) = read(&mut reader) {
        if asked.path() == "/ws" {
            let _ = web_socket(&mut reader);
            return;
        }
        let (status, body) = answer(&asked);
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let body = if asked.method == "HEAD" { &[] } else { body.as_bytes() };
        if (&*stream).write_all(&[head.as_bytes(), body].concat()).is_err() {
            return;
        }
        if asked.path() == "/exit" {
            let code = asked.query().get("code").and_then(|code| code.parse().ok()).unwrap_or(0);
            std::process::exit(code);
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<Asked>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) =
        (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or("/").to_owned());
    let (mut head, mut length) = (line.clone(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
        }
        head.push_str(&line);
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    Ok(Some(Asked { method, target, head, body }))
}

fn answer(asked: &Asked) -> (u16, String) {
    if asked.path() == "/healthz" {
        return if FAILS.load(Ordering::SeqCst) { (500, "ill".into()) } else { (200, "well".into()) };
    }
    if asked.path() == "/busy" {
        return (200, if BUSY.load(Ordering::SeqCst) { "busy" } else { "free" }.to_owned());
    }
    COUNT.fetch_add(1, Ordering::SeqCst);
    let query = asked.query();
    if let Some(id) = query.get("id") {
        println!("request {id}");
    }
    match asked.path() {
        "/slow" => {
            thread::sleep(Duration::from_millis(
                query.get("ms").and_then(|ms| ms.parse().ok()).unwrap_or(1000),
            ));
            (200, own_name().to_owned())
        }
        "/echo" => (200, format!("{}\n{}", asked.head, String::from_utf8_lossy(&asked.body))),
        "/count" => (200, COUNT.load(Ordering::SeqCst).to_string()),
        "/env" => (200, query.get("name").and_then(|name| variable(name)).unwrap_or_default()),
        "/sleep" => {
            let file = variable("SHUTDOWN_FILE").unwrap_or_else(|| "/tmp/shutdown".to_owned());
            match std::fs::write(file, query.get("why").copied().unwrap_or_default()) {
                Ok(()) => (200, "good night".into()),
                Err(error) => (500, error.to_string()),
            }
        }
        "/work" | "/rest" => {
            BUSY.store(asked.path() == "/work", Ordering::SeqCst);
            (200, "as you say".into())
        }
        "/fail" => {
            FAILS.store(true, Ordering::SeqCst);
            (200, "from now on".into())
        }
        _ => (200, own_name().to_owned()),
    }
}

/// Sends every text back, until the other side closes.
fn web_socket(reader: &mut BufReader<&TcpStream>) -> io::Result<()> {
    let mut writer: &TcpStream = reader.get_ref();
    COUNT.fetch_add(1, Ordering::SeqCst);
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    );
    writer.write_all(head.as_bytes())?;
    loop {
        let mut head = [0; 6];
        reader.read_exact(&mut head)?;
        let mut text = vec![0; usize::from(head[1] & 0x7f)];
        reader.read_exact(&mut text)?;
        if head[0] != 0x81 {
            return writer.write_all(&[0x88, 0]);
        }
        let text = text.iter().zip(head[2..].iter().cycle()).map(|(byte, mask)| byte ^ mask);
        let mut frame = vec![0x81, head[1] & 0x7f];
        frame.extend(text);
        writer.write_all(&frame)?;
    }
}
