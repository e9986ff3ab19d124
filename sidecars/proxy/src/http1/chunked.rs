//! Chunked bodies, checked byte by byte: RFC 9112, 7.1.
//!
//! What goes on is what came, without chunk extensions: nobody uses them, and parsers differ over them (7.1.1).

/// One chunk line's extensions, and all of a body's.
const LONGEST_EXTENSION: u16 = 256;
const MOST_EXTENSIONS: u32 = 16 * 1024;
/// All trailer fields together.
const MOST_TRAILERS: u32 = 16 * 1024;
/// RFC 9110, 6.5.1: fields that frame, route or authenticate have no place in trailers. What goes on is merged into the
/// head by some servers.
const NO_TRAILERS: [&[u8]; 14] = [
    b"authorization",
    b"connection",
    b"content-length",
    b"cookie",
    b"host",
    b"keep-alive",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"x-real-ip",
];
const LONGEST_NO_TRAILER: usize = 17;

/// What is kept of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All but extensions: they go on as chunks.
    Chunks,
    /// The data alone.
    Data,
}

/// What a piece of a body holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Bytes of the piece that belong to the body.
    pub used: usize,
    /// Bytes that go on: they stand at the piece's beginning now.
    pub kept: usize,
    /// Bytes of data among them.
    pub data: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Size { digits: u8 },
    Extension,
    SizeEnd,
    Data,
    DataCr,
    DataLf,
    Trailer,
    Name { len: u8 },
    Value,
    TrailerEnd,
    LastLf,
    Done,
}

/// A chunked body that is being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunked {
    at: At,
    left: u64,
    extension: u16,
    extensions: u32,
    trailers: u32,
    name: [u8; LONGEST_NO_TRAILER],
}

impl Chunked {
    /// At its beginning.
    pub const fn new() -> Chunked {
        Chunked {
            at: At::Size { digits: 0 },
            left: 0,
            extension: 0,
            extensions: 0,
            trailers: 0,
            name: [0; LONGEST_NO_TRAILER],
        }
    }

    /// Whether its last byte was read.
    pub fn is_done(&self) -> bool {
        self.at == At::Done
    }

    /// Reads the next piece, and moves what goes on to its beginning.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn scan(&mut self, piece: &mut [u8], keep: Keep) -> Result<Scanned, &'static str> {
        let all = keep == Keep::Chunks;
        let mut scanned = Scanned::default();
        while scanned.used < piece.len() && self.at != At::Done {
            if self.at == At::Data {
                let rest = piece.len() - scanned.used;
                let n = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest);
                if scanned.used != scanned.kept {
                    piece.copy_within(scanned.used..scanned.used + n, scanned.kept);
                }
                scanned.used += n;
                scanned.kept += n;
                scanned.data += n;
                self.left -= n as u64;
                if self.left == 0 {
                    self.at = At::DataCr;
                }
                continue;
            }
            let byte = piece[scanned.used];
            let goes_on = self.step(byte)? && all;
            scanned.used += 1;
            if goes_on {
                piece[scanned.kept] = byte;
                scanned.kept += 1;
            }
        }
        Ok(scanned)
    }

    /// One byte that is no data; `true`: it goes on.
    fn step(&mut self, byte: u8) -> Result<bool, &'static str> {
        self.at = match (self.at, byte) {
            (At::Size { digits }, _) if byte.is_ascii_hexdigit() => self.digit(digits, byte)?,
            (At::Size { digits: 1.. }, b'\r') => At::SizeEnd,
            (At::Size { digits: 1.. }, b';') => {
                self.extension = 0;
                self.extended()?;
                self.at = At::Extension;
                return Ok(false);
            }
            (At::Extension, b'\r') => At::SizeEnd,
            (At::Extension, b'\t' | b' '..=b'~' | 0x80..) => {
                self.extended()?;
                return Ok(false);
            }
            (At::SizeEnd, b'\n') if self.left == 0 => At::Trailer,
            (At::SizeEnd, b'\n') => At::Data,
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => At::Size { digits: 0 },
            (At::Trailer, b'\r') => At::LastLf,
            (At::LastLf, b'\n') => At::Done,
            (At::Trailer, _) if is_token(byte) => self.named(0, byte)?,
            (At::Name { len }, _) if is_token(byte) => self.named(len, byte)?,
            (At::Name { len }, b':') => {
                let name = self.name.get(..usize::from(len));
                if name.is_some_and(|name| NO_TRAILERS.contains(&name)) {
                    return Err("a trailer field that belongs into the head");
                }
                At::Value
            }
            (At::Value, b'\r') => At::TrailerEnd,
            (At::Value, b'\t' | b' '..=b'~' | 0x80..) => At::Value,
            (At::TrailerEnd, b'\n') => At::Trailer,
            (At::Size { .. } | At::Extension | At::SizeEnd, _) => {
                return Err("a chunk's size cannot be read");
            }
            (At::DataCr | At::DataLf, _) => return Err("a chunk is longer than its size"),
            _ => return Err("a trailer field cannot be read"),
        };
        if matches!(self.at, At::Name { .. } | At::Value | At::TrailerEnd) {
            self.trailers += 1;
            if self.trailers > MOST_TRAILERS {
                return Err("too many trailer fields");
            }
        }
        Ok(true)
    }

    fn digit(&mut self, digits: u8, byte: u8) -> Result<At, &'static str> {
        if digits == 0 {
            self.left = 0;
        }
        let value = u64::from(char::from(byte).to_digit(16).unwrap_or(0));
        // 7.1: "recipients MUST anticipate potentially large hexadecimal numerals".
        if digits >= 16 || self.left > (i64::MAX as u64) >> 4 {
            return Err("a chunk's size is too large");
        }
        self.left = self.left << 4 | value;
        Ok(At::Size { digits: digits + 1 })
    }

    fn extended(&mut self) -> Result<(), &'static str> {
        self.extension += 1;
        self.extensions += 1;
        if self.extension > LONGEST_EXTENSION || self.extensions > MOST_EXTENSIONS {
            return Err("too many chunk extensions");
        }
        Ok(())
    }

    fn named(&mut self, len: u8, byte: u8) -> Result<At, &'static str> {
        if let Some(slot) = self.name.get_mut(usize::from(len)) {
            *slot = byte.to_ascii_lowercase();
        }
        // Past its end it is none of the forbidden ones, however long it gets.
        Ok(At::Name { len: len.saturating_add(1) })
    }
}

