//! A record as it is cached: as it is, or in a few bytes while it is sound asleep.

use super::packed::Packed;
use dormouse_core::definition::service_resources;
use dormouse_core::observed::Resources;
use dormouse_core::sound::is_sound;
use dormouse_state::ServiceRecord;
use std::sync::Arc;

/// A record as it is cached.
pub(super) enum Form {
    /// Of one that stirs.
    Whole(Arc<ServiceRecord>),
    /// Of one that is sound asleep.
    Packed {
        record: Packed<ServiceRecord>,
        /// What its task takes.
        takes: Resources,
        /// A template made it.
        made: bool,
    },
}

impl Form {
    /// Packs it, if it is sound asleep.
    pub(super) fn of(record: Arc<ServiceRecord>) -> Form {
        match is_sound(&record).then(|| Packed::of(&*record)).flatten() {
            Some(packed) => Form::Packed {
                record: packed,
                takes: service_resources(&record.spec),
                made: record.made_from.is_some(),
            },
            None => Form::Whole(record),
        }
    }

    /// The record.
    pub(super) fn record(&self) -> Option<Arc<ServiceRecord>> {
        match self {
            Form::Whole(record) => Some(record.clone()),
            Form::Packed { record, .. } => record.unpack().map(Arc::new),
        }
    }

    /// The record, of one that is not sound asleep.
    pub(super) fn whole(&self) -> Option<&Arc<ServiceRecord>> {
        match self {
            Form::Whole(record) => Some(record),
            Form::Packed { .. } => None,
        }
    }
}
