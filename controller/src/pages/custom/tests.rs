use super::*;
use crate::pages::{Paths, waiting};
use crate::testing::{NOW, asleep};
use dormouse_manifests::Diagnostic;
use http_body_util::BodyExt as _;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const PAGE: &str = "<!doctype html>
<html lang=\"en\">
<head><meta charset=\"utf-8\"><title>{{ title }} | Acme</title>
<style>.card{border-radius:0}</style></head>
<body class=\"x\"><h2 title=\"{{name}}\">Acme</h2>{{ live }}<a href=\"{{ url }}\">{{ url }}</a></body>
</html>
";

fn with(files: &[(&str, &str)]) -> (TempDir, Result<Custom, Vec<Diagnostic>>) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let custom = Custom::load(directory.path());
    (directory, custom)
}

async fn shown(custom: &Custom, view: &ServiceView) -> (String, String) {
    let paths = Paths { events: "/.dormouse/events".into(), wake: "/.dormouse/wake".into() };
    let response = waiting(view, custom, &paths, NOW.parse().unwrap());
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "2");
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (policy, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_page_is_filled_with_values_that_stay_texts() {
    let (_directory, custom) = with(&[("waiting.html", PAGE), ("theme.css", "body{font-family:serif}")]);
    let custom = custom.unwrap();
    let mut view = asleep("hello");
    view.spec.wake.theme.title = Some("<b>\"R&D\"</b>".into());
    let (policy, html) = shown(&custom, &view).await;
    assert!(html.contains("<title>&lt;b&gt;&quot;R&amp;D&quot;&lt;/b&gt; | Acme</title>"), "{html}");
    assert!(html.contains("<h2 title=\"hello\">Acme</h2>"), "{html}");
    assert!(html.contains("&lt;b&gt;&quot;R&amp;D&quot;&lt;/b&gt; is waking up</h1>"), "{html}");
    assert!(!html.contains("<b>\"R") && !html.contains("{{"), "{html}");
    // What the built-in page has, and in an order in which its own styles win.
    let at = |part: &str| html.find(part).unwrap_or_else(|| panic!("{part}: {html}"));
    assert!(at("<html data-now=\"") < at("lang=\"en\""));
    assert!(at("<head><meta name=\"robots\"") < at("http-equiv=\"refresh\""));
    assert!(
        at(":root{") < at("body{font-family:serif}")
            && at("font-family:serif") < at(".card{border-radius:0}")
    );
    assert!(
        at("data-events=\"/.dormouse/events\"") < at("id=\"steps\"") && at("id=\"steps\"") < at("<script>")
    );
    assert!(html.ends_with("</script></body>\n</html>\n"), "{html}");
    let own = crate::pages::asset::hash(".card{border-radius:0}");
    assert!(policy.contains(&format!(" '{own}'; script-src 'sha256-")), "{policy}");
    assert!(!policy.contains("unsafe") && policy.starts_with("default-src 'none'; style-src 'sha256-"));
}

#[tokio::test]
async fn a_service_has_the_page_that_it_names_or_its_own_or_everyones() {
    let page = |word: &str| PAGE.replace("Acme", word);
    let (everyones, own, team) = (page("everyone's"), page("its own"), page("the team's"));
    let (_directory, custom) =
        with(&[("waiting.html", &everyones), ("hello.html", &own), ("team.html", &team), (".git", "x")]);
    let custom = custom.unwrap();
    assert_eq!(custom.names().collect::<Vec<_>>(), ["hello", "team", "waiting"]);
    for (service, named, word) in [
        ("other", None, "everyone's"),
        ("hello", None, "its own"),
        ("hello", Some("team"), "the team's"),
        ("other", Some("gone"), "everyone's"),
        ("hello", Some("gone"), "its own"),
    ] {
        let mut view = asleep(service);
        view.spec.wake.theme.page = named.map(str::to_owned);
        let (_, html) = shown(&custom, &view).await;
        assert!(html.contains(&format!("| {word}</title>")), "{service} {named:?}: {html}");
    }
    let (_, html) = shown(&Custom::default(), &asleep("hello")).await;
    assert!(html.contains("<footer>It sleeps"), "the built-in one");
}

#[tokio::test]
async fn a_colour_of_its_own_is_in_the_policy() {
    let mut view = asleep("hello");
    view.spec.wake.theme.accent = Some("#0b7285".into());
    let (policy, html) = shown(&Custom::default(), &view).await;
    let style = html.split("<style>").find(|style| style.starts_with(":root{--accent:#0b7285}")).unwrap();
    let style = style.split("</style>").next().unwrap();
    assert!(style.contains("prefers-color-scheme:dark"), "{style}");
    assert!(policy.contains(&crate::pages::asset::hash(style)), "{policy}");
}

/// What is said of a page that has this in its body.
fn body(part: &str) -> Vec<String> {
    let text = PAGE.replace("<h2 title=\"{{name}}\">Acme</h2>", part);
    said(&[("waiting.html", &text)])
}

fn said(files: &[(&str, &str)]) -> Vec<String> {
    let (directory, custom) = with(files);
    let folder = format!("{}/", directory.path().display());
    let drawn = |diagnostic: &Diagnostic| diagnostic.to_string().replace(&folder, "");
    custom.err().unwrap_or_default().iter().map(drawn).collect()
}

#[test]
fn what_would_not_work_is_told_with_its_place() {
    for (part, column, words, help) in [
        ("{{ nmae }}", 17, "there is no value `nmae`", "{{ name }}, {{ title }}, {{ url }} and {{ live }}"),
        ("{{ name", 17, "`{{` does not end in its line", "expected `}}` after it"),
        ("<p title={{name}}>", 26, "a value cannot stand here in a tag", "within quotes"),
        ("<p {{name}}>", 20, "a value cannot stand here in a tag", "within quotes"),
        ("<p title=\"{{ live }}\">", 27, "`{{ live }}` cannot stand in an attribute", "between tags"),
        ("<style>p{color:{{ name }}}</style>", 32, "a value cannot stand in a style", "the same for all"),
        ("<script>alert(1)</script>", 18, "`<script>` has no place in a page", "no script but"),
        ("<SCRIPT src=x></script>", 18, "`<script>` has no place in a page", "no script but"),
        ("<iframe></iframe>", 18, "`<iframe>` has no place in a page", "nothing is framed"),
        ("<form></form>", 18, "`<form>` has no place in a page", "tries again"),
        ("<base href='/x'>", 18, "`<base>` has no place in a page", ""),
        ("<link rel=stylesheet href=x>", 18, "`<link>` is for the page's icon only", "theme.css"),
        (
            "<meta http-equiv=refresh content=1>",
            23,
            "`<meta http-equiv>` has no place",
            "asks again by itself",
        ),
        ("<p style=\"color:red\">", 20, "a `style` attribute does nothing", "a rule in `<style>`"),
        ("<p OnClick='x()'>", 20, "`onclick` does nothing in a page", ""),
        ("<p id=\"steps\">", 24, "the id `steps` is taken", "mark, title, lead"),
        ("<img src=\"https://x/y.png\">", 27, "`src` of `<img>` is not within the page", "`data:` address"),
        ("<img src=/logo.png>", 26, "`src` of `<img>` is not within the page", "`data:` address"),
        ("<svg><use href='/x.svg#a'/></svg>", 33, "`href` of `<use>` is not within the page", ""),
        ("<a href=' javascript:x()'>", 26, "this link does nothing in a page", ""),
        ("<style>@import 'x';</style>", 24, "`@import` does nothing", ""),
        (
            "<style>p{background:url( \"//x\")}</style>",
            37,
            "`url(…)` is not within the page",
            "`data:` address",
        ),
        ("<!-- never ends", 17, "a comment does not end", "it begins here"),
        ("<p title='never ends>", 20, "an attribute's value does not end", ""),
        ("<title>never ends", 18, "a tag's text does not end", ""),
        ("{{ live }}", 27, "`{{ live }}` stands in the page twice", "the second one"),
        ("</body>", 0, "the page has `</body>` more than once", ""),
    ] {
        let said = body(part);
        let place = match column {
            0 => "--> waiting.html:5:".to_owned(),
            column => format!("--> waiting.html:5:{column}\n"),
        };
        let [one] = said.as_slice() else { panic!("{part}: {said:?}") };
        assert!(one.contains(words) && one.contains(&place) && one.contains(help), "{part}: {one}");
    }
}

#[test]
fn what_works_is_left_alone() {
    for part in [
        "<img src=\"data:image/png;base64,AAAA\" alt=''><p>{ one } < two &#123;&#123; name &#125;&#125;</p>",
        "<!-- {{ nothing }} <script> --><link rel=icon href=\"data:,\"><a href=\"https://example.com/status\">status</a>",
        "<svg viewBox='0 0 1 1'><path id=\"logo\" d='M0 0'/><use href=\"#logo\"/></svg><style>p{fill:url(#a)}</style>",
    ] {
        assert_eq!(body(part), Vec::<String>::new(), "{part}");
    }
}

#[test]
fn a_page_has_what_the_built_in_parts_go_by() {
    for (text, words) in [
        ("", "the page has no `<html>`"),
        ("<html><head></head><body></body></html>", "the page has no `{{ live }}`"),
        ("<html><head>{{ live }}</head><body></body></html>", "`{{ live }}` cannot stand in the head"),
        ("<html><body>{{ live }}</body></html>", "the page has no `<head>`"),
        ("<html><head></head><body>{{ live }}</html>", "the page has no `</body>`"),
    ] {
        let said = said(&[("waiting.html", text)]);
        assert!(said.iter().any(|one| one.contains(words)), "{text}: {said:?}");
    }
}

#[test]
fn files_of_other_kinds_and_sizes_are_told() {
    let large = PAGE.replace("Acme", &"x".repeat(70_000));
    let said = said(&[
        ("Waiting.html", PAGE),
        ("big.html", &large),
        ("logo.png", "x"),
        ("theme.css", "@import 'x'"),
        ("waiting.html", PAGE),
    ]);
    let words = ["Waiting.html", "big.html", "logo.png", "theme.css"];
    assert_eq!(said.len(), 4, "{said:?}");
    for (said, word) in said.iter().zip(words) {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(said[1].contains("bytes, and may have 65536") && said[2].contains("NAME.html"), "{said:?}");
    let none = Custom::load(Path::new("/no/such")).unwrap_err();
    assert!(none[0].to_string().contains("cannot be read"), "{}", none[0]);
}

#[test]
fn lines_of_other_systems_have_the_hash_that_browsers_reckon() {
    let (_directory, custom) =
        with(&[("waiting.html", &PAGE.replace("{border", "{\nborder").replace('\n', "\r\n"))]);
    let hash = crate::pages::asset::hash(".card{\nborder-radius:0}");
    assert_eq!(custom.unwrap().pages["waiting"].hashes, [hash]);
}

#[test]
fn the_examples_are_good() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/examples/pages");
    let custom = Custom::load(&examples).unwrap_or_else(|wrong| panic!("{}", wrong[0]));
    assert!(custom.of(&asleep("anything")).is_some());
}
