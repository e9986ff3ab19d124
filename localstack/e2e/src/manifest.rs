//! Services to declare.

use serde_json::{Value, json};

/// A manifest that is being written.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The service's name.
    pub name: String,
    document: Value,
}

impl Manifest {
    /// The tests' own application: it never idles, and is watched closely.
    pub fn app(name: &str) -> Manifest {
        let document = json!({
            "apiVersion": "dormouse.dev/v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {
                "image": "e2e-app:1",
                "cpu": 128,
                "memory": 64,
                "health": {"path": "/healthz", "interval": "1s", "timeout": "1s", "failures": 3, "gracePeriod": "30s"},
                "idleAfter": "never",
                "drain": "5s",
                "wake": {"hold": "60s", "rateLimit": "none"},
            },
        });
        Manifest { name: name.to_owned(), document }
    }

    /// With a field of the spec, by its path: `health.interval`.
    #[must_use]
    pub fn spec(mut self, path: &str, value: impl Into<Value>) -> Manifest {
        let place = path.split('.').fold(&mut self.document["spec"], |place, part| &mut place[part]);
        *place = value.into();
        self
    }

    /// Without a field of the spec.
    pub fn remove(&mut self, field: &str) {
        if let Some(spec) = self.document["spec"].as_object_mut() {
            spec.remove(field);
        }
    }

    /// Falls asleep after so much idleness.
    #[must_use]
    pub fn idle_after(self, after: &str) -> Manifest {
        self.spec("idleAfter", after)
    }

    /// What is in flight gets so long at the end.
    #[must_use]
    pub fn drain(self, time: &str) -> Manifest {
        self.spec("drain", time)
    }

    /// With a variable of the application.
    #[must_use]
    pub fn env(self, name: &str, value: &str) -> Manifest {
        self.spec(&format!("env.{name}"), value)
    }

    /// As JSON, which is YAML, too.
    pub const fn document(&self) -> &Value {
        &self.document
    }
}
