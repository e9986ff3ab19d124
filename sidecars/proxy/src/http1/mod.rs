//! HTTP/1.1, forwarded: one task owns the client's connection and the service's, and no byte is copied twice.
//!
//! What is written here follows RFC 9112; each rule stands beside its code. Whatever two parsers could read in two
//! ways is refused, because the service behind is another parser.
//!
//! # Layout
//!
//! - [`head`]: a message's head, read (pure)
//! - [`target`]: what is asked for, and of whom (pure)
//! - [`framing`]: where a message ends (pure)
//! - [`chunked`]: chunked bodies, checked byte by byte (pure)
//! - [`rewrite`]: heads as they go on (pure)
//! - [`stream`]: a socket, and what was read of it too early
//! - [`scratch`]: the buffer that all connections of a thread share
//! - [`flow`]: one body on its way
//! - [`splice`]: a large one, which stays in the kernel
//! - [`deadline`]: a time-out that costs nothing while it is not reached
//! - [`pool`]: kept connections to the service
//! - [`exchange`]: one request, one answer
//! - [`prepare`]: what becomes of a request's head
//! - [`answer`]: what becomes of an answer's head
//! - [`connection`]: a client's connection, from its first byte to its last

pub mod answer;
pub mod chunked;
pub mod connection;
pub mod deadline;
pub mod exchange;
pub mod flow;
pub mod framing;
pub mod head;
pub mod pool;
pub mod prepare;
pub mod rewrite;
pub mod scratch;
pub mod splice;
pub mod stream;
pub mod target;
