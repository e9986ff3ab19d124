//! S18 and L10: what the webhook tells.
//!
//! An event is news once the row is written that counts it. What is lost with its row, or to a history without room for
//! it, nobody is told.

use super::Moment;
use crate::profile::{MINUTE, Ms};
use crate::sim::Sim;
use dormouse_core::webhook::Notice;
use dormouse_core::webhook::message::{Kind, message};
use dormouse_state::ServiceRecord;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Something that the receiver is to be told.
#[derive(Debug, Clone)]
pub struct Piece {
    service: String,
    /// Which of the rows of that name it is of.
    incarnation: Timestamp,
    number: u64,
    noted_at: Ms,
    told: bool,
    /// It is lost: with its row, or since there was no room for it.
    lost: bool,
}

/// All of them, by the ids that they are told under.
pub type News = BTreeMap<String, Piece>;

/// What is told happened, and was written; the first time it is told, all that came before it has been. And what a row
/// says to be told, the receiver has.
pub fn s18_truth_of_news(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    let news = &sim.audit.news;
    match *moment {
        Moment::Told(id) => {
            let Some(piece) = news.get(id) else {
                return Some(format!("{id} is told, and is nothing that happened"));
            };
            let before = of_row(news, &piece.service, piece.incarnation)
                .find(|other| other.number < piece.number && !other.told && !other.lost)?;
            let Piece { service, number, .. } = piece;
            Some(format!("event {number} of {service} is told before event {}", before.number))
        }
        Moment::Row { row, .. } => {
            let told = row.told?;
            let kept = row.noted.saturating_sub(row.events.len() as u64);
            let taken = of_row(news, &row.name, row.created_at)
                .find(|piece| (kept + 1..=told).contains(&piece.number) && !piece.told)?;
            Some(format!("event {} of {} is taken for told", taken.number, row.name))
        }
        _ => None,
    }
}

/// Once nothing goes wrong, every event is told within ten minutes.
pub fn l10_news(sim: &Sim, moment: &Moment<'_>) -> Option<String> {
    if !matches!(moment, Moment::Tick | Moment::End) || sim.calm_for() < 15 * MINUTE {
        return None;
    }
    let waits = |piece: &&Piece| !piece.told && !piece.lost && piece.noted_at + 10 * MINUTE < sim.now;
    let Piece { service, number, noted_at, .. } = sim.audit.news.values().find(waits)?;
    Some(format!("event {number} of {service}, of {} s, is not told", noted_at / 1000))
}

fn of_row<'a>(news: &'a News, service: &'a str, incarnation: Timestamp) -> impl Iterator<Item = &'a Piece> {
    news.values().filter(move |piece| piece.service == service && piece.incarnation == incarnation)
}

/// What is known after a moment.
pub fn remember(sim: &mut Sim, moment: &Moment<'_>) {
    match *moment {
        Moment::Told(id) => {
            if let Some(piece) = sim.audit.news.get_mut(id) {
                piece.told = true;
            }
        }
        Moment::Row { before, row, .. } if row.told.is_some() => {
            let before = before.filter(|before| before.created_at == row.created_at);
            note(sim, before.map_or(0, |before| before.noted), row);
        }
        Moment::Removed(_, name) => {
            sim.audit
                .news
                .values_mut()
                .filter(|piece| piece.service == name)
                .for_each(|piece| piece.lost = true);
        }
        _ => {}
    }
}

fn note(sim: &mut Sim, known: u64, row: &ServiceRecord) {
    let forgotten = row.noted.saturating_sub(row.events.len() as u64);
    for (number, event) in (forgotten + 1..).zip(row.events.iter()).filter(|(number, _)| *number > known) {
        let Some(kind) = Kind::of(event) else { continue };
        let notice = Notice { number, incarnation: row.created_at, kind, event: event.clone() };
        let id = message(&sim.settings, &row.name, &notice).id;
        let (service, incarnation, noted_at) = (row.name.clone(), row.created_at, sim.now);
        let piece = Piece { service, incarnation, number, noted_at, told: false, lost: false };
        sim.audit.news.insert(id, piece);
    }
    let is_of_row = |piece: &&mut Piece| piece.service == row.name && piece.incarnation == row.created_at;
    let gone = sim.audit.news.values_mut().filter(is_of_row).filter(|piece| piece.number <= forgotten);
    gone.for_each(|piece| piece.lost |= !piece.told);
}
