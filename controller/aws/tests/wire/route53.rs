//! Hosted zones.

use crate::recorded::{Answer, Recorded, xml, xml_error};
use dormouse_aws::ports::{ChangeAnswer, CloudError};
use dormouse_core::dns::Change;
use dormouse_core::observed::RecordSet;

const NAMESPACE: &str = r#"xmlns="https://route53.amazonaws.com/doc/2013-04-01/""#;

fn set(name: &str, kind: &str, inner: &str) -> String {
    format!("<ResourceRecordSet><Name>{name}</Name><Type>{kind}</Type>{inner}</ResourceRecordSet>")
}

fn page(sets: &str, next: &str) -> Answer {
    let truncated = !next.is_empty();
    xml(&format!(
        "<ListResourceRecordSetsResponse {NAMESPACE}><ResourceRecordSets>{sets}</ResourceRecordSets>
        <IsTruncated>{truncated}</IsTruncated>{next}<MaxItems>300</MaxItems></ListResourceRecordSetsResponse>"
    ))
}

fn values(ttl: u32, values: &[&str]) -> String {
    let records = values.iter().map(|v| format!("<ResourceRecord><Value>{v}</Value></ResourceRecord>"));
    format!("<TTL>{ttl}</TTL><ResourceRecords>{}</ResourceRecords>", records.collect::<String>())
}

fn plain(name: &str, kind: &str, values: &[&str]) -> RecordSet {
    let values = values.iter().map(|v| (*v).to_owned()).collect();
    RecordSet { name: name.into(), kind: kind.into(), ttl: Some(10), values, special: false }
}

#[tokio::test]
async fn all_pages_of_a_zone_are_read() {
    let aws = Recorded::new([
        page(
            &set("a.example.com.", "A", &values(10, &["192.0.2.1"])),
            "<NextRecordName>\\052.example.com.</NextRecordName><NextRecordType>A</NextRecordType>",
        ),
        page(
            &set("\\052.Example.com.", "A", &values(10, &["192.0.2.9", "192.0.2.2"])),
            "<NextRecordName>w.example.com.</NextRecordName><NextRecordType>A</NextRecordType>
            <NextRecordIdentifier>blue</NextRecordIdentifier>",
        ),
        page(&set("w.example.com.", "TXT", &values(10, &["&quot;x&quot;"])), ""),
    ]);
    let records = aws.cloud().zones.records("Z1").await.unwrap();
    assert_eq!(
        records,
        [
            plain("a.example.com", "A", &["192.0.2.1"]),
            plain("*.example.com", "A", &["192.0.2.2", "192.0.2.9"]),
            plain("w.example.com", "TXT", &["\"x\""]),
        ]
    );
    let uris: Vec<_> = aws.asked().into_iter().map(|asked| asked.uri).collect();
    assert!(uris[0].contains("/hostedzone/Z1/rrset?") && uris[0].contains("maxitems=300"), "{uris:?}");
    assert!(!uris[0].contains("name="), "{uris:?}");
    // As Route 53 named it, escapes and all.
    assert!(uris[1].contains("name=%5C052.example.com.&type=A"), "{uris:?}");
    assert!(uris[2].contains("name=w.example.com.&type=A&identifier=blue"), "{uris:?}");
}

#[tokio::test]
async fn pages_that_lead_nowhere_are_an_error_and_not_a_short_zone() {
    let next = "<NextRecordName>a.example.com.</NextRecordName><NextRecordType>A</NextRecordType>";
    let truncated = xml(&format!(
        "<ListResourceRecordSetsResponse {NAMESPACE}><ResourceRecordSets/><IsTruncated>true</IsTruncated>
        <MaxItems>300</MaxItems></ListResourceRecordSetsResponse>"
    ));
    for answers in [vec![truncated], vec![page("", next), page("", next)]] {
        let aws = Recorded::new(answers);
        let error = aws.cloud().zones.records("Z1").await.unwrap_err();
        assert!(matches!(error, CloudError::Unknown { .. }), "{error}");
    }
}

#[tokio::test]
async fn sets_that_are_more_than_values_are_special() {
    let alias = "<AliasTarget><HostedZoneId>Z2</HostedZoneId><DNSName>lb.example.com.</DNSName>
        <EvaluateTargetHealth>false</EvaluateTargetHealth></AliasTarget>";
    let ttl = values(10, &["192.0.2.1"]);
    let specials = [
        alias.to_owned(),
        format!("<SetIdentifier>a</SetIdentifier><Weight>1</Weight>{ttl}"),
        format!("<SetIdentifier>a</SetIdentifier><MultiValueAnswer>true</MultiValueAnswer>{ttl}"),
        format!("{ttl}<HealthCheckId>h</HealthCheckId>"),
    ];
    for inner in specials {
        let aws = Recorded::new([page(&set("a.example.com.", "A", &inner), "")]);
        let records = aws.cloud().zones.records("Z1").await.unwrap();
        assert!(records[0].special, "{inner}");
    }
}

