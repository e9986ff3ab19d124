//! Hosted zones. There is no upsert: a batch creates what must not exist and deletes what must be exactly so.

use crate::count::Calls;
use crate::error::{incomplete, refused, sort};
use crate::ports::{ChangeAnswer, CloudError, Zones};
use async_trait::async_trait;
use aws_sdk_route53::Client;
use aws_sdk_route53::error::BuildError;
use aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsError as ChangeError;
use aws_sdk_route53::types::{
    Change as ApiChange, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecord, ResourceRecordSet, RrType,
};
use dormouse_core::dns::Change;
use dormouse_core::observed::RecordSet;
use std::sync::Arc;

const LIST: &str = "route53:ListResourceRecordSets";
const CHANGE: &str = "route53:ChangeResourceRecordSets";
const GET_CHANGE: &str = "route53:GetChange";

/// Record sets on one page. Source: Amazon Route 53 API Reference, ListResourceRecordSets.
const LIST_PAGE: i32 = 300;

/// Zones over Route 53.
#[derive(Debug, Clone)]
pub struct Route53Zones {
    read: Client,
    write: Client,
    calls: Arc<Calls>,
}

impl Route53Zones {
    /// `write` must not retry: a batch whose answer was lost would be refused the second time.
    pub fn new(read: Client, write: Client, calls: Arc<Calls>) -> Route53Zones {
        Route53Zones { read, write, calls }
    }
}

#[async_trait]
impl Zones for Route53Zones {
    async fn records(&self, zone: &str) -> Result<Vec<RecordSet>, CloudError> {
        let mut records = Vec::new();
        let (mut name, mut kind, mut identifier) = (None, None, None);
        loop {
            let list = self.read.list_resource_record_sets().hosted_zone_id(zone).max_items(LIST_PAGE);
            let list = list
                .set_start_record_name(name.clone())
                .set_start_record_type(kind.clone())
                .set_start_record_identifier(identifier.clone());
            let page = self.calls.settle(LIST, list.send().await)?;
            records.extend(page.resource_record_sets.iter().map(translate));
            if !page.is_truncated {
                return Ok(records);
            }
            let next = (page.next_record_name, page.next_record_type, page.next_record_identifier);
            if next.0.is_none() || next == (name, kind, identifier) {
                return Err(incomplete(LIST, "a page that does not say where the next one begins"));
            }
            (name, kind, identifier) = next;
        }
    }

    async fn change(
        &self,
        zone: &str,
        changes: &[Change],
        comment: &str,
    ) -> Result<ChangeAnswer, CloudError> {
        let batch = batch(changes, comment)?;
        let change = self.write.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch);
        let error = match change.send().await {
            Ok(answer) => {
                self.calls.note(CHANGE, None);
                let info = answer.change_info();
                let id = info.map(|info| info.id().trim_start_matches("/change/").to_owned());
                let change_id = id.ok_or_else(|| incomplete(CHANGE, "an answer without an id"))?;
                return Ok(ChangeAnswer::Accepted { change_id });
            }
            Err(error) => error,
        };
        let sorted = sort(CHANGE, &error);
        self.calls.note(CHANGE, Some(&sorted));
        match error.as_service_error() {
            Some(ChangeError::PriorRequestNotComplete(_)) => Ok(ChangeAnswer::Busy),
            Some(ChangeError::InvalidChangeBatch(invalid)) => {
                // Route 53 puts all its words into one message, in brackets; the list is of older times.
                let messages = invalid.messages().to_vec();
                let alone = || invalid.message().unwrap_or("the batch is invalid").to_owned();
                Ok(ChangeAnswer::Refused(if messages.is_empty() { vec![alone()] } else { messages }))
            }
            _ => Err(sorted),
        }
    }

    async fn is_insync(&self, change_id: &str) -> Result<bool, CloudError> {
        let answer = self.calls.settle(GET_CHANGE, self.read.get_change().id(change_id).send().await)?;
        Ok(answer.change_info().is_some_and(|info| info.status() == &ChangeStatus::Insync))
    }
}

