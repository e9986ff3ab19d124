//! Public addresses.

use crate::recorded::{Answer, Recorded, xml};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use dormouse_aws::Cloud;
use dormouse_aws::ports::CloudError;
use std::collections::BTreeMap;

fn answer(items: &str) -> Answer {
    xml(&format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
        <DescribeNetworkInterfacesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
        <requestId>r</requestId><networkInterfaceSet>{items}</networkInterfaceSet>
        </DescribeNetworkInterfacesResponse>"#
    ))
}

fn item(id: &str, public: Option<&str>) -> String {
    let association = public.map_or_else(String::new, |ip| {
        format!("<association><publicIp>{ip}</publicIp><ipOwnerId>amazon</ipOwnerId></association>")
    });
    format!(
        "<item><networkInterfaceId>{id}</networkInterfaceId><subnetId>subnet-1</subnetId>
        <groupSet><item><groupId>sg-1</groupId></item></groupSet><tagSet/>{association}
        <privateIpAddressesSet><item><privateIpAddress>10.0.0.5</privateIpAddress><primary>true</primary>
        {association}</item></privateIpAddressesSet></item>"
    )
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[tokio::test]
async fn addresses_are_read_and_those_without_left_out() {
    let items = item("eni-1", Some("203.0.113.7")) + &item("eni-2", None);
    let aws = Recorded::new([answer(&items)]);
    let ids = ["eni-1", "eni-2", "eni-unknown"].map(str::to_owned);
    let addresses = aws.cloud().interfaces.public_addresses(&ids).await.unwrap();
    assert_eq!(addresses, map(&[("eni-1", "203.0.113.7")]));

    let asked = &aws.asked()[0];
    assert_eq!((asked.method.as_str(), asked.uri.as_str()), ("POST", "https://ec2.eu-west-1.amazonaws.com/"));
    let form = map(&[
        ("Action", "DescribeNetworkInterfaces"),
        ("Version", "2016-11-15"),
        ("Filter.1.Name", "network-interface-id"),
        ("Filter.1.Value.1", "eni-1"),
        ("Filter.1.Value.2", "eni-2"),
        ("Filter.1.Value.3", "eni-unknown"),
    ]);
    assert_eq!(asked.form(), form);
}

#[tokio::test]
async fn the_call_is_signed_with_the_session() {
    let aws = Recorded::new([answer("")]);
    aws.cloud().interfaces.public_addresses(&["eni-1".into()]).await.unwrap();
    let headers = aws.asked()[0].headers.clone();
    let authorization = &headers["authorization"];
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/"), "{authorization}");
    assert!(authorization.contains("/eu-west-1/ec2/aws4_request, "), "{authorization}");
    for signed in ["host", "x-amz-date", "x-amz-security-token"] {
        assert!(authorization.contains(signed), "{authorization}");
    }
    assert_eq!(headers["x-amz-security-token"], "session");
    assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
}

#[tokio::test]
async fn ids_go_100_a_call_and_none_go_in_none() {
    let ids: Vec<_> = (0..201).map(|n| format!("eni-{n}")).collect();
    let aws = Recorded::new((0..3).map(|n| answer(&item(&format!("eni-{n}"), Some("203.0.113.7")))));
    let addresses = aws.cloud().interfaces.public_addresses(&ids).await.unwrap();
    assert_eq!(addresses.len(), 3);
    let sizes: Vec<_> = aws.asked().iter().map(|asked| asked.form().len() - 3).collect();
    assert_eq!(sizes, [100, 100, 1]);

    let aws = Recorded::new([]);
    assert!(aws.cloud().interfaces.public_addresses(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_endpoint_is_that_of_the_configuration() {
    let aws = Recorded::new([answer("")]);
    let config = aws.config().to_builder().endpoint_url("http://127.0.0.1:4566").build();
    Cloud::connect(&config).interfaces.public_addresses(&["eni-1".into()]).await.unwrap();
    assert_eq!(aws.asked()[0].uri, "http://127.0.0.1:4566/");
}

#[derive(Debug)]
struct Environment;

impl LoadServiceConfig for Environment {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let name = format!("{}_{}", key.env(), key.service_id());
        (name == "AWS_ENDPOINT_URL_EC2").then(|| "http://127.0.0.1:4567".to_owned())
    }
}

#[tokio::test]
async fn ec2_may_have_an_endpoint_of_its_own() {
    let aws = Recorded::new([answer("")]);
    let config = aws.config().to_builder().service_config(Environment).build();
    Cloud::connect(&config).interfaces.public_addresses(&["eni-1".into()]).await.unwrap();
    assert_eq!(aws.asked()[0].uri, "http://127.0.0.1:4567/");
}

#[tokio::test]
async fn errors_are_sorted() {
    let error = |status, code: &str| {
        Answer::Http(
            status,
            format!(
                "<?xml version=\"1.0\"?><Response><Errors><Error><Code>{code}</Code><Message>words</Message>
                </Error></Errors><RequestID>r</RequestID></Response>"
            ),
        )
    };
    type Is = fn(&CloudError) -> bool;
    let table: [(Answer, Is); 7] = [
        (error(503, "RequestLimitExceeded"), |e| matches!(e, CloudError::Throttled { .. })),
        (error(403, "UnauthorizedOperation"), |e| matches!(e, CloudError::Denied { .. })),
        (
            error(400, "InvalidParameterValue"),
            |e| matches!(e, CloudError::Refused { code, message, .. } if code == "InvalidParameterValue" && message == "words"),
        ),
        (error(500, "InternalError"), |e| matches!(e, CloudError::Unknown { .. })),
        (Answer::Http(502, "<html><body>".into()), |e| matches!(e, CloudError::Unknown { .. })),
        (Answer::Http(200, "<html><body>".into()), |e| matches!(e, CloudError::Unknown { .. })),
        (Answer::Broken, |e| matches!(e, CloudError::Unknown { .. })),
    ];
    for (answer, is_expected) in table {
        let shown = format!("{answer:?}");
        let aws = Recorded::new([answer]);
        let error = aws.cloud().interfaces.public_addresses(&["eni-1".into()]).await.unwrap_err();
        assert!(is_expected(&error), "{shown}: {error}");
        assert_eq!(aws.asked().len(), 1);
    }
}