fn change_info(root: &str, status: &str) -> Answer {
    xml(&format!(
        "<{root} {NAMESPACE}><ChangeInfo><Id>/change/C123</Id><Status>{status}</Status>
        <SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt></ChangeInfo></{root}>"
    ))
}

#[tokio::test]
async fn a_batch_creates_and_deletes_and_never_upserts() {
    let aws = Recorded::new([change_info("ChangeResourceRecordSetsResponse", "PENDING")]);
    let changes = [
        Change::Delete(plain("hello.example.com", "A", &["192.0.2.1"])),
        Change::Create(plain("*.example.com", "A", &["192.0.2.2"])),
        Change::Create(plain("hello._dormouse.example.com", "TXT", &["\"i=1,e=2\""])),
    ];
    let answer = aws.cloud().zones.change("Z1", &changes, "hello").await.unwrap();
    assert_eq!(answer, ChangeAnswer::Accepted { change_id: "C123".into() });
    let asked = &aws.asked()[0];
    assert_eq!(asked.method, "POST");
    assert!(asked.uri.contains("/hostedzone/Z1/rrset"), "{}", asked.uri);
    let sent = "<Comment>hello</Comment><Changes>\
        <Change><Action>DELETE</Action><ResourceRecordSet><Name>hello.example.com</Name><Type>A</Type><TTL>10</TTL>\
        <ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord></ResourceRecords>\
        </ResourceRecordSet></Change>\
        <Change><Action>CREATE</Action><ResourceRecordSet><Name>*.example.com</Name><Type>A</Type><TTL>10</TTL>\
        <ResourceRecords><ResourceRecord><Value>192.0.2.2</Value></ResourceRecord></ResourceRecords>\
        </ResourceRecordSet></Change>\
        <Change><Action>CREATE</Action><ResourceRecordSet><Name>hello._dormouse.example.com</Name><Type>TXT</Type>\
        <TTL>10</TTL><ResourceRecords><ResourceRecord><Value>\"i=1,e=2\"</Value></ResourceRecord></ResourceRecords>\
        </ResourceRecordSet></Change></Changes>";
    assert!(asked.body.replace("&quot;", "\"").contains(sent), "{}", asked.body);
}

#[tokio::test]
async fn what_is_not_a_plain_set_is_not_sent() {
    let special = RecordSet { special: true, ..plain("a.example.com", "A", &["192.0.2.1"]) };
    let no_ttl = RecordSet { ttl: None, ..plain("a.example.com", "A", &["192.0.2.1"]) };
    for set in [special, no_ttl] {
        let aws = Recorded::new([]);
        let error = aws.cloud().zones.change("Z1", &[Change::Delete(set)], "").await.unwrap_err();
        assert!(matches!(&error, CloudError::Refused { code, .. } if code == "NotPlain"), "{error}");
        assert!(aws.asked().is_empty());
    }
}

#[tokio::test]
async fn a_refused_batch_is_told_in_words_and_sent_once() {
    let change = [Change::Delete(plain("a.example.com", "A", &["192.0.2.1"]))];
    let message = "[Tried to delete resource record set [name='a.example.com.', type='A'] but it was not found, \
        Tried to create resource record set [name='b.example.com.', type='A'] but it already exists]";
    let aws = Recorded::new([xml_error(400, "InvalidChangeBatch", message)]);
    let answer = aws.cloud().zones.change("Z1", &change, "").await.unwrap();
    assert_eq!(answer, ChangeAnswer::Refused(vec![message.into()]));

    let aws = Recorded::new([xml_error(400, "PriorRequestNotComplete", "wait")]);
    let cloud = aws.cloud();
    assert_eq!(cloud.zones.change("Z1", &change, "").await.unwrap(), ChangeAnswer::Busy);
    assert_eq!(cloud.calls.snapshot()["route53:ChangeResourceRecordSets"].throttled, 1);

    let aws = Recorded::new([Answer::Broken]);
    let error = aws.cloud().zones.change("Z1", &change, "").await.unwrap_err();
    assert!(matches!(error, CloudError::Unknown { .. }), "{error}");
    assert_eq!(aws.asked().len(), 1);
}

#[tokio::test]
async fn a_change_is_pending_and_then_in_sync() {
    for (status, expected) in [("PENDING", false), ("INSYNC", true)] {
        let aws = Recorded::new([change_info("GetChangeResponse", status)]);
        assert_eq!(aws.cloud().zones.is_insync("C123").await.unwrap(), expected);
        assert!(aws.asked()[0].uri.ends_with("/2013-04-01/change/C123"), "{}", aws.asked()[0].uri);
    }
}
