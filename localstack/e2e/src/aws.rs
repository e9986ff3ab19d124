//! Calls of somebody else than Dormouse. The local AWS looks at the key in a signature, never at the signature.

use crate::http::{Answer, Request};
use serde_json::Value;
use std::net::SocketAddr;

/// An account's user who is not Dormouse.
#[derive(Debug, Clone, Copy)]
pub struct Aws {
    address: SocketAddr,
}

const KEY: &str = "AKIALOCALSOMEBODY000";

impl Aws {
    /// At the local AWS's address.
    pub const fn new(address: SocketAddr) -> Aws {
        Aws { address }
    }

    fn request(method: &str, target: &str, service: &str) -> Request {
        let scope = format!("{KEY}/20260101/us-east-1/{service}/aws4_request");
        Request::new(method, &format!("{service}.us-east-1.amazonaws.com"), target).header(
            "Authorization",
            &format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
        )
    }

    #[track_caller]
    fn send(self, request: &Request) -> Answer {
        let answer = request.send(self.address).unwrap_or_else(|error| panic!("{}: {error}", request.target));
        assert!(answer.status < 300, "{} {}: {answer}", request.method, request.target);
        answer
    }

    /// A call of ECS.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn ecs(self, operation: &str, parameters: &Value) -> Value {
        let request = Aws::request("POST", "/", "ecs")
            .header("X-Amz-Target", &format!("AmazonEC2ContainerServiceV20141113.{operation}"))
            .header("Content-Type", "application/x-amz-json-1.1")
            .body(parameters.to_string());
        self.send(&request).json()
    }

    /// A call of DynamoDB.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn dynamodb(self, operation: &str, parameters: &Value) -> Value {
        let request = Aws::request("POST", "/", "dynamodb")
            .header("X-Amz-Target", &format!("DynamoDB_20120810.{operation}"))
            .header("Content-Type", "application/x-amz-json-1.0")
            .body(parameters.to_string());
        self.send(&request).json()
    }

    /// A call of Auto Scaling, with flat parameters.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn autoscaling(self, operation: &str, parameters: &[(&str, &str)]) -> String {
        self.query("autoscaling", "2011-01-01", operation, parameters)
    }

    /// A call of EC2, with flat parameters.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn ec2(self, operation: &str, parameters: &[(&str, &str)]) -> String {
        self.query("ec2", "2016-11-15", operation, parameters)
    }

    /// A call of CloudFormation, with flat parameters.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn cloudformation(self, operation: &str, parameters: &[(&str, &str)]) -> String {
        self.query("cloudformation", "2010-05-15", operation, parameters)
    }

    /// A call of a service that speaks JSON: `AmazonSSM.PutParameter`.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn json(self, service: &str, target: &str, parameters: &Value) -> Value {
        let request = Aws::request("POST", "/", service)
            .header("X-Amz-Target", target)
            .header("Content-Type", "application/x-amz-json-1.1")
            .body(parameters.to_string());
        self.send(&request).json()
    }

    #[track_caller]
    fn query(self, service: &str, version: &str, operation: &str, parameters: &[(&str, &str)]) -> String {
        let mut body = format!("Action={operation}&Version={version}");
        for (name, value) in parameters {
            body.push_str(&format!("&{name}={value}"));
        }
        let request = Aws::request("POST", "/", service)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(body);
        self.send(&request).text()
    }

    /// Changes one record set of a zone: `CREATE`, `DELETE` or `UPSERT`.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn change_record(self, zone: &str, action: &str, name: &str, kind: &str, ttl: u32, values: &[&str]) {
        let values: String = values
            .iter()
            .map(|value| format!("<ResourceRecord><Value>{value}</Value></ResourceRecord>"))
            .collect();
        let body = format!(
            "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch>\
             <Changes><Change><Action>{action}</Action><ResourceRecordSet><Name>{name}</Name><Type>{kind}</Type>\
             <TTL>{ttl}</TTL><ResourceRecords>{values}</ResourceRecords></ResourceRecordSet></Change></Changes>\
             </ChangeBatch></ChangeResourceRecordSetsRequest>"
        );
        let request =
            Aws::request("POST", &format!("/2013-04-01/hostedzone/{zone}/rrset/"), "route53").body(body);
        self.send(&request);
    }
}
