//! One question to one resolver: which name servers is a name led to? By hand, since the system's own lookups tell
//! addresses alone.
//!
//! Source: RFC 1035, sections 4.1 and 4.2.1.

use dormouse_core::doctor::delegation::NameServers;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// How long one datagram's answer is waited for, and how many are sent: one may be lost.
const PATIENCE: Duration = Duration::from_secs(2);
const TRIES: u32 = 2;
/// The longest answer without extensions, which some four name servers fit into well.
const LONGEST: usize = 512;
const HEADER: usize = 12;
const NS: u16 = 2;
const INTERNET: u16 = 1;
/// "Please ask others for me."
const RECURSION: u16 = 0x0100;
const IS_ANSWER: u16 = 0x8000;
const CUT_SHORT: u16 = 0x0200;
/// The upper bits of a length that is a pointer to an earlier name.
const POINTER: u8 = 0xc0;
/// More hops than any honest name takes.
const HOPS: usize = 32;

/// Asks a resolver.
pub async fn name_servers(resolver: SocketAddr, name: &str) -> NameServers {
    let id = u16::try_from(RandomState::new().hash_one(0) >> 48).unwrap_or_default();
    let Some(question) = question(id, name) else {
        return NameServers::NoAnswer(format!("`{name}` is no name"));
    };
    for _ in 0..TRIES {
        match timeout(PATIENCE, ask(resolver, &question)).await {
            Ok(Ok(answer)) => return answer,
            Ok(Err(error)) => return NameServers::NoAnswer(error.to_string()),
            Err(_) => {}
        }
    }
    NameServers::NoAnswer("no answer".to_owned())
}

/// Waits for the answer to this very question; whatever else arrives is somebody else's.
async fn ask(resolver: SocketAddr, question: &[u8]) -> io::Result<NameServers> {
    let own: SocketAddr = if resolver.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(own).await?;
    socket.connect(resolver).await?;
    socket.send(question).await?;
    let mut buffer = [0; LONGEST];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if let Some(answer) = buffer.get(..length).and_then(|message| answer(message, question)) {
            return Ok(answer);
        }
    }
}

/// The message that asks; `None` where it is no name.
fn question(id: u16, name: &str) -> Option<Vec<u8>> {
    let mut message = Vec::with_capacity(HEADER + name.len() + 6);
    for word in [id, RECURSION, 1, 0, 0, 0] {
        message.extend(word.to_be_bytes());
    }
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        message.push(length);
        message.extend(label.bytes());
    }
    message.push(0);
    message.extend(NS.to_be_bytes());
    message.extend(INTERNET.to_be_bytes());
    Some(message)
}

/// What a message says, if it is the answer to the question.
fn answer(message: &[u8], question: &[u8]) -> Option<NameServers> {
    let flags = word(message, 2)?;
    let is_own = message.get(..2) == question.get(..2)
        && flags & IS_ANSWER != 0
        && message.get(HEADER..question.len())?.eq_ignore_ascii_case(question.get(HEADER..)?);
    if !is_own {
        return None;
    }
    Some(match flags & 0xf {
        _ if flags & CUT_SHORT != 0 => NameServers::NoAnswer("the answer does not fit a datagram".to_owned()),
        0 => match listed(message, question.len()) {
            Some(found) => NameServers::Are(found),
            None => NameServers::NoAnswer("the answer cannot be read".to_owned()),
        },
        2 => NameServers::Fail,
        3 => NameServers::NoSuchName,
        code => NameServers::NoAnswer(format!("the answer is an error: RCODE {code}")),
    })
}

/// The NS records of the answer section, which begins at `at`.
fn listed(message: &[u8], mut at: usize) -> Option<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for _ in 0..word(message, 6)? {
        let (_, after) = name(message, at)?;
        let (kind, length) = (word(message, after)?, word(message, after + 8)?);
        let data = after + 10;
        if kind == NS {
            found.insert(name(message, data)?.0);
        }
        at = data + usize::from(length);
    }
    Some(found)
}

/// A name in lower case, and where what follows it begins.
fn name(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels: Vec<String> = Vec::new();
    let mut end = None;
    for _ in 0..HOPS {
        let length = *message.get(at)?;
        if length & POINTER == POINTER {
            end.get_or_insert(at + 2);
            at = usize::from(word(message, at)? & 0x3fff);
        } else if length == 0 {
            return Some((labels.join("."), end.unwrap_or(at + 1)));
        } else {
            let from = at + 1;
            at = from + usize::from(length);
            labels.push(String::from_utf8_lossy(message.get(from..at)?).to_ascii_lowercase());
        }
    }
    None
}

