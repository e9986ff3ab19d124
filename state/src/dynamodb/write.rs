//! What became of a write.

use super::row::Item;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException;
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// What a write did.
pub enum Written {
    /// It happened.
    Done,
    /// Its condition did not hold: the row as it was, if there was one.
    Refused(Option<Item>),
    /// Nobody knows.
    Unknown(String),
}

pub fn of_update(error: &UpdateItemError) -> Option<&ConditionalCheckFailedException> {
    match error {
        UpdateItemError::ConditionalCheckFailedException(failed) => Some(failed),
        _ => None,
    }
}

pub fn of_delete(error: &DeleteItemError) -> Option<&ConditionalCheckFailedException> {
    match error {
        DeleteItemError::ConditionalCheckFailedException(failed) => Some(failed),
        _ => None,
    }
}

/// Sorts the outcome of a write. Any error but a failed condition counts as unknown: the client may have tried
/// before, with an answer that was lost.
pub fn settle<T, E: ProvideErrorMetadata + Error + 'static>(
    result: Result<T, SdkError<E>>,
    failed: impl Fn(&E) -> Option<&ConditionalCheckFailedException>,
) -> Written {
    match result {
        Ok(_) => Written::Done,
        Err(error) => match error.as_service_error().and_then(failed) {
            Some(failed) => Written::Refused(failed.item().cloned()),
            None => Written::Unknown(words(&error)),
        },
    }
}

/// An error on one line: DynamoDB's code and words, or the chain of what went wrong on the way.
pub fn words<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E>) -> String {
    if let Some(code) = error.code() {
        return format!("{code}: {}", error.message().unwrap_or("no message"));
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Ids of writes: unlike any other process's, and each one once.
#[derive(Debug)]
pub struct WriteIds {
    process: u64,
    count: AtomicU64,
}

impl WriteIds {
    pub fn new() -> WriteIds {
        // The standard library seeds its hashers from the system's random source.
        WriteIds { process: RandomState::new().hash_one(0), count: AtomicU64::new(0) }
    }

    pub fn next(&self) -> String {
        format!("{:016x}-{}", self.process, self.count.fetch_add(1, Ordering::Relaxed))
    }
}
