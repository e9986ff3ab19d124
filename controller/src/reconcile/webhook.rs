//! Who tells others: the leader alone, one service's events one after the other, and out of the way of everything else.

use super::records::Known;
use super::scheduler::Scheduler;
use super::{Controller, runner};
use crate::webhook::Webhook;
use dormouse_core::webhook::{self, Next, Notice, Tries, message};
use dormouse_state::planted;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Services that are told of at the same time.
const AT_ONCE: usize = 8;
/// After what could not be written, or may not be sent right now.
const RETRY: Duration = Duration::from_secs(1);

/// What is to be told, by service.
pub(super) struct Telling {
    webhook: Option<Webhook>,
    due: Scheduler<String>,
    /// Services whose last try failed.
    tries: Mutex<BTreeMap<String, Tries>>,
}

impl Telling {
    pub(super) fn new(webhook: Option<Webhook>) -> Telling {
        Telling { webhook, due: Scheduler::default(), tries: Mutex::default() }
    }

    fn tries(&self) -> MutexGuard<'_, BTreeMap<String, Tries>> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Controller {
    /// Tells what there is to tell, until `stop`.
    pub(super) async fn tell_others(&self, stop: &CancellationToken) {
        let Some(webhook) = &self.webhook.webhook else { return stop.cancelled().await };
        // What the leader before did not come to.
        self.records.stirring().records.iter().for_each(|record| self.has_news(&record.name));
        let tell = |name: String| async move { self.tell_of(webhook, &name).await };
        runner::run(&self.webhook.due, AT_ONCE, stop, tell).await;
    }

    /// A service was looked at: whoever leads comes by each one, whoever wrote it.
    pub(super) fn has_news(&self, name: &str) {
        if self.webhook.webhook.is_some()
            && self.records.get(name).is_some_and(|known| webhook::waiting(&known.record).is_some())
        {
            self.webhook.due.schedule(name.to_owned(), Duration::ZERO);
        }
    }

    /// A row is gone, and with it what was not told of its service.
    pub(super) fn gives_up_with(&self, known: Option<Known>) {
        let waiting = known.and_then(|known| webhook::waiting(&known.record));
        self.numbers.webhook_given_up.inc_by(waiting.map_or(0, |(count, _)| count as u64));
    }

    /// Does what is next for a service; answers when it is due again.
    async fn tell_of(&self, webhook: &Webhook, name: &str) -> Option<Duration> {
        let tries = self.webhook.tries().get(name).copied();
        let now = self.now();
        let next =
            self.records.get(name).map_or(Next::Nothing, |known| webhook::next(&known.record, tries, now));
        if !matches!(next, Next::Nothing | Next::Wait(_)) && !self.may_act() {
            return Some(RETRY);
        }
        match next {
            Next::Nothing => {
                self.webhook.tries().remove(name);
                None
            }
            Next::Wait(wait) => Some(wait),
            Next::GiveUp(late) => {
                let given_up = self.records.update(name, self.fence(), |known| webhook::give_up(known?, now));
                if let Err(error) = given_up.await {
                    warn!(service = name, %error, "what is not told any more could not be written");
                    return Some(RETRY);
                }
                warn!(service = name, events = late, "the webhook is not told any more");
                self.numbers.webhook_given_up.inc_by(late);
                self.publish(name);
                Some(Duration::ZERO)
            }
            Next::Tell(notice) => Some(self.deliver(webhook, name, &notice, tries).await),
        }
    }

    async fn deliver(
        &self,
        webhook: &Webhook,
        name: &str,
        notice: &Notice,
        tries: Option<Tries>,
    ) -> Duration {
        let message = message::message(&self.settings, name, notice);
        if let Err(why) = webhook.tell(&message, self.now()).await
            && !planted!(FailedIsTold)
        {
            self.numbers.webhook_failed.inc();
            warn!(service = name, id = message.id, why, "the webhook was not told");
            self.webhook.tries().insert(name.to_owned(), Tries::again(tries, self.now(), message.spread()));
            return Duration::ZERO;
        }
        self.numbers.webhook_sent.inc();
        debug!(service = name, id = message.id, kind = notice.kind.word(), "the webhook was told");
        self.webhook.tries().remove(name);
        match self.records.update(name, self.fence(), |known| webhook::told(known?, notice)).await {
            Ok(_) => {
                self.publish(name);
                Duration::ZERO
            }
            Err(error) => {
                // It is told once more: receivers know it by its id.
                warn!(service = name, %error, "that the webhook was told could not be written");
                RETRY
            }
        }
    }
}
