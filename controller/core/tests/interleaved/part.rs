//! A part of a world: shared by the worlds that have it in common, and recognised by a print of what matters in it.

use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// Whose value can be told from another by what it writes here.
pub trait Print {
    /// Writes all that decisions may depend on, and nothing else.
    fn print(&self, to: &mut Printer);
}

/// What is written is hashed.
pub struct Printer(DefaultHasher);

impl Printer {
    /// Adds what `{:?}` shows of it.
    pub fn add(&mut self, value: &dyn fmt::Debug) {
        let _ = write!(self, "{value:?};");
    }

    /// Adds what has a hash of its own.
    pub fn hash(&mut self, value: impl Hash) {
        value.hash(&mut self.0);
    }

    /// Adds a part.
    pub fn part<T>(&mut self, part: &Part<T>) {
        self.0.write_u64(part.print);
    }
}

impl Write for Printer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

/// The print of a value.
pub fn print(value: &impl Print) -> u64 {
    let mut printer = Printer(DefaultHasher::new());
    value.print(&mut printer);
    printer.0.finish()
}

/// A value with its print; cheap to clone.
#[derive(Debug)]
pub struct Part<T> {
    value: Arc<T>,
    print: u64,
}

impl<T> Clone for Part<T> {
    fn clone(&self) -> Self {
        Part { value: self.value.clone(), print: self.print }
    }
}

impl<T> Deref for Part<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> PartialEq for Part<T> {
    fn eq(&self, other: &Self) -> bool {
        self.print == other.print
    }
}

impl<T: Print> Part<T> {
    pub fn new(value: T) -> Part<T> {
        Part { print: print(&value), value: Arc::new(value) }
    }

    /// Changes it here, and in no other world.
    pub fn change<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R
    where
        T: Clone,
    {
        let result = change(Arc::make_mut(&mut self.value));
        self.print = print(&*self.value);
        result
    }
}