fn word(message: &[u8], at: usize) -> Option<u16> {
    let bytes = message.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: u16 = 0x1234;

    /// An answer with these bytes in its answer section.
    fn message(flags: u16, count: u16, records: &[u8]) -> Vec<u8> {
        let mut message = question(ID, "example.com").unwrap();
        message[2..4].copy_from_slice(&(IS_ANSWER | flags).to_be_bytes());
        message[6..8].copy_from_slice(&count.to_be_bytes());
        message.extend(records);
        message
    }

    /// A record of the name that was asked for.
    fn record(kind: u16, data: &[u8]) -> Vec<u8> {
        let mut record = vec![0xc0, 12];
        record.extend(kind.to_be_bytes());
        record.extend([0, 1, 0, 0, 1, 0]);
        record.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        record.extend(data);
        record
    }

    fn read(message: &[u8]) -> Option<NameServers> {
        answer(message, &question(ID, "example.com").unwrap())
    }

    fn are(names: &[&str]) -> Option<NameServers> {
        Some(NameServers::Are(names.iter().map(|name| (*name).to_owned()).collect()))
    }

    #[test]
    fn a_question_is_as_the_standard_has_it() {
        let expected =
            b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x02\x00\x01";
        assert_eq!(question(ID, "example.com.").unwrap(), expected);
        for wrong in ["", "a..b", &"a".repeat(64)] {
            assert_eq!(question(ID, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn answers_are_read() {
        // `ns1` below the name that was asked for, another written out, and one that is no NS record.
        let mut records = record(NS, b"\x03NS1\xc0\x0c");
        records.extend(record(NS, b"\x02ns\x03net\x00"));
        records.extend(record(5, b"\xc0\x0c"));
        assert_eq!(read(&message(0, 3, &records)), are(&["ns.net", "ns1.example.com"]));
        assert_eq!(read(&message(0, 0, &[])), are(&[]));
        assert_eq!(read(&message(2, 0, &[])), Some(NameServers::Fail));
        assert_eq!(read(&message(3, 0, &[])), Some(NameServers::NoSuchName));
        assert!(matches!(read(&message(5, 0, &[])), Some(NameServers::NoAnswer(_))));
        assert!(matches!(read(&message(CUT_SHORT, 0, &[])), Some(NameServers::NoAnswer(_))));
    }

    #[test]
    fn what_answers_another_question_is_none() {
        let good = message(0, 0, &[]);
        let mut other_id = good.clone();
        other_id[0] ^= 1;
        let mut other_name = good.clone();
        other_name[13] ^= 2;
        for wrong in [other_id, other_name, question(ID, "example.com").unwrap(), good[..20].to_vec(), vec![]]
        {
            assert_eq!(read(&wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn no_answer_makes_it_run_for_ever_or_out_of_bounds() {
        let loops = record(NS, b"\xc0\x1d");
        let good = message(0, 2, &[loops, record(NS, b"\x03ns1\xc0\x0c")].concat());
        for end in 0..good.len() {
            read(&good[..end]);
        }
        for at in 0..good.len() {
            for value in [0, 1, 0x3f, 0x40, 0xc0, 0xff] {
                let mut spoilt = good.clone();
                spoilt[at] = value;
                read(&spoilt);
            }
        }
        // A name that points at itself.
        let at = u8::try_from(message(0, 0, &[]).len() + 12).unwrap();
        assert!(matches!(read(&message(0, 1, &record(NS, &[0xc0, at]))), Some(NameServers::NoAnswer(_))));
    }

    #[tokio::test]
    async fn a_resolver_is_asked_over_the_network() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let resolver = server.local_addr().unwrap();
        let serve = tokio::spawn(async move {
            let mut buffer = [0; LONGEST];
            let (length, from) = server.recv_from(&mut buffer).await.unwrap();
            let mut answer = buffer[..length].to_vec();
            // First one to another question.
            answer[2] |= 0x80;
            answer[0] ^= 1;
            server.send_to(&answer, from).await.unwrap();
            answer[0] ^= 1;
            answer[7] = 1;
            answer.extend(record(NS, b"\x02ns\x03net\x00"));
            server.send_to(&answer, from).await.unwrap();
        });
        assert_eq!(Some(name_servers(resolver, "example.com").await), are(&["ns.net"]));
        serve.await.unwrap();
        assert!(matches!(name_servers(resolver, "..").await, NameServers::NoAnswer(_)));
    }
}
