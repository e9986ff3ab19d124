//! Whoever the webhook tells: it refuses, is slow, is not reached, or takes what it is told and nobody hears that it did.

use super::{Port, pause};
use crate::check;
use crate::profile::SECOND;
use async_trait::async_trait;
use dormouse::webhook::{Keys, Post, Webhook};
use std::sync::Arc;

/// Any key will do.
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

impl Port {
    /// The webhook of a controller.
    pub fn webhook(&self) -> Option<Webhook> {
        Some(Webhook::new(Keys::parse(KEY)?, Arc::new(self.clone())))
    }
}

#[async_trait]
impl Post for Port {
    async fn post(&self, headers: &[(&'static str, String)], _body: &str) -> Result<u16, String> {
        let id = headers.iter().find(|(name, _)| *name == "webhook-id").map(|(_, id)| id.clone());
        let (takes, arrives, answer) = {
            let mut sim = self.world.sim();
            let profile = &sim.profile;
            let (slow, unreached, refuses, lost) = (
                profile.receiver_slow,
                profile.receiver_unreached,
                profile.receiver_refuses,
                profile.receiver_lost,
            );
            // Longer than it is waited for, now and then: it has it all the same.
            let takes = if sim.rng.chance(slow) {
                sim.rng.between(SECOND, 14 * SECOND)
            } else {
                sim.rng.between(2, 30)
            };
            let (arrives, answer) = if sim.rng.chance(unreached) {
                (false, Err("nobody is there".to_owned()))
            } else if sim.rng.chance(refuses) {
                (false, Ok(503))
            } else if sim.rng.chance(lost) {
                (true, Err("no answer".to_owned()))
            } else {
                (true, Ok(200))
            };
            (takes, arrives, answer)
        };
        let id = id.unwrap_or_default();
        let answered = self.send(takes, Some("post"), move |sim| {
            if arrives {
                check::told(sim, &id);
            }
        });
        if answered.await.is_err() {
            return std::future::pending().await;
        }
        pause(2).await;
        answer
    }
}
