//! Thousands of requests at once, each over a connection of its own, by one thread.

use rustix::event::epoll;
use rustix::time::Timespec;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// One request and what became of it.
#[derive(Debug)]
pub struct Asked {
    /// Everything that came back.
    pub answer: Vec<u8>,
    /// When the connection was closed by the other side: the answer is whole.
    pub ended: Option<Instant>,
    stream: Option<TcpStream>,
}

impl Asked {
    /// The answer's status; 0 when there is none.
    pub fn status(&self) -> u16 {
        let line = self.answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let words = std::str::from_utf8(line).unwrap_or_default();
        words.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    /// The answer as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.answer).into_owned()
    }
}

/// Requests that wait for their answers.
#[derive(Debug)]
pub struct Crowd {
    /// In the order in which they were sent.
    pub asked: Vec<Asked>,
    open: usize,
}

impl Crowd {
    /// Connects and sends each request's bytes. They must ask for the connection to be closed after the answer.
    ///
    /// # Errors
    /// When a connection cannot be made.
    pub fn send(to: SocketAddr, requests: impl Iterator<Item = String>) -> io::Result<Crowd> {
        let mut asked = Vec::new();
        for request in requests {
            let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(10))?;
            stream.set_nodelay(true)?;
            stream.write_all(request.as_bytes())?;
            stream.set_nonblocking(true)?;
            asked.push(Asked { answer: Vec::new(), ended: None, stream: Some(stream) });
        }
        let open = asked.len();
        Ok(Crowd { asked, open })
    }

    /// How many have no whole answer yet.
    pub const fn open(&self) -> usize {
        self.open
    }

    /// Reads until every answer is there, or the time is over.
    ///
    /// # Errors
    /// What the system says of waiting. A connection that breaks is an answer that ends there.
    pub fn read(&mut self, patience: Duration) -> io::Result<()> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (number, one) in self.asked.iter().enumerate() {
            if let Some(stream) = &one.stream {
                let data = epoll::EventData::new_u64(number as u64);
                epoll::add(&poll, stream, data, epoll::EventFlags::IN)?;
            }
        }
        let until = Instant::now() + patience;
        let mut events = Vec::with_capacity(1024);
        while self.open > 0 && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            let pause = Timespec { tv_sec: left.as_secs().min(1) as i64, tv_nsec: 1_000_000 };
            events.clear();
            epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&pause))?;
            for event in &events {
                self.take(event.data.u64() as usize);
            }
        }
        Ok(())
    }

    fn take(&mut self, number: usize) {
        let one = &mut self.asked[number];
        let Some(stream) = &mut one.stream else { return };
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => one.answer.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        one.ended = Some(Instant::now());
        one.stream = None;
        self.open -= 1;
    }
}
