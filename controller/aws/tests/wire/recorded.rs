//! An AWS that gives the answers it was told, in order, and remembers what it was asked.

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use dormouse_aws::Cloud;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

/// What comes back.
#[derive(Debug)]
pub enum Answer {
    /// A status and a body.
    Http(u16, String),
    /// The connection broke.
    Broken,
    /// Nothing, in time.
    TimedOut,
}

/// When everything is answered, by AWS's clock.
const DATE: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

/// 200 with a JSON body.
pub fn json(body: Value) -> Answer {
    Answer::Http(200, body.to_string())
}

/// An error of a JSON service.
pub fn json_error(status: u16, code: &str, message: &str) -> Answer {
    Answer::Http(status, serde_json::json!({"__type": code, "message": message}).to_string())
}

/// 200 with an XML body.
pub fn xml(body: &str) -> Answer {
    Answer::Http(200, body.to_owned())
}

/// An error of Auto Scaling or Route 53.
pub fn xml_error(status: u16, code: &str, message: &str) -> Answer {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
    Answer::Http(status, format!("<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>"))
}

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub uri: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Asked {
    /// Name of the operation, of JSON services and Query ones.
    pub fn operation(&self) -> String {
        match self.headers.get("x-amz-target") {
            Some(target) => target.rsplit('.').next().unwrap().to_owned(),
            None => self.form().remove("Action").unwrap_or_default(),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Fields of a form, percent signs as they stand.
    pub fn form(&self) -> BTreeMap<String, String> {
        let pairs = self.body.split('&').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

#[derive(Debug, Clone, Default)]
pub struct Recorded {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Recorded {
    pub fn new(answers: impl IntoIterator<Item = Answer>) -> Recorded {
        let answers = Arc::new(Mutex::new(answers.into_iter().collect()));
        Recorded { answers, asked: Arc::default() }
    }

    pub fn config(&self) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "AKIAEXAMPLE",
                "secret",
                Some("session".into()),
                None,
                "test",
            )))
            .retry_config(RetryConfig::disabled())
            .http_client(self.clone())
            .build()
    }

    pub fn cloud(&self) -> Cloud {
        Cloud::connect(&self.config())
    }

    /// Everything that was asked; every answer must have been taken.
    pub fn asked(&self) -> Vec<Asked> {
        assert!(self.answers.lock().unwrap().is_empty(), "an answer was not asked for");
        self.asked.lock().unwrap().clone()
    }

    pub fn operations(&self) -> Vec<String> {
        self.asked().iter().map(Asked::operation).collect()
    }
}

impl HttpConnector for Recorded {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let headers = request.headers().iter();
        self.asked.lock().unwrap().push(Asked {
            method: request.method().to_owned(),
            uri: request.uri().to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: String::from_utf8(request.body().bytes().unwrap_or_default().to_vec()).unwrap(),
        });
        HttpConnectorFuture::ready(match self.answers.lock().unwrap().pop_front() {
            Some(Answer::Http(status, body)) => {
                let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
                response.headers_mut().insert("date", DATE);
                Ok(response)
            }
            Some(Answer::Broken) => Err(ConnectorError::io("connection reset".into())),
            Some(Answer::TimedOut) => Err(ConnectorError::timeout("no answer in time".into())),
            None => panic!("asked once too often: {:?}", self.asked.lock().unwrap().last()),
        })
    }
}

impl HttpClient for Recorded {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