/// A batch of changes as Route 53 takes it.
pub(crate) fn batch(changes: &[Change], comment: &str) -> Result<ChangeBatch, CloudError> {
    let changes = changes.iter().map(|change| {
        let (action, set) = match change {
            Change::Create(set) => (ChangeAction::Create, set),
            Change::Delete(set) => (ChangeAction::Delete, set),
        };
        let Some(ttl) = set.ttl.filter(|_| !set.special).and_then(|ttl| i64::try_from(ttl).ok()) else {
            return Err(refused(CHANGE, "NotPlain", format!("{} {} is not a plain set", set.name, set.kind)));
        };
        let values = set.values.iter().map(|value| ResourceRecord::builder().value(value).build());
        let values = values.collect::<Result<_, _>>().map_err(unbuilt)?;
        let set = ResourceRecordSet::builder()
            .name(&set.name)
            .r#type(RrType::from(set.kind.as_str()))
            .ttl(ttl)
            .set_resource_records(Some(values))
            .build()
            .map_err(unbuilt)?;
        ApiChange::builder().action(action).resource_record_set(set).build().map_err(unbuilt)
    });
    let changes = changes.collect::<Result<_, _>>()?;
    ChangeBatch::builder().comment(comment).set_changes(Some(changes)).build().map_err(unbuilt)
}

fn unbuilt(error: BuildError) -> CloudError {
    refused(CHANGE, "ConstructionFailure", error.to_string())
}

fn translate(set: &ResourceRecordSet) -> RecordSet {
    let mut values: Vec<_> = set.resource_records().iter().map(|record| record.value().to_owned()).collect();
    values.sort();
    RecordSet {
        name: plain_name(set.name()),
        kind: set.r#type().as_str().to_owned(),
        ttl: set.ttl().and_then(|ttl| u64::try_from(ttl).ok()),
        values,
        special: set.alias_target().is_some()
            || set.set_identifier().is_some()
            || set.weight().is_some()
            || set.region().is_some()
            || set.geo_location().is_some()
            || set.geo_proximity_location().is_some()
            || set.cidr_routing_config().is_some()
            || set.failover().is_some()
            || set.multi_value_answer().is_some()
            || set.health_check_id().is_some()
            || set.traffic_policy_instance_id().is_some(),
    }
}

/// A name as Dormouse compares it: lower case, no trailing dot, and Route 53's octal escapes (`\052` for `*`)
/// as the characters they mean. A dot, a backslash and what is not printable stay escaped: as characters they
/// would make the name another one.
///
/// Source: Amazon Route 53 Developer Guide, "DNS domain name format".
pub(crate) fn plain_name(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut rest = name.strip_suffix('.').unwrap_or(name);
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        plain.push_str(before);
        let octal = escape.get(1..4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match octal.filter(|byte| byte.is_ascii_graphic() && !matches!(byte, b'.' | b'\\')) {
            Some(byte) => {
                plain.push(char::from(byte));
                rest = escape.get(4..).unwrap_or_default();
            }
            None => {
                plain.push('\\');
                rest = escape.get(1..).unwrap_or_default();
            }
        }
    }
    plain.push_str(rest);
    plain.make_ascii_lowercase();
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unescaped() {
        let table = [
            ("\\052.Example.COM.", "*.example.com"),
            ("hello._dormouse.example.com.", "hello._dormouse.example.com"),
            ("a\\043b\\052.example.com", "a#b*.example.com"),
            ("a\\056b.example.com.", "a\\056b.example.com"),
            ("a\\134b.example.com.", "a\\134b.example.com"),
            ("a\\344b.example.com.", "a\\344b.example.com"),
            ("a\\999b\\0", "a\\999b\\0"),
            ("ä\\05", "ä\\05"),
            (".", ""),
        ];
        for (theirs, ours) in table {
            assert_eq!(plain_name(theirs), ours, "{theirs}");
        }
    }
}
