//! What is cached of the table.

use super::dependents::Dependents;
use super::form::Form;
use super::records::Known;
use dormouse_state::Version;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What is cached of a row.
pub(super) struct Row {
    /// Its version.
    pub(super) version: Version,
    /// Its record.
    pub(super) form: Form,
    /// When the row was made that was planned here: its definitions were compared under these settings.
    pub(super) compared: Option<Timestamp>,
    /// A plan left it as it is, and nothing was observed of its service.
    pub(super) settled: bool,
}

/// Every row, by name, and what is to be known of the writes to them.
#[derive(Default)]
pub(super) struct Cache {
    /// By name.
    pub(super) rows: BTreeMap<Box<str>, Row>,
    /// Who depends on whom.
    pub(super) dependents: Dependents,
    /// Grows with every write and removal of ours.
    pub(super) writes: u64,
    /// Name → the count at which it was last written or removed: a scan that began before says nothing about it.
    pub(super) touched: BTreeMap<String, u64>,
    /// Names whose last write was not answered: it may have been made.
    pub(super) doubted: BTreeSet<String>,
}

impl Cache {
    /// Puts a row in.
    pub(super) fn put(&mut self, name: &str, new: Known) {
        let before = self.rows.get(name);
        let compared = before.and_then(|row| row.compared);
        let needed = before.and_then(|row| row.form.record());
        let needed = needed.as_ref().map_or(&[][..], |record| &record.spec.depends_on);
        self.dependents.changed(name, needed, &new.record.spec.depends_on);
        let row = Row { version: new.version, form: Form::of(new.record), compared, settled: false };
        self.rows.insert(name.into(), row);
    }

    /// Takes a row out.
    pub(super) fn take(&mut self, name: &str) {
        if let Some(record) = self.rows.remove(name).and_then(|row| row.form.record()) {
            self.dependents.changed(name, &record.spec.depends_on, &[]);
        }
    }

    /// Whether a row was written or removed after the read that began then.
    pub(super) fn is_newer(&self, name: &str, began: u64) -> bool {
        self.touched.get(name).is_some_and(|at| *at > began)
    }

    /// A row was written or removed.
    pub(super) fn touch(&mut self, name: &str) {
        self.writes += 1;
        self.touched.insert(name.to_owned(), self.writes);
        self.doubted.remove(name);
    }
}
