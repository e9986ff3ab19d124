//! What a webhook is told of a service, in which order, when again, and when it is given up.
//!
//! What is to be told is nothing beside the service's history: the row counts its events, and how many of them are told.
//! So an event and the debt to tell it are one write, and whoever leads next finds both.
//!
//! # Layout
//!
//! - [`message`]: one event as it is sent

pub mod message;
#[cfg(test)]
mod tests;

use crate::intent::{later, since};
use crate::lifecycle::backoff;
use dormouse_state::{Event, ServiceRecord, planted};
use jiff::Timestamp;
use message::Kind;
use std::time::Duration;

/// An event that could not be told for so long is not told any more.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The event that is written when others are not told any more.
pub const GIVEN_UP: &str = "WebhookGivenUp";

/// An event that is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Which one of the service's events, from 1.
    pub number: u64,
    /// When the service was declared: another one of the same name counts anew.
    pub incarnation: Timestamp,
    /// What kind of news it is.
    pub kind: Kind,
    /// The event.
    pub event: Event,
}

/// Tries in a row to tell an event that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    count: u32,
    again_at: Timestamp,
}

impl Tries {
    /// One more has failed. `spread`, any number, takes up to half of the wait away: what failed together does not come
    /// again together.
    pub fn again(known: Option<Tries>, now: Timestamp, spread: u32) -> Tries {
        let failed = known.map_or(0, |known| known.count);
        let wait = backoff(failed);
        let less = wait / 2 * (spread % 1024) / 1024;
        Tries { count: failed + 1, again_at: later(now, wait - less) }
    }
}

/// What is to be done for a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It has no news.
    Nothing,
    /// Not before some time has passed.
    Wait(Duration),
    /// This is to be told.
    Tell(Notice),
    /// It is too late for this many: [`give_up`].
    GiveUp(u64),
}

/// Decides what is to be done: the oldest event first, and none before it is told or given up.
pub fn next(record: &ServiceRecord, tries: Option<Tries>, now: Timestamp) -> Next {
    let mut news = news(record);
    let first = if planted!(NewestFirst) { news.last() } else { news.next() };
    let Some((number, kind, event)) = first else { return Next::Nothing };
    match late(record, now).count() as u64 {
        0 => {}
        late => return Next::GiveUp(late),
    }
    if let Some(tries) = tries.filter(|tries| now < tries.again_at) {
        return Next::Wait(since(tries.again_at, now));
    }
    Next::Tell(Notice { number, incarnation: record.created_at, kind, event: event.clone() })
}

/// How many events are to be told, and since when the oldest of them is.
pub fn waiting(record: &ServiceRecord) -> Option<(usize, Timestamp)> {
    let mut news = news(record);
    let (_, _, oldest) = news.next()?;
    Some((1 + news.count(), oldest.at))
}

/// Keeps the account of a record that is to be written in place of `before` (`None`: there is none). Answers how many
/// events are lost to the webhook because the history has no room for them any more.
///
/// What was noted before there was a webhook is nobody's news.
pub fn account(before: Option<&ServiceRecord>, next: &mut ServiceRecord) -> u64 {
    let since = before.map_or(0, |before| before.told.unwrap_or(before.noted));
    let told = next.told.filter(|_| before.is_some_and(|before| before.told.is_some())).unwrap_or(since);
    let forgotten = next.noted.saturating_sub(next.events.len() as u64);
    next.told = Some(if planted!(NewsLost) { next.noted } else { told });
    let lost =
        before.into_iter().flat_map(news).filter(|(number, ..)| (told + 1..=forgotten).contains(number));
    let lost = lost.count() as u64;
    pass_over(next);
    lost
}

/// The record once an event was told; `None`: that is known already, or of no use any more.
pub fn told(known: &ServiceRecord, notice: &Notice) -> Option<ServiceRecord> {
    let told = known.told.filter(|_| known.created_at == notice.incarnation)?;
    (told < notice.number && notice.number <= known.noted).then(|| {
        let mut next = ServiceRecord { told: Some(notice.number), ..known.clone() };
        pass_over(&mut next);
        next
    })
}

/// The record once it is too late for its oldest news; `None`: it is not.
pub fn give_up(known: &ServiceRecord, now: Timestamp) -> Option<ServiceRecord> {
    let last = late(known, now).map(|(number, ..)| number).last()?;
    let (late, hours) = (late(known, now).count(), GIVE_UP_AFTER.as_secs() / 3600);
    let mut next = ServiceRecord { told: Some(last), ..known.clone() };
    let message =
        format!("events that the webhook did not take within {hours} hours, and is not told: {late}");
    next.note(now, GIVEN_UP, message);
    pass_over(&mut next);
    Some(next)
}

/// Counts as told what stands before the first news: nobody waits for it.
fn pass_over(record: &mut ServiceRecord) {
    let first = news(record).next().map(|(number, ..)| number - 1);
    record.told = record.told.map(|_| first.unwrap_or(record.noted));
}

/// Events that are to be told and are not yet, the oldest first, with their numbers.
fn news(record: &ServiceRecord) -> impl Iterator<Item = (u64, Kind, &Event)> {
    let told = record.told.unwrap_or(record.noted);
    let untold = usize::try_from(record.noted.saturating_sub(told)).unwrap_or(usize::MAX);
    let kept = untold.min(record.events.len());
    let first = record.noted + 1 - kept as u64;
    let events = record.events.iter().skip(record.events.len() - kept);
    (first..).zip(events).filter_map(|(number, event)| Some((number, Kind::of(event)?, event)))
}

/// Those among them, from the oldest on, for which it is too late.
fn late(record: &ServiceRecord, now: Timestamp) -> impl Iterator<Item = (u64, Kind, &Event)> {
    news(record).take_while(move |(_, _, event)| since(now, event.at) >= GIVE_UP_AFTER)
}
