//! The buffers that all connections of a thread share: what is read is written on in the same turn, so that a
//! connection needs one of its own only for what the other end does not take.

use std::cell::RefCell;

/// Bytes that are read at once; also the longest head of an answer.
pub const SIZE: usize = 64 * 1024;

/// The buffers of a thread.
#[derive(Debug)]
pub struct Scratch {
    /// What was read.
    pub read: Box<[u8]>,
    /// A head, as it goes on.
    pub head: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> =
        RefCell::new(Scratch { read: vec![0; SIZE].into_boxed_slice(), head: Vec::with_capacity(2048) });
}

/// Lends them for one turn; whoever has them must not ask again.
pub fn with<T>(turn: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with_borrow_mut(turn)
}
