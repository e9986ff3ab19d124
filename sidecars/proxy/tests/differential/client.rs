//! A client that sends bytes and reads answers as RFC 9112 cuts them.

use crate::oracle::{self, Answer, Parse};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Nothing for so long, twice, and another client was answered in between: the other end waits for more. It decides
/// nothing in the usual case. Longer than whoever waits for a body that was announced (`Expect`).
const QUIET: Duration = Duration::from_millis(1250);
/// What is certain to be answered is waited for, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);
/// Nobody writes this one down.
const LAST: &[u8] = b"GET /settled HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";

/// What came back.
#[derive(Debug, Default)]
pub struct Got {
    /// Final answers.
    pub answers: Vec<Answer>,
    /// How many interim ones came.
    pub interim: usize,
    /// The connection ended, or bytes came, in the middle of one, or they were none at all.
    pub broken: Option<String>,
    /// The other end closed only after the client did.
    pub waited: bool,
    /// The other end did not close even then.
    pub hangs: bool,
}

/// Whether a request that is beyond doubt is answered. What came before it has reached the service then.
pub fn is_there(to: SocketAddr) -> bool {
    let got = talk(connect(to, PATIENCE), LAST, LAST.len(), 1, &[false], &|| true);
    got.answers.len() == 1
}

/// Sends all bytes, and reads until so many answers are there and the connection is closed. `heads` tells which
/// answers are to HEAD requests.
pub fn exchange(to: SocketAddr, bytes: &[u8], pieces: usize, expected: usize, heads: &[bool]) -> Got {
    talk(connect(to, QUIET), bytes, pieces, expected, heads, &|| is_there(to))
}

fn connect(to: SocketAddr, quiet: Duration) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(quiet)).unwrap();
    stream
}

fn talk(
    mut stream: TcpStream,
    bytes: &[u8],
    pieces: usize,
    expected: usize,
    heads: &[bool],
    is_there: &dyn Fn() -> bool,
) -> Got {
    // Whoever refuses the beginning does not read the end.
    for piece in bytes.chunks(pieces.max(1)) {
        if stream.write_all(piece).is_err() {
            break;
        }
    }
    let mut got = Got::default();
    let mut read = Vec::new();
    let (mut shut, mut quiet) = (false, false);
    let mut scratch = [0; 16 * 1024];
    loop {
        if got.broken.is_none() {
            take(&mut got, &mut read, heads, false);
        }
        if !shut && got.answers.len() >= expected {
            shut = stream.shutdown(Shutdown::Write).is_ok();
        }
        match stream.read(&mut scratch) {
            Ok(0) => break,
            Ok(n) => {
                read.extend_from_slice(&scratch[..n]);
                quiet = false;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if !std::mem::replace(&mut quiet, true) && is_there() {
                    continue;
                }
                if std::mem::replace(&mut shut, true) {
                    got.hangs = true;
                    break;
                }
                (got.waited, quiet) = (true, false);
                let _ = stream.shutdown(Shutdown::Write);
            }
            // A read with a time limit is not begun again by the system after a signal, as when a child of the test ends.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    if got.broken.is_none() {
        take(&mut got, &mut read, heads, true);
    }
    settle(&mut got, &mut read);
    if !read.is_empty() && got.broken.is_none() {
        got.broken = Some("it ended in the middle of an answer".into());
    }
    got
}

/// Nobody can say whether what is refused was a HEAD, and so whether the refusal has a body. The connection ends with
/// it, so that nothing depends on that.
fn settle(got: &mut Got, read: &mut Vec<u8>) {
    if got.answers.last().is_some_and(|answer| answer.status >= 400) && !read.starts_with(b"HTTP/") {
        read.clear();
    }
    if let Parse::Whole(answer, used) = oracle::answer(read, true, true)
        && answer.status >= 400
        && used == read.len()
    {
        got.answers.push(answer);
        read.clear();
    }
}

fn take(got: &mut Got, read: &mut Vec<u8>, heads: &[bool], ended: bool) {
    while !read.is_empty() {
        let head = heads.get(got.answers.len()).copied().unwrap_or(false);
        match oracle::answer(read, head, ended) {
            Parse::Whole(answer, used) => {
                read.drain(..used);
                if answer.status < 200 {
                    got.interim += 1;
                } else {
                    got.answers.push(answer);
                }
            }
            Parse::Partial => return,
            Parse::Invalid(_) if got.answers.last().is_some_and(|answer| answer.status >= 400) => return,
            Parse::Invalid(why) => {
                got.broken = Some(format!("{why}: {:?}", String::from_utf8_lossy(read)));
                read.clear();
            }
        }
    }
}
