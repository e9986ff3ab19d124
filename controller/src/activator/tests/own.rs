//! `/.dormouse/…`: what belongs to the waiting page.

use super::rig::{Rig, echo, get, request, rig, rig_of, text, until};
use crate::activator::Limits;
use crate::testing::asleep;
use dormouse_manifests::Access;
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

async fn press(rig: &Rig, headers: &[(&'static str, &str)]) -> Response<Incoming> {
    let mut press = request("POST", "/.dormouse/wake");
    headers.iter().for_each(|(name, value)| drop(press.headers_mut().insert(*name, value.parse().unwrap())));
    rig.call(press).await
}

async fn event(response: &mut Response<Incoming>) -> Option<String> {
    let frame = response.body_mut().frame().await?.unwrap();
    Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
}

#[tokio::test]
async fn a_page_goes_as_soon_as_the_service_can_be_answered_for() {
    let rig = rig().await;
    let mut page = get("/a?b=1");
    page.headers_mut().insert("accept", "text/html".parse().unwrap());
    let html = text(rig.call(page).await).await;
    assert!(html.contains("data-events=\"/.dormouse/events\""), "{html}");
    until(|| rig.plane.wakes() == 1).await;

    let mut events = rig.call(get("/.dormouse/events")).await;
    assert_eq!(
        (events.status(), &events.headers()["content-type"]),
        (StatusCode::OK, &"text/event-stream".parse().unwrap())
    );
    assert!(event(&mut events).await.unwrap().starts_with("event: progress\ndata: "));
    until(|| rig.in_use() == 1).await;
    rig.plane.set_backend("hello", Some(echo().await.address));
    assert_eq!(event(&mut events).await.unwrap(), "event: go\ndata: now\n\n");
    assert_eq!(event(&mut events).await, None);
    until(|| rig.in_use() == 0).await;
}

#[tokio::test]
async fn nothing_of_it_reaches_the_service() {
    let rig = rig().await;
    let service = echo().await;
    rig.plane.make_ready("hello");
    rig.plane.set_backend("hello", Some(service.address));
    for (method, path, status) in [
        ("GET", "/.dormouse/events", 200),
        ("POST", "/.dormouse/events", 405),
        ("GET", "/.dormouse/wake", 405),
        ("POST", "/.dormouse/wake", 204),
        ("GET", "/.dormouse/", 404),
        ("GET", "/.dormouse/other", 404),
    ] {
        let answer = rig.call(request(method, path)).await;
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        assert_eq!(answer.headers().contains_key("allow"), status == 405, "{method} {path}");
        assert_eq!(answer.headers()["x-dormouse-state"], "awake");
    }
    assert_eq!((service.requests(), rig.plane.wakes()), (0, 0));
    assert_eq!(text(rig.call(get("/.dormouseX")).await).await, "GET /.dormouseX\n");
}

#[tokio::test]
async fn the_button_wakes_and_leads_back() {
    let rig = rig().await;
    assert_eq!(press(&rig, &[("origin", "http://evil.example")]).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(press(&rig, &[("sec-fetch-site", "cross-site")]).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(rig.plane.wakes(), 0);
    let back = press(
        &rig,
        &[
            ("origin", "http://hello.example.com"),
            ("referer", "http://hello.example.com/a?b=1"),
            ("accept", "text/html"),
        ],
    );
    let back = back.await;
    assert_eq!(
        (back.status(), &back.headers()["location"]),
        (StatusCode::SEE_OTHER, &"/a?b=1".parse().unwrap())
    );
    assert_eq!(rig.plane.wakes(), 1);
    assert_eq!(rig.plane.asked.lock().unwrap()[0].1.origin, "page");
}

#[tokio::test]
async fn the_button_of_a_guarded_service_needs_the_token_too() {
    let mut view = asleep("hello");
    view.spec.wake.access = Access::Token;
    let rig = rig_of([view], Limits::default()).await;
    assert_eq!(press(&rig, &[]).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(rig.plane.wakes(), 0);
}

#[tokio::test]
async fn pages_do_not_put_off_the_end() {
    let rig = rig().await;
    let mut events = rig.call(get("/.dormouse/events")).await;
    event(&mut events).await.unwrap();
    rig.stop.cancel();
    rig.served.await.unwrap();
    while let Some(frame) = events.body_mut().frame().await {
        frame.unwrap();
    }
}
