//! The form that asks for the API's token.

use crate::pages::asset::MARK;
use crate::pages::escape::Escaped;
use crate::pages::frame::Page;
use axum::body::Body;
use http::{Response, StatusCode};

/// The form; `wrong` says why the last try was not let in.
pub fn login(action: &str, wrong: Option<&str>) -> Response<Body> {
    let words =
        wrong.map_or_else(String::new, |why| format!("<p class=\"bad\" role=\"alert\">{}</p>", Escaped(why)));
    let body = format!(
        "<div class=\"center\"><main class=\"card\">{MARK}<h1>Dormouse</h1>\
         <p class=\"soft\">The dashboard asks for the API's token (<code>DORMOUSE_API_TOKEN</code>).</p>{words}\
         <form class=\"login\" method=\"post\" action=\"{}\"><label for=\"token\">Token</label>\
         <input id=\"token\" name=\"token\" type=\"password\" autocomplete=\"current-password\" required autofocus>\
         <button>Log in</button></form></main></div>",
        Escaped(action)
    );
    Page::new(StatusCode::UNAUTHORIZED, "Dormouse: log in", &body).answer()
}
