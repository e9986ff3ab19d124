//! Every call: what it takes, and every answer that it gives.

use super::answer::Answer::{self, Events, Json, Nothing, Page, Text};
use super::answer::of;
use crate::api::{compat, cost, history, link, logs, services, templates};
use crate::doctor::Report;
use crate::plane::StandbyAnswer;
use dormouse_core::view::{EventView, InstanceView, ServiceView, TemplateView};

/// Whom a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum For {
    /// Anybody.
    All,
    /// Who shows the API's token, when one is set.
    Token,
    /// A task of ours, with its token.
    Task,
    /// Another controller, with its token.
    Controller,
}

/// What a call takes as its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Takes {
    Nothing,
    Manifest,
    Template,
    Login,
    Heartbeat,
    Report,
}

/// A parameter of a query: its name, what it does, and what is accepted.
pub(in crate::api) type Parameter = (&'static str, &'static str, Value);

/// Values that a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Value {
    /// A duration of at most an hour.
    Wait,
    /// A duration of at most 30 days.
    Long,
    Name,
    /// A part of a service that writes.
    Part,
    /// From when on lines are asked for.
    Since,
    /// So many lines.
    Lines,
    Any,
}

/// One call.
pub(in crate::api) struct Call {
    pub(in crate::api) method: &'static str,
    pub(in crate::api) path: &'static str,
    pub(super) summary: &'static str,
    pub(in crate::api) audience: For,
    pub(super) takes: Takes,
    pub(super) query: &'static [Parameter],
    /// Statuses and what comes with them.
    pub(super) answers: &'static [(u16, Answer)],
    /// Statuses of problems.
    pub(super) problems: &'static [u16],
}

const fn call(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    answers: &'static [(u16, Answer)],
    problems: &'static [u16],
) -> Call {
    Call { method, path, summary, audience: For::Token, takes: Takes::Nothing, query: &[], answers, problems }
}

const fn open(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    answers: &'static [(u16, Answer)],
    problems: &'static [u16],
) -> Call {
    Call { audience: For::All, ..call(method, path, summary, answers, problems) }
}

const WAIT: Parameter =
    ("wait", "answer only when it is done, or with 504 after this long, 1h at most", Value::Wait);
const SERVICE: Answer = Json(of::<ServiceView>);
const TEMPLATE: Answer = Json(of::<TemplateView>);
const STANDING: Answer = Json(of::<compat::Told>);
const EVENTS: Answer = Json(of::<history::Items<EventView>>);
/// What `/{name}` answers: a page, and to programs a problem.
const WAKE: &[(u16, Answer)] = &[(303, Nothing), (404, Page), (503, Page)];

