//! The controller's API, as a client.

use crate::http::{Answer, Request};
use crate::manifest::Manifest;
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A client of one controller.
#[derive(Debug, Clone, Copy)]
pub struct Api {
    address: SocketAddr,
}

impl Api {
    /// Of the controller at an address.
    pub const fn new(address: SocketAddr) -> Api {
        Api { address }
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When no answer came.
    pub fn send(
        self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        patience: Duration,
    ) -> io::Result<Answer> {
        let mut request = Request::new(method, &self.address.to_string(), path).patience(patience);
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        request.send(self.address)
    }

    /// Sends a request to a controller that is up.
    ///
    /// # Panics
    /// When no answer came.
    #[track_caller]
    pub fn call(self, method: &str, path: &str) -> Answer {
        self.send(method, path, None, Duration::from_secs(90))
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    #[track_caller]
    fn fine(self, method: &str, path: &str) -> Value {
        let answer = self.call(method, path);
        assert!(answer.status < 300, "{method} {path}: {answer}");
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    /// Declares a service.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn declare(self, manifest: &Manifest) -> Value {
        let path = format!("/v1/services/{}", manifest.name);
        let answer = self
            .send("PUT", &path, Some(manifest.document()), Duration::from_secs(30))
            .unwrap_or_else(|error| panic!("PUT {path}: {error}"));
        assert!(answer.status < 300, "PUT {path}: {answer}");
        answer.json()
    }

    /// A service.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn service(self, name: &str) -> Service {
        Service(self.fine("GET", &format!("/v1/services/{name}")))
    }

    /// A service, unless it or the controller is not there.
    ///
    /// # Errors
    /// What is there instead.
    pub fn find(self, name: &str) -> Result<Service, String> {
        let path = format!("/v1/services/{name}");
        let answer =
            self.send("GET", &path, None, Duration::from_secs(20)).map_err(|error| error.to_string())?;
        if answer.status == 200 { Ok(Service(answer.json())) } else { Err(answer.to_string()) }
    }

    /// Asks for a wake, without waiting.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn wake(self, name: &str) -> Value {
        self.fine("POST", &format!("/v1/services/{name}/wake"))
    }

    /// Asks for sleep, without waiting.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn sleep(self, name: &str) -> Value {
        self.fine("POST", &format!("/v1/services/{name}/sleep"))
    }

    /// Deletes a service.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn delete(self, name: &str) {
        self.fine("DELETE", &format!("/v1/services/{name}"));
    }

    /// What happened to a service.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn events(self, name: &str) -> Value {
        self.fine("GET", &format!("/v1/services/{name}/events"))
    }

    /// What its containers wrote.
    ///
    /// # Panics
    /// When it is not told.
    #[track_caller]
    pub fn logs(self, name: &str) -> Value {
        self.fine("GET", &format!("/v1/services/{name}/logs"))
    }

    /// Whether the installation is well, as the controller sees it.
    ///
    /// # Panics
    /// When it does not say.
    #[track_caller]
    pub fn doctor(self) -> Value {
        self.fine("GET", "/v1/doctor")
    }

    /// The instances.
    ///
    /// # Panics
    /// When they cannot be listed.
    #[track_caller]
    pub fn instances(self) -> Value {
        self.fine("GET", "/v1/instances")
    }
}

/// A service as the API shows it.
#[derive(Debug, Clone)]
pub struct Service(pub Value);

impl Service {
    /// `Asleep`, `Waking`, `Awake` or `Draining`.
    pub fn phase(&self) -> &str {
        self.0["status"]["phase"].as_str().unwrap_or_default()
    }

    /// The wake epoch.
    pub fn epoch(&self) -> u64 {
        self.0["status"]["epoch"].as_u64().unwrap_or_default()
    }

    /// A condition, null when it is not there.
    pub fn condition(&self, kind: &str) -> &Value {
        let conditions = self.0["status"]["conditions"].as_array();
        conditions.into_iter().flatten().find(|one| one["type"] == kind).unwrap_or(&Value::Null)
    }

    /// Whether a condition is true.
    pub fn is(&self, kind: &str) -> bool {
        self.condition(kind)["status"] == "True"
    }

    /// A condition's reason and message.
    pub fn why(&self, kind: &str) -> (String, String) {
        let text = |field: &str| self.condition(kind)[field].as_str().unwrap_or_default().to_owned();
        (text("reason"), text("message"))
    }
}
