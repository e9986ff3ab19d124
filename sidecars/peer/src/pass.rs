//! What lets a browser wake a service that asks for a token: a link that is good once, and the cookie that it sets.
//! Neither is any business of the service's: both are taken out of requests before they reach it.

/// The parameter of a link's query.
pub const PARAMETER: &str = "dormouse_token";
/// The cookie's name.
pub const COOKIE: &str = "dormouse_pass";

/// The value of a cookie in a `Cookie` header.
pub fn cookie<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    pairs(header, ';')
        .find_map(|pair| pair.split_once('=').filter(|(own, _)| *own == name))
        .map(|(_, value)| value)
}

/// A `Cookie` header without ours; `None` when nothing is left of it.
pub fn without_cookie(header: &str) -> Option<String> {
    let kept: Vec<&str> = pairs(header, ';').filter(|pair| !is_named(pair, COOKIE)).collect();
    (!kept.is_empty()).then(|| kept.join("; "))
}

/// The value of our parameter in a query.
pub fn parameter(query: &str) -> Option<&str> {
    query
        .split('&')
        .find_map(|pair| pair.split_once('=').filter(|(own, _)| *own == PARAMETER))
        .map(|(_, value)| value)
}

/// A path and query without our parameter.
pub fn without_parameter(path_and_query: &str) -> String {
    let Some((path, query)) = path_and_query.split_once('?') else { return path_and_query.to_owned() };
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_named(pair, PARAMETER)).collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

fn pairs(text: &str, separator: char) -> impl Iterator<Item = &str> {
    text.split(separator).map(str::trim).filter(|pair| !pair.is_empty())
}

fn is_named(pair: &str, name: &str) -> bool {
    pair.split('=').next() == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies() {
        for (header, value, rest) in [
            ("dormouse_pass=x", Some("x"), None),
            ("a=1; dormouse_pass=x; b=2", Some("x"), Some("a=1; b=2")),
            ("a=1;dormouse_pass=x=y;;b", Some("x=y"), Some("a=1; b")),
            ("dormouse_pass=x; dormouse_pass=y", Some("x"), None),
            ("a=dormouse_pass=x; xdormouse_pass=1", None, Some("a=dormouse_pass=x; xdormouse_pass=1")),
            ("dormouse_pass", None, None),
            ("", None, None),
        ] {
            assert_eq!(cookie(header, COOKIE), value, "{header}");
            assert_eq!(without_cookie(header).as_deref(), rest, "{header}");
        }
    }

    #[test]
    fn parameters() {
        for (whole, value, rest) in [
            ("/?dormouse_token=x", Some("x"), "/"),
            ("/a?b=c&dormouse_token=x&d", Some("x"), "/a?b=c&d"),
            ("/a?xdormouse_token=x", None, "/a?xdormouse_token=x"),
            ("/a?b=%26dormouse_token=x", None, "/a?b=%26dormouse_token=x"),
            ("/a?dormouse_token", None, "/a"),
            ("/a?", None, "/a?"),
            ("/a", None, "/a"),
        ] {
            let query = whole.split_once('?').map_or("", |(_, query)| query);
            assert_eq!(parameter(query), value, "{whole}");
            assert_eq!(without_parameter(whole), rest, "{whole}");
        }
    }
}
