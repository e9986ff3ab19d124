//! The dashboard.

use super::following::event;
use super::{TOKEN, api, api_with, get, text};
use crate::api::Options;
use crate::config::Secret;
use crate::testing::{FakePlane, asleep, awake};
use crate::tokens::Tokens;
use axum::Router;
use axum::body::Body;
use dormouse_state::Phase;
use http::{Request, Response, StatusCode, header};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

async fn send(router: &Router, request: http::request::Builder, body: &str) -> Response<Body> {
    router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap()
}

fn proof(html: &str) -> &str {
    let (_, rest) = html.split_once("<meta name=\"proof\" content=\"").unwrap();
    rest.split_once('"').unwrap().0
}

#[tokio::test]
async fn its_buttons_prove_that_they_are_its_own() {
    let plane = FakePlane::new([asleep("a")]);
    let router = api(&plane);
    let html = text(get(&router, "/").await).await;
    let proof = proof(&html);
    assert_eq!(proof.len(), 32);
    let wake = |site: &str| Request::post("/v1/services/a/wake?for=2h").header("sec-fetch-site", site);
    for wrong in [
        wake("same-origin"),
        wake("same-origin").header("x-dormouse-proof", "0"),
        wake("cross-site").header("x-dormouse-proof", proof),
        Request::post("/v1/services/a/wake").header("origin", "http://a").header("host", "a"),
        Request::post("/v1/services/a/wake").header("origin", "null").header("x-dormouse-proof", proof),
    ] {
        assert_eq!(send(&router, wrong, "").await.status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(plane.wakes(), 0);
    let right = wake("same-origin").header("x-dormouse-proof", proof);
    assert_eq!(send(&router, right, "").await.status(), StatusCode::ACCEPTED);
    assert_eq!(plane.asked.lock().unwrap()[0].2, Some(std::time::Duration::from_secs(7200)));
    let script = Request::post("/v1/services/a/sleep");
    assert_eq!(send(&router, script, "").await.status(), StatusCode::ACCEPTED, "no browser, no proof");
}

#[tokio::test]
async fn with_a_token_one_logs_in() {
    let plane = FakePlane::new([asleep("a")]);
    let router =
        api_with(&plane, Options { tokens: Tokens::admin(Secret::new(TOKEN)), ..Options::default() });
    let open = |cookie: &str| Request::get("/").header("accept", "text/html,*/*").header("cookie", cookie);
    let form = send(&router, open(""), "").await;
    assert_eq!(form.status(), StatusCode::UNAUTHORIZED);
    let html = text(form).await;
    assert!(html.contains("action=\"/.dormouse/login\"") && !html.contains("<tr"), "{html}");

    let login = || {
        Request::post("/.dormouse/login")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
    };
    let wrong = send(&router, login(), "token=guess").await;
    assert_eq!((wrong.status(), wrong.headers().get("set-cookie")), (StatusCode::UNAUTHORIZED, None));
    assert!(text(wrong).await.contains("not the token"));
    let mut elsewhere = login();
    elsewhere.headers_mut().unwrap().insert("sec-fetch-site", "cross-site".parse().unwrap());
    assert_eq!(send(&router, elsewhere, &format!("token={TOKEN}")).await.status(), StatusCode::FORBIDDEN);

    let right = send(&router, login(), &format!("token={TOKEN}")).await;
    assert_eq!(
        (right.status(), &right.headers()[header::LOCATION]),
        (StatusCode::SEE_OTHER, &"/".parse().unwrap())
    );
    let cookie = right.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict") && !cookie.contains(TOKEN), "{cookie}");
    let secure = send(&router, login().header("x-forwarded-proto", "https"), &format!("token={TOKEN}")).await;
    assert!(secure.headers()["set-cookie"].to_str().unwrap().ends_with("; Secure"));
    let cookie = cookie.split(';').next().unwrap().to_owned();

    let page = send(&router, open(&cookie), "").await;
    assert_eq!(page.status(), StatusCode::OK);
    let html = text(page).await;
    assert!(html.contains("Log out"));
    let wake = || Request::post("/v1/services/a/wake").header("cookie", &cookie);
    assert_eq!(
        send(&router, wake(), "").await.status(),
        StatusCode::FORBIDDEN,
        "a cookie alone proves nothing"
    );
    let proven = wake().header("x-dormouse-proof", proof(&html));
    assert_eq!(send(&router, proven, "").await.status(), StatusCode::ACCEPTED);
    assert_eq!(send(&router, open("dormouse=0"), "").await.status(), StatusCode::UNAUTHORIZED);
    let logout = send(&router, Request::post("/.dormouse/logout"), "").await;
    assert!(logout.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
}

#[tokio::test(start_paused = true)]
async fn it_is_told_of_what_changes_and_of_nothing_else() {
    let plane = FakePlane::new([asleep("a"), awake("b")]);
    let stop = CancellationToken::new();
    let router = api_with(&plane, Options { stop: stop.clone(), ..Options::default() });
    let mut body = get(&router, "/.dormouse/dashboard").await.into_body();
    let (mut rows, mut panels) = (Vec::new(), 0);
    while rows.len() < 2 || panels < 2 {
        match event(&mut body).await.unwrap() {
            (name, data) if name == "row" => rows.push(data),
            (name, data) => {
                assert!(name == "panel" && data.starts_with("<section id="), "{name} {data}");
                panels += 1;
            }
        }
    }
    assert!(rows[0].starts_with("a <tr id=\"s-a\"") && rows[1].starts_with("b <tr id=\"s-b\""), "{rows:?}");

    for count in 0..3 {
        plane.update("a", |view| {
            view.status.phase = Phase::Waking;
            view.status.activity.in_flight = count;
        });
    }
    let (name, row) = event(&mut body).await.unwrap();
    assert_eq!(name, "row");
    assert!(row.starts_with("a <tr") && row.contains("data-state=\"waking\""), "the newest only: {row}");
    plane.remove("a");
    assert_eq!(event(&mut body).await.unwrap(), ("deleted".into(), "a".into()));
    // More than the channel keeps.
    for count in 0..100 {
        plane.update("b", |view| view.status.activity.in_flight = count);
    }
    assert!(event(&mut body).await.unwrap().1.starts_with("b <tr"));
    stop.cancel();
    assert_eq!(event(&mut body).await, None);
}

#[tokio::test(start_paused = true)]
async fn the_token_cannot_be_guessed_by_trying() {
    let plane = FakePlane::new([asleep("a")]);
    let router =
        api_with(&plane, Options { tokens: Tokens::admin(Secret::new(TOKEN)), ..Options::default() });
    let login =
        || Request::post("/.dormouse/login").header("content-type", "application/x-www-form-urlencoded");
    for _ in 0..10 {
        assert_eq!(send(&router, login(), "token=guess").await.status(), StatusCode::UNAUTHORIZED);
    }
    let refused = send(&router, login(), &format!("token={TOKEN}")).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS, "even with the right one");
    assert_eq!(refused.headers()["retry-after"], "7");
    assert_eq!(refused.headers().get("set-cookie"), None);
    tokio::time::advance(std::time::Duration::from_secs(7)).await;
    let right = send(&router, login(), &format!("token={TOKEN}")).await;
    assert_eq!(right.status(), StatusCode::SEE_OTHER);
}