impl Default for Chunked {
    fn default() -> Chunked {
        Chunked::new()
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads it in pieces of this size: what goes on, how much was used, and whether it is over.
    fn read(body: &[u8], size: usize, keep: Keep) -> Result<(Vec<u8>, usize, bool), &'static str> {
        let (mut chunked, mut out, mut used) = (Chunked::new(), Vec::new(), 0);
        for piece in body.chunks(size) {
            let mut piece = piece.to_vec();
            let scanned = chunked.scan(&mut piece, keep)?;
            out.extend(&piece[..scanned.kept]);
            used += scanned.used;
        }
        Ok((out, used, chunked.is_done()))
    }

    #[test]
    fn extensions_stay_here_and_trailers_go_on() {
        let body = b"5;a=b;c=\"d\"\r\nhello\r\n00A\r\n0123456789\r\n0;x\r\nx-sum: 1 \r\nY:\r\n\r\nGET /";
        let kept = b"5\r\nhello\r\n00A\r\n0123456789\r\n0\r\nx-sum: 1 \r\nY:\r\n\r\n";
        for size in 1..body.len() {
            let whole = body.len() - 5;
            assert_eq!(read(body, size, Keep::Chunks), Ok((kept.to_vec(), whole, true)), "{size}");
            assert_eq!(
                read(body, size, Keep::Data),
                Ok((b"hello0123456789".to_vec(), whole, true)),
                "{size}"
            );
        }
    }

    #[test]
    fn what_is_not_a_chunk() {
        let long = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(300));
        let many = format!("{}0\r\n\r\n", format!("1;{}\r\na\r\n", "x".repeat(200)).repeat(100));
        let trailers = format!("0\r\n{}\r\n", "x: 0123456789\r\n".repeat(2000));
        for body in [
            "\r\n",
            ";a\r\n",
            "x\r\n",
            "-1\r\n",
            " 5\r\n",
            "5 \r\n",
            "5 ;a\r\n",
            "0x5\r\n",
            "5\nhello\n",
            "5\r\r\n",
            "5;a\nb\r\n",
            "5;a\rb\r\n",
            "5;a\0\r\n",
            "5\r\nhelloX",
            "5\r\nhello\n",
            "5\r\nhello\rX",
            "8000000000000000\r\n",
            "FFFFFFFFFFFFFFFFF\r\n",
            "00000000000000005\r\n",
            "0\r\n a: b\r\n",
            "0\r\na : b\r\n",
            "0\r\na\r\n",
            "0\r\na: b\n",
            "0\r\na: \0\r\n",
            "0\r\n:\r\n",
            "0\r\nContent-Length: 5\r\n",
            "0\r\ntransfer-encoding: chunked\r\n",
            "0\r\nX-Forwarded-For: 1\r\n",
            "0\r\n\n",
            &long,
            &many,
            &trailers,
        ] {
            for size in [1, 3, body.len()] {
                assert!(read(body.as_bytes(), size, Keep::Chunks).is_err(), "{body:?} by {size}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_body_in_any_pieces(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..8), size in 1usize..400) {
            let mut body = Vec::new();
            for chunk in &chunks {
                body.extend(format!("{:x}\r\n", chunk.len()).bytes());
                body.extend(chunk);
                body.extend(b"\r\n");
            }
            body.extend(b"0\r\n\r\n");
            prop_assert_eq!(read(&body, size, Keep::Chunks), Ok((body.clone(), body.len(), true)));
            prop_assert_eq!(read(&body, size, Keep::Data), Ok((chunks.concat(), body.len(), true)));
        }

        #[test]
        fn nothing_panics_or_invents(mut body in prop::collection::vec(prop::sample::select(&b"05aF;\r\n:x \0"[..]), 0..200)) {
            let before = body.clone();
            if let Ok(scanned) = Chunked::new().scan(&mut body, Keep::Chunks) {
                prop_assert!(scanned.kept <= scanned.used && scanned.used <= before.len());
            }
        }
    }
}
