//! The way to the leader's API.

use super::link::{Broken, Feed, Link, News};
use super::{REPORT, SILENT, pass};
use crate::client::{CallError, Client, Events};
use crate::config::Secret;
use crate::plane::{StandbyAnswer, StandbyReport};
use async_trait::async_trait;
use http::Method;
use serde_json::Value;

impl From<CallError> for Broken {
    fn from(error: CallError) -> Broken {
        Broken(error.to_string())
    }
}

impl From<serde_json::Error> for Broken {
    fn from(error: serde_json::Error) -> Broken {
        Broken(error.to_string())
    }
}

/// A leader at a URL.
pub struct Http(Client);

impl Http {
    /// The way to this URL, with what proves that a controller of this installation goes it.
    ///
    /// # Errors
    /// When the URL cannot be used.
    pub fn to(url: &str, secret: &Secret) -> Result<Http, Broken> {
        Ok(Http(Client::new(url, Some(pass(secret)))?))
    }
}

#[async_trait]
impl Link for Http {
    async fn report(&self, report: &StandbyReport) -> Result<StandbyAnswer, Broken> {
        let json = serde_json::to_vec(report)?;
        let (_, answer) = self.0.send_within(Method::POST, REPORT, json, SILENT).await?;
        // An older leader says nothing.
        Ok(if answer.is_empty() { StandbyAnswer::default() } else { serde_json::from_slice(&answer)? })
    }

    async fn news(&self) -> Result<Box<dyn Feed>, Broken> {
        Ok(Box::new(self.0.events("/v1/watch").await?))
    }
}

#[async_trait]
impl Feed for Events {
    async fn next(&mut self) -> Result<News, Broken> {
        loop {
            let Some(event) = Events::next(self).await? else {
                return Err(Broken("it ended the stream of changes".to_owned()));
            };
            match event.kind.as_str() {
                "service" => return Ok(News::Service(serde_json::from_str(&event.data)?)),
                "deleted" => {
                    let gone: Value = serde_json::from_str(&event.data).unwrap_or_default();
                    if let Some(name) = gone["metadata"]["name"].as_str() {
                        return Ok(News::Gone(name.to_owned()));
                    }
                }
                "templates" => return Ok(News::Templates),
                _ => {}
            }
        }
    }
}