/// Every call.
pub(in crate::api) const CALLS: &[Call] = &[
    open("get", "/healthz", "Whether it is alive", &[(200, Text)], &[]),
    open("get", "/readyz", "Whether the first complete snapshot was read", &[(200, Text)], &[503]),
    open("get", "/openapi.json", "This description", &[(200, Answer::Document)], &[503]),
    open("get", "/favicon.ico", "Nothing: browsers ask for it beside every page", &[(204, Nothing)], &[503]),
    open("get", "/robots.txt", "Crawlers would wake everything", &[(200, Text)], &[503]),
    call("get", "/metrics", "Prometheus text", &[(200, Text)], &[]),
    call("get", "/", "The dashboard", &[(200, Page), (401, Page)], &[503]),
    open(
        "get",
        "/{name}",
        "Wake a service: the waiting page (503), then 303 to the service",
        WAKE,
        &[401, 429, 503],
    ),
    open("get", "/{name}/", "The same", WAKE, &[401, 429, 503]),
    Call {
        query: &[("status", "true: only tell, do not wake", Value::Any)],
        ..open(
            "get",
            "/api/{name}",
            "Wake a service: 200 ready, 202 starting, 503 cannot be woken",
            &[
                (200, STANDING),
                (202, STANDING),
                (400, STANDING),
                (401, STANDING),
                (404, STANDING),
                (429, STANDING),
                (503, STANDING),
            ],
            &[],
        )
    },
    call("get", "/v1/services", "All services", &[(200, Json(of::<services::List<'_>>))], &[400, 503]),
    call("get", "/v1/services/{name}", "One service", &[(200, SERVICE)], &[400, 404, 503]),
    Call {
        takes: Takes::Manifest,
        ..call(
            "put",
            "/v1/services/{name}",
            "Declare a service: a manifest of that name, YAML or JSON; 201 when new",
            &[(200, SERVICE), (201, SERVICE)],
            &[400, 409, 413, 422, 503],
        )
    },
    call(
        "delete",
        "/v1/services/{name}",
        "Delete a service: its tasks and records end first",
        &[(202, SERVICE)],
        &[400, 404, 409, 503],
    ),
    Call {
        query: &[WAIT, ("for", "keep it awake this long at least, e.g. 2h; 30d at most", Value::Long)],
        ..call(
            "post",
            "/v1/services/{name}/wake",
            "Wake a service; 200 with `wait`",
            &[(200, SERVICE), (202, SERVICE)],
            &[400, 404, 409, 503, 504],
        )
    },
    Call {
        query: &[WAIT],
        ..call(
            "post",
            "/v1/services/{name}/sleep",
            "Put a service to sleep; 200 with `wait`",
            &[(200, SERVICE), (202, SERVICE)],
            &[400, 404, 409, 503, 504],
        )
    },
    call(
        "post",
        "/v1/services/{name}/link",
        "A link that lets a browser wake a service with `access: token`, once and within 10 minutes",
        &[(201, Json(of::<link::Link>))],
        &[400, 404, 409, 503],
    ),
    call("get", "/v1/templates", "All templates", &[(200, Json(of::<templates::List>))], &[400, 503]),
    call("get", "/v1/templates/{name}", "One template", &[(200, TEMPLATE)], &[400, 404, 503]),
    Call {
        takes: Takes::Template,
        ..call(
            "put",
            "/v1/templates/{name}",
            "Declare a template: a manifest of that name, YAML or JSON; 201 when new",
            &[(200, TEMPLATE), (201, TEMPLATE)],
            &[400, 409, 413, 422, 503],
        )
    },
    call(
        "delete",
        "/v1/templates/{name}",
        "Delete a template: its services stay until they expire",
        &[(200, TEMPLATE)],
        &[400, 404, 409, 503],
    ),
    call(
        "get",
        "/v1/services/{name}/events",
        "What happened to a service, the newest last",
        &[(200, EVENTS)],
        &[400, 404, 503],
    ),
    Call {
        query: &[
            ("container", "only this one's lines", Value::Part),
            ("since", "from when on: the last wake, if nothing else is asked for", Value::Since),
            ("tail", "so many of the newest; 10000 at most", Value::Lines),
        ],
        ..call(
            "get",
            "/v1/services/{name}/logs",
            "What a service's containers wrote, the newest last; 409 without DORMOUSE_LOG_GROUP",
            &[(200, Json(of::<logs::LogLines>))],
            &[400, 404, 409, 503],
        )
    },
    call("get", "/v1/events", "What happened, the newest last", &[(200, EVENTS)], &[400, 503]),
    call(
        "get",
        "/v1/doctor",
        "Whether the installation is well, as the controller sees it",
        &[(200, Json(of::<Report>))],
        &[400, 501, 503],
    ),
    call(
        "get",
        "/v1/cost",
        "What services cost awake, and what their sleep saved, by month",
        &[(200, Json(of::<cost::CostReport>))],
        &[400, 503],
    ),
    call(
        "get",
        "/v1/instances",
        "Instances of the group and the cluster",
        &[(200, Json(of::<history::Items<InstanceView>>))],
        &[400, 503],
    ),
    Call {
        query: &[("name", "only this service", Value::Name)],
        ..call(
            "get",
            "/v1/watch",
            "Server-sent events: `service` with each change, `deleted`, `templates`",
            &[(200, Events)],
            &[400, 503],
        )
    },
    call("get", "/.dormouse/dashboard", "The dashboard's event stream", &[(200, Events)], &[503]),
    open(
        "get",
        "/.dormouse/{name}/events",
        "A waiting page's event stream",
        &[(200, Events)],
        &[400, 404, 503],
    ),
    open(
        "post",
        "/.dormouse/{name}/wake",
        "A waiting page's button",
        &[(204, Nothing), (303, Nothing)],
        &[400, 401, 403, 404, 409, 429, 503],
    ),
    Call {
        takes: Takes::Login,
        ..open(
            "post",
            "/.dormouse/login",
            "The dashboard's login: a form with `token`",
            &[(303, Nothing), (401, Page), (429, Page)],
            &[400, 403, 413, 415, 422, 503],
        )
    },
    open("post", "/.dormouse/logout", "The dashboard's logout", &[(303, Nothing)], &[403, 503]),
    Call {
        audience: For::Task,
        takes: Takes::Heartbeat,
        ..open(
            "post",
            "/v1/heartbeat",
            "Sidecars only, with their task's token",
            &[(200, Answer::Heard)],
            &[400, 401, 413, 503],
        )
    },
    Call {
        audience: For::Controller,
        takes: Takes::Report,
        ..open(
            "post",
            "/v1/replicas",
            "Controllers that stand by only",
            &[(200, Answer::Json(of::<StandbyAnswer>))],
            &[400, 401, 409, 413],
        )
    },
];
