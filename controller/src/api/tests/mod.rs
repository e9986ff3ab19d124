//! The API, called without a listener, over a fake control plane.

mod calls;
mod dashboard;
mod described;
mod faces;
mod following;
mod hostile;
mod logs;
mod roles;
mod rules;
mod watch;

use crate::api::{Options, router};
use crate::plane::Plane;
use crate::testing::FakePlane;
use crate::waker::Waker;
use axum::Router;
use axum::body::Body;
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use std::sync::Arc;
use tower::ServiceExt as _;

pub(super) const TOKEN: &str = "an-api-token";

pub(super) fn api_with(plane: &Arc<FakePlane>, options: Options) -> Router {
    let plane: Arc<dyn Plane> = Arc::<FakePlane>::clone(plane);
    router(Arc::clone(&plane), Waker::new(plane), options)
}

pub(super) fn api(plane: &Arc<FakePlane>) -> Router {
    api_with(plane, Options::default())
}

pub(super) fn request(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder().method(method).uri(path).body(body.into()).unwrap()
}

pub(super) async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

pub(super) async fn call(router: &Router, method: &str, path: &str, body: &str) -> (StatusCode, Value) {
    let response = router.clone().oneshot(request(method, path, body.to_owned())).await.unwrap();
    let status = response.status();
    let json = response.headers()[header::CONTENT_TYPE].to_str().unwrap().contains("json");
    assert!(json, "{path}");
    (status, serde_json::from_str(&text(response).await).unwrap())
}

pub(super) async fn get(router: &Router, path: &str) -> Response<Body> {
    router.clone().oneshot(request("GET", path, "")).await.unwrap()
}
