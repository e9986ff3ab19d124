//! Wanted records against a zone.

use crate::observed::RecordSet;

/// One change of a batch. There is no upsert: a change names what it replaces.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Change {
    /// The set must not exist.
    Create(RecordSet),
    /// The set must exist with exactly these values and this TTL.
    Delete(RecordSet),
}
