//! The way from a controller that stands by to the one that leads.

use crate::plane::{StandbyAnswer, StandbyReport};
use async_trait::async_trait;
use dormouse_core::view::ServiceView;
use thiserror::Error;

/// Why the leader is not reached any more, in words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Broken(pub String);

/// Something that the leader says.
#[derive(Debug, Clone)]
pub enum News {
    /// How a service is now.
    Service(Box<ServiceView>),
    /// A service of this name is gone.
    Gone(String),
    /// A template has changed.
    Templates,
}

/// A way to one leader.
#[async_trait]
pub trait Link: Send + Sync {
    /// Tells it what one was asked.
    ///
    /// # Errors
    /// When it did not take the report in, or did not say so.
    async fn report(&self, report: &StandbyReport) -> Result<StandbyAnswer, Broken>;

    /// What it says from now on: first how each service is, then every change.
    ///
    /// # Errors
    /// When it does not answer.
    async fn news(&self) -> Result<Box<dyn Feed>, Broken>;
}

/// What a leader says, one after the other.
#[async_trait]
pub trait Feed: Send {
    /// The next.
    ///
    /// # Errors
    /// When it says no more.
    async fn next(&mut self) -> Result<News, Broken>;
}
