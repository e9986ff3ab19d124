//! `/openapi.json`: the description of all of this.

use axum::Json;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

/// One call: method, path, what it does, parameters of its query, the status of its success.
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    summary: &'static str,
    query: &'static [(&'static str, &'static str)],
    status: u16,
    answer: Answer,
    /// Whether it asks for the API's token, when one is set.
    pub(super) guarded: bool,
}

#[derive(Clone, Copy)]
enum Answer {
    Text,
    Page,
    Events,
    Json,
    Service,
}

const fn call(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    status: u16,
    answer: Answer,
) -> Call {
    Call { method, path, summary, query: &[], status, answer, guarded: true }
}

const fn open(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    status: u16,
    answer: Answer,
) -> Call {
    Call { guarded: false, ..call(method, path, summary, status, answer) }
}

const WAIT: (&str, &str) = ("wait", "answer only when it is done, or with 504 after this long, e.g. 60s");

/// Every call.
pub(super) const CALLS: &[Call] = &[
    open("get", "/healthz", "Whether it is alive", 200, Answer::Text),
    open("get", "/readyz", "Whether the first complete snapshot was read", 200, Answer::Text),
    open("get", "/openapi.json", "This description", 200, Answer::Json),
    call("get", "/metrics", "Prometheus text", 200, Answer::Text),
    call("get", "/", "The dashboard", 200, Answer::Page),
    open(
        "get",
        "/{name}",
        "Wake a service: the waiting page (503), then 303 to the service",
        303,
        Answer::Page,
    ),
    Call {
        query: &[("status", "true: only tell, do not wake")],
        ..open(
            "get",
            "/api/{name}",
            "Wake a service: 200 ready, 202 starting, 503 cannot be woken",
            200,
            Answer::Json,
        )
    },
    call("get", "/v1/services", "All services", 200, Answer::Json),
    call("get", "/v1/services/{name}", "One service", 200, Answer::Service),
    call(
        "put",
        "/v1/services/{name}",
        "Declare a service: a manifest, YAML or JSON; 201 when new",
        200,
        Answer::Service,
    ),
    call(
        "delete",
        "/v1/services/{name}",
        "Delete a service: its tasks and records end first",
        202,
        Answer::Service,
    ),
    Call {
        query: &[WAIT, ("for", "keep it awake this long at least, e.g. 2h")],
        ..call("post", "/v1/services/{name}/wake", "Wake a service; 200 with `wait`", 202, Answer::Service)
    },
    Call {
        query: &[WAIT],
        ..call(
            "post",
            "/v1/services/{name}/sleep",
            "Put a service to sleep; 200 with `wait`",
            202,
            Answer::Service,
        )
    },
    call(
        "post",
        "/v1/services/{name}/link",
        "A link that lets a browser wake a service with `access: token`, once and within 10 minutes",
        201,
        Answer::Json,
    ),
    call(
        "get",
        "/v1/services/{name}/events",
        "What happened to a service, the newest last",
        200,
        Answer::Json,
    ),
    call("get", "/v1/events", "What happened, the newest last", 200, Answer::Json),
    call(
        "get",
        "/v1/doctor",
        "Whether the installation is well, as the controller sees it",
        200,
        Answer::Json,
    ),
    call(
        "get",
        "/v1/cost",
        "What services cost awake, and what their sleep saved, by month",
        200,
        Answer::Json,
    ),
    call("get", "/v1/instances", "Instances of the group and the cluster", 200, Answer::Json),
    Call {
        query: &[("name", "only this service")],
        ..call(
            "get",
            "/v1/watch",
            "Server-sent events: `service` with each change, `deleted`",
            200,
            Answer::Events,
        )
    },
    call("get", "/.dormouse/dashboard", "The dashboard's event stream", 200, Answer::Events),
    open("get", "/.dormouse/{name}/events", "A waiting page's event stream", 200, Answer::Events),
    open("post", "/.dormouse/{name}/wake", "A waiting page's button", 303, Answer::Text),
    open("post", "/.dormouse/login", "The dashboard's login: a form with `token`", 303, Answer::Page),
    open("post", "/.dormouse/logout", "The dashboard's logout", 303, Answer::Text),
    open("post", "/v1/heartbeat", "Sidecars only, with their task's token", 200, Answer::Json),
];

/// `GET /openapi.json`.
pub(super) async fn get() -> impl IntoResponse {
    Json(document())
}

fn document() -> Value {
    let mut paths = Map::new();
    for call in CALLS {
        let path = paths.entry(call.path).or_insert_with(|| json!({}));
        path[call.method] = operation(call);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Dormouse",
            "description": "Scale-to-zero for Amazon ECS. Errors are application/problem+json (RFC 9457).",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Manifest": dormouse_manifests::schema(), "Service": service(), "Problem": problem()},
        },
    })
}

fn operation(call: &Call) -> Value {
    let mut parameters: Vec<Value> = Vec::new();
    if call.path.contains("{name}") {
        parameters.push(json!({
            "name": "name", "in": "path", "required": true, "description": "The service's name, a DNS label",
            "schema": {"type": "string", "minLength": 1, "maxLength": 63},
        }));
    }
    for (name, description) in call.query {
        parameters.push(json!({
            "name": name, "in": "query", "required": false, "description": description, "schema": {"type": "string"},
        }));
    }
    let (media, schema) = match call.answer {
        Answer::Text => ("text/plain", json!({"type": "string"})),
        Answer::Page => ("text/html", json!({"type": "string"})),
        Answer::Events => ("text/event-stream", json!({"type": "string"})),
        Answer::Json => ("application/json", json!({"type": "object"})),
        Answer::Service => ("application/json", json!({"$ref": "#/components/schemas/Service"})),
    };
    let problem = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
    let mut operation = json!({
        "summary": call.summary,
        "parameters": parameters,
        "responses": {
            call.status.to_string(): {"description": "Done", "content": {media: {"schema": schema}}},
            "default": {"description": "What was wrong", "content": problem},
        },
    });
    if call.guarded {
        operation["security"] = json!([{"token": []}]);
    }
    if call.method == "put" {
        let manifest = json!({"schema": {"$ref": "#/components/schemas/Manifest"}});
        operation["requestBody"] = json!({"required": true, "content": {"application/yaml": manifest, "application/json": manifest}});
    }
    operation
}

fn service() -> Value {
    json!({
        "type": "object",
        "description": "The manifest, defaults resolved, and `status`: what is known of the service",
        "required": ["apiVersion", "kind", "metadata", "spec", "status"],
        "properties": {
            "status": {
                "type": "object",
                "properties": {
                    "phase": {"enum": ["Asleep", "Waking", "Awake", "Draining"]},
                    "desired": {"enum": ["Asleep", "Awake"]},
                    "observedGeneration": {"type": "integer"},
                    "url": {"type": "string"},
                    "epoch": {"type": "integer"},
                    "conditions": {"type": "array", "items": {"type": "object"}},
                    "service": {"type": "object"},
                    "proxy": {"type": "object"},
                    "activity": {"type": "object"},
                    "lastWake": {"type": "object"},
                    "lastSleep": {"type": "object"},
                    "wakes": {"type": "array", "items": {"type": "integer"}},
                    "awakeUntil": {"type": "string"},
                    "sleepsBy": {"type": "string"},
                    "keptAwakeBy": {"type": "array", "items": {"type": "object"}},
                    "wakesToday": {"type": "integer"},
                    "failures": {"type": "integer"},
                    "retryAt": {"type": "string"},
                },
            },
        },
    })
}

fn problem() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "diagnostics": {"type": "array", "items": {"type": "object"}},
        },
    })
}
