//! Tables on the local AWS.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::sync::Once;

/// A table of its own for one test, deleted by nobody: the local AWS forgets it when it ends.
pub struct Table {
    pub name: String,
    pub endpoint: String,
}

impl Table {
    /// `None`, with a line that says so, when there is no local AWS to make it in.
    pub async fn create() -> Option<Table> {
        #[allow(clippy::disallowed_methods)]
        let Ok(endpoint) = std::env::var("AWS_ENDPOINT_URL") else {
            static ONCE: Once = Once::new();
            // Past the test harness, which swallows what a passing test prints.
            ONCE.call_once(|| {
                let _ = writeln!(std::io::stderr(), "skipped: AWS_ENDPOINT_URL is not set");
            });
            return None;
        };
        let name = format!("contract-{:016x}", RandomState::new().hash_one(0));
        let attribute = AttributeDefinition::builder()
            .attribute_name("serviceName")
            .attribute_type(ScalarAttributeType::S)
            .build()
            .unwrap();
        let key = KeySchemaElement::builder()
            .attribute_name("serviceName")
            .key_type(KeyType::Hash)
            .build()
            .unwrap();
        let table = Table { name, endpoint };
        let create = table.client(1).await.create_table().table_name(&table.name);
        let create = create.attribute_definitions(attribute).key_schema(key);
        create.billing_mode(BillingMode::PayPerRequest).send().await.unwrap();
        Some(table)
    }

    /// A client that tries every call this often.
    pub async fn client(&self, attempts: u32) -> Client {
        client(&self.endpoint, attempts).await
    }
}

/// A client of any endpoint.
pub async fn client(endpoint: &str, attempts: u32) -> Client {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::standard().with_max_attempts(attempts))
        .load()
        .await;
    Client::new(&config)
}
