//! What is measured, against whom, and what is aimed at.

use crate::contender::Who;
use crate::nginx::Setup::{Large, Replaced, Tuned, Unspooled};
use crate::wire::{self, LARGE, MIDDLING, SMALL};
use clap::ValueEnum;
use std::rc::Rc;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Name {
    /// 1 KiB answers, 64 clients that keep their connections
    Small,
    /// the same at a fixed rate, with waiting times
    Paced,
    /// 100 KiB answers
    Middling,
    /// 10 MiB answers
    Large,
    /// 100 KiB uploads
    Upload,
    /// 100 KiB uploads one after another: does any wait for a delayed acknowledgement
    Stall,
    /// a connection for each request
    Connect,
    /// messages over WebSockets, echoed
    Socket,
    /// memory at the start, and with 1000 idle connections
    Memory,
    /// the program's size
    Size,
}

/// How clients behave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Style {
    /// A request as soon as the last one is answered.
    Kept,
    /// The same, each over a connection of its own.
    Close,
    /// So many requests in a second, all clients together, whether or not the last ones are answered.
    Paced(u64),
    /// One request for a socket; then this message, and again once it came back.
    Socket(Rc<[u8]>),
}

/// What clients do.
#[derive(Debug, Clone)]
pub struct Load {
    /// So many at once.
    pub clients: usize,
    /// What each sends.
    pub request: Rc<[u8]>,
    /// Length of the answer's body.
    pub answer: usize,
    /// In which way.
    pub style: Style,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// CPU time for one request or message.
    CpuPerRequest,
    /// CPU time for 10⁹ bytes of bodies.
    CpuPerGigabyte,
    /// The waiting time that one of a hundred exceeds.
    P99,
}

/// What the project wants of a ratio.
#[derive(Debug, Clone, Copy)]
pub struct Aim {
    /// What is looked at.
    pub measure: Measure,
    /// Against whom.
    pub against: Who,
    /// At most this ratio.
    pub most: f64,
    /// What would be better still.
    pub stretch: Option<f64>,
}

/// One scenario of load.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What it is.
    pub name: Name,
    /// What it is, for people.
    pub title: &'static str,
    /// What clients do.
    pub load: Load,
    /// Less than this share of difference means nothing.
    pub margin: f64,
    /// Bytes of a body that a request brings, when they count and not those of the answer.
    pub upload: u64,
    /// What is wanted.
    pub aims: Vec<Aim>,
}

impl Scenario {
    /// Who takes part besides the proxy and its control.
    pub fn others(&self) -> Vec<Who> {
        let mut others: Vec<Who> = self.aims.iter().map(|aim| aim.against).collect();
        others.dedup();
        others
    }
}

/// What fills idle connections: one small answer.
pub fn one_request() -> Load {
    Load { clients: 1, request: wire::request("GET", "/1k", "", b""), answer: SMALL, style: Style::Kept }
}

/// All scenarios of load, in the table's order.
pub fn all(pattern: &[u8]) -> Vec<Scenario> {
    use Measure::{CpuPerGigabyte, CpuPerRequest, P99};
    let get = |clients, path: &str, answer, style| Load {
        clients,
        request: wire::request("GET", path, "", b""),
        answer,
        style,
    };
    let aim = |measure, setup, most| Aim { measure, against: Who::Nginx(setup), most, stretch: None };
    let stretch = |aim: Aim, stretch| Aim { stretch: Some(stretch), ..aim };
    let upload = |clients| Load {
        clients,
        request: wire::request("POST", "/upload", "", &pattern[..MIDDLING]),
        answer: 0,
        style: Style::Kept,
    };
    let socket = wire::request(
        "GET",
        "/socket",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        b"",
    );
    // A masked text message of 118 bytes; nobody on the way looks into it.
    let message: Rc<[u8]> = [&[0x81, 0xf6, 1, 2, 3, 4], &pattern[..118]].concat().into();
    vec![
        Scenario {
            name: Name::Small,
            title: "1 KiB, 64 kept connections",
            load: get(64, "/1k", SMALL, Style::Kept),
            margin: 0.05,
            upload: 0,
            aims: vec![stretch(aim(CpuPerRequest, Tuned, 0.80), 0.70), aim(CpuPerRequest, Replaced, 0.22)],
        },
        Scenario {
            name: Name::Paced,
            title: "6000 requests/s",
            load: get(64, "/1k", SMALL, Style::Paced(6000)),
            margin: 0.10,
            upload: 0,
            aims: vec![
                stretch(aim(CpuPerRequest, Tuned, 0.90), 0.80),
                // No worse, beyond noise.
                aim(P99, Tuned, 1.10),
            ],
        },
        Scenario {
            name: Name::Middling,
            title: "100 KiB answers",
            load: get(16, "/100k", MIDDLING, Style::Kept),
            margin: 0.05,
            upload: 0,
            aims: vec![aim(CpuPerGigabyte, Large, 0.95)],
        },
        Scenario {
            name: Name::Large,
            title: "10 MiB answers",
            load: get(4, "/10m", LARGE, Style::Kept),
            margin: 0.05,
            upload: 0,
            aims: vec![aim(CpuPerGigabyte, Large, 0.85), aim(CpuPerGigabyte, Unspooled, 0.85)],
        },
        Scenario {
            name: Name::Upload,
            title: "100 KiB uploads",
            load: upload(16),
            margin: 0.05,
            upload: MIDDLING as u64,
            aims: vec![aim(CpuPerGigabyte, Large, 1.0)],
        },
        Scenario {
            name: Name::Stall,
            title: "100 KiB uploads, one at a time",
            load: upload(1),
            margin: 0.10,
            upload: MIDDLING as u64,
            aims: vec![aim(P99, Large, 1.10), aim(P99, Tuned, 1.10)],
        },
        Scenario {
            name: Name::Connect,
            title: "a connection per request",
            load: Load {
                clients: 32,
                request: wire::request("GET", "/1k", "Connection: close\r\n", b""),
                answer: SMALL,
                style: Style::Close,
            },
            margin: 0.05,
            upload: 0,
            aims: vec![aim(CpuPerRequest, Tuned, 1.0)],
        },
        Scenario {
            name: Name::Socket,
            title: "WebSocket echo, per message",
            load: Load { clients: 64, request: socket, answer: 0, style: Style::Socket(message) },
            margin: 0.05,
            upload: 0,
            aims: vec![aim(CpuPerRequest, Tuned, 1.0)],
        },
    ]
}
