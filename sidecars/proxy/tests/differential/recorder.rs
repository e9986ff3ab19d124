//! A service that writes down what reaches it, cut where RFC 9112 cuts it.

use crate::oracle::{self, Parse, Request};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// How a scripted answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The connection stays open.
    Keep,
    /// It is closed.
    Close,
}

/// What is answered to a request for `/a`.
#[derive(Debug, Clone)]
pub struct Script {
    pub bytes: Vec<u8>,
    pub end: End,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct State {
    /// Whole requests, in the order in which they were whole.
    pub whole: Vec<Request>,
    /// Bytes that are no request, with what is wrong.
    pub wrong: Vec<(&'static str, Vec<u8>)>,
    /// Connections that ended in the middle of a request.
    pub cut: usize,
    pub script: Option<Script>,
    open: HashMap<usize, Open>,
}

/// An open connection.
#[derive(Debug)]
struct Open {
    stream: TcpStream,
    /// What came is being answered, or is not whole yet.
    busy: bool,
}

impl Open {
    /// Nothing of it is to be dealt with any more, as far as it has come.
    fn is_quiet(&self) -> bool {
        !self.busy && rustix::io::ioctl_fionread(&self.stream).is_ok_and(|unread| unread == 0)
    }
}

/// The service.
#[derive(Debug, Clone)]
pub struct Recorder {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Recorder {
    pub fn start() -> Recorder {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let recorder = Recorder { address: listener.local_addr().unwrap(), state: Arc::default() };
        let state = Arc::clone(&recorder.state);
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (stream, state) = (stream.unwrap(), Arc::clone(&state));
                // Whoever has connected is about to say something.
                let open = Open { stream: stream.try_clone().unwrap(), busy: true };
                state.lock().unwrap().open.insert(number, open);
                thread::spawn(move || connection(stream, number, &state));
            }
        });
        recorder
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What was seen since the last time, once all that has come is dealt with.
    pub fn take(&self) -> State {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let mut state = self.state();
            if state.open.values().all(Open::is_quiet) || Instant::now() > end {
                let open = std::mem::take(&mut state.open);
                return std::mem::replace(&mut *state, State { open, ..State::default() });
            }
            drop(state);
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn connection(mut stream: TcpStream, number: usize, state: &Mutex<State>) {
    stream.set_nodelay(true).unwrap();
    let mut bytes = Vec::new();
    let mut promised = false;
    loop {
        let mut open = read(&mut stream, number, &mut bytes, state);
        loop {
            match oracle::request(&bytes) {
                Parse::Whole(request, used) => {
                    bytes.drain(..used);
                    promised = false;
                    open &= answer(&mut stream, request, state);
                }
                Parse::Partial => break,
                Parse::Invalid(why) => {
                    state.lock().unwrap().wrong.push((why, std::mem::take(&mut bytes)));
                    open = false;
                    break;
                }
            }
        }
        let mut state = state.lock().unwrap();
        if !open {
            state.cut += usize::from(!bytes.is_empty());
            state.open.remove(&number);
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
        if let Some(open) = state.open.get_mut(&number) {
            open.busy = !bytes.is_empty();
        }
        drop(state);
        if !bytes.is_empty() && !promised && asks_first(&bytes) {
            promised = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").is_ok();
        }
    }
}

/// Waits for bytes, and takes them where nobody can look between that and their being marked. Whether there were any.
fn read(stream: &mut TcpStream, number: usize, bytes: &mut Vec<u8>, state: &Mutex<State>) -> bool {
    if !stream.peek(&mut [0]).is_ok_and(|peeked| peeked > 0) {
        return false;
    }
    let mut state = state.lock().unwrap();
    let mut scratch = vec![0; 64 * 1024];
    let read = stream.read(&mut scratch).unwrap_or(0);
    bytes.extend_from_slice(&scratch[..read]);
    if let Some(open) = state.open.get_mut(&number) {
        open.busy = true;
    }
    read > 0
}

fn asks_first(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    text.split_once("\r\n\r\n").is_some_and(|(head, _)| head.contains("\r\nexpect: 100-continue"))
}

/// Whether the connection goes on.
fn answer(stream: &mut TcpStream, request: Request, state: &Mutex<State>) -> bool {
    if request.target == "/probe" || request.target == "/settled" {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        return !request.last;
    }
    let script = state.lock().unwrap().script.clone().filter(|_| request.target == "/a");
    let (bytes, keep) = match script {
        Some(script) => (script.bytes, script.end == End::Keep),
        None => {
            let name = name(&request);
            let body = if request.method == "HEAD" { "" } else { &name };
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nx-was: {name}\r\n\r\n", name.len());
            ([head.as_bytes(), body.as_bytes()].concat(), !request.last)
        }
    };
    // Before the answer: whoever has that finds the request here.
    state.lock().unwrap().whole.push(request);
    stream.write_all(&bytes).is_ok() && keep
}

/// What tells one request from another.
pub fn name(request: &Request) -> String {
    let hash = request.body.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    format!("{} {} {:x}", request.method, request.target, hash)
}
