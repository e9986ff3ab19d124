//! What a text must be to be a name, an ARN, a duration …, and what to say when it is not.

use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZoneDatabase;

use crate::duration::{DurationError, FORMS, parse_duration};
use crate::node::shorten;
use crate::rate::{self, RateLimit};
use crate::read::Complaint;
use crate::suggest;
use crate::types::IdleAfter;
use crate::window::{Days, DaysError, parse_clock};

type Check = Result<(), Complaint>;

/// Longest DNS label (RFC 1035).
const LABEL_LENGTH: usize = 63;

/// A service's name: it becomes a DNS label.
pub(crate) fn name(text: &str) -> Check {
    let shown = shorten(text);
    let complain = |label: &str| {
        let complaint = Complaint::new(format!("the name `{shown}` is not a DNS label"), label);
        let fixed = label_of(text);
        Err(if fixed.is_empty() {
            complaint.help("use lower-case letters, digits and hyphens, such as `hello`")
        } else {
            complaint.help(format!("did you mean `{fixed}`?"))
        })
    };
    if text.is_empty() {
        return complain("it is empty");
    }
    if text.len() > LABEL_LENGTH {
        let count = text.chars().count();
        return complain(&format!("{count} characters, {LABEL_LENGTH} are the most"));
    }
    if text.chars().any(char::is_uppercase) {
        return complain("upper case is not allowed");
    }
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if let Some(other) = text.chars().find(|c| !allowed(*c)) {
        return complain(&format!(
            "`{}` is not allowed: only a to z, 0 to 9 and `-` are",
            other.escape_debug()
        ));
    }
    if text.starts_with('-') || text.ends_with('-') {
        return complain("it starts or ends with `-`");
    }
    Ok(())
}

/// Names that a template is for: a name with one `*` in it.
pub(crate) fn name_pattern(text: &str) -> Check {
    let complain = |label: &str| {
        let complaint = Complaint::new(format!("`match` cannot be `{}`", shorten(text)), label);
        Err(complaint.help("write names with one `*`, such as `preview-*`"))
    };
    match text.matches('*').count() {
        1 => {}
        0 => return complain("there is no `*` in it"),
        _ => return complain("there is more than one `*` in it"),
    }
    let one = text.replace('*', "1");
    match name(&one) {
        Err(_) if one.len() > LABEL_LENGTH => complain("no name is that long"),
        Err(complaint) => complain(&complaint.label),
        Ok(()) => Ok(()),
    }
}

/// The nearest text that is a label; empty when nothing of it is left.
fn label_of(text: &str) -> String {
    let mut label = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            label.push(c);
        } else if !label.ends_with('-') && !label.is_empty() {
            label.push('-');
        }
        if label.len() == LABEL_LENGTH {
            break;
        }
    }
    label.trim_end_matches('-').to_owned()
}

/// A name that others may have declared.
pub(crate) fn dependency(text: &str) -> Check {
    name(text)
}

pub(crate) fn image(text: &str) -> Check {
    if text.is_empty() || text.chars().any(char::is_whitespace) {
        return Err(Complaint::new(
            format!("`{}` is not a container image", shorten(text)),
            "it is empty or has blanks in it",
        )
        .help("write it as for `docker pull`, such as `public.ecr.aws/nginx/nginx:1.27`"));
    }
    Ok(())
}

pub(crate) fn task_definition(text: &str) -> Check {
    let complaint = |label: &str| {
        Complaint::new(format!("`{}` is not a task definition", shorten(text)), label)
            .help("write `family`, `family:revision` or the ARN")
    };
    let name = if text.starts_with("arn:") {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", partition, "ecs", region, account, resource]
                if partition.starts_with("aws") && !region.is_empty() && is_account(account) =>
            {
                resource
                    .strip_prefix("task-definition/")
                    .ok_or_else(|| complaint("the ARN is not one of a task definition"))?
            }
            _ => return Err(complaint("the ARN is not one of a task definition")),
        }
    } else {
        text
    };
    let (family, revision) = match name.split_once(':') {
        Some((family, revision)) => (family, Some(revision)),
        None => (name, None),
    };
    if !is_ecs_name(family) {
        return Err(complaint("a family is 1 to 255 letters, digits, `-` and `_`"));
    }
    let whole =
        |text: &str| !text.is_empty() && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    if revision.is_some_and(|revision| !whole(revision)) {
        return Err(complaint("the revision is not a number from 1 on"));
    }
    Ok(())
}

fn is_ecs_name(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

pub(crate) fn container(text: &str) -> Check {
    if is_ecs_name(text) {
        return Ok(());
    }
    Err(Complaint::new(
        format!("`{}` is not the name of a container", shorten(text)),
        "expected 1 to 255 letters, digits, `-` and `_`",
    ))
}

/// As Kubernetes has it: what shells accept, and dots and hyphens for those who read properties.
pub(crate) fn env_name(text: &str) -> Check {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if !text.is_empty() && !text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(allowed) {
        return Ok(());
    }
    Err(Complaint::new(
        format!("`{}` is not the name of a variable", shorten(text)),
        "expected letters, digits, `_`, `.` and `-`, the first no digit",
    ))
}

pub(crate) fn anything(_: &str) -> Check {
    Ok(())
}

/// Environment variables end at the first NUL.
pub(crate) fn env_value(text: &str) -> Check {
    if text.contains('\0') {
        return Err(Complaint::new("a variable's value cannot hold a NUL character", "there is one in it"));
    }
    Ok(())
}

pub(crate) fn secret(text: &str) -> Check {
    const HELP: &str = "write the ARN of a secret, `arn:aws:secretsmanager:<region>:<account>:secret:<name>`, of a parameter, `arn:aws:ssm:<region>:<account>:parameter/<name>`, or a parameter's name";
    let complain = |label: &str| {
        Err(Complaint::new(format!("`{}` does not name a secret", shorten(text)), label).help(HELP))
    };
    if !text.starts_with("arn:") {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
        if text.is_empty() || !text.bytes().all(allowed) {
            return complain("neither an ARN nor the name of a parameter");
        }
        return Ok(());
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [_, partition, service, region, account, resource] = parts.as_slice() else {
        return complain("the ARN has too few parts");
    };
    if !partition.starts_with("aws") || region.is_empty() {
        return complain("the ARN's partition or region is missing");
    }
    if !is_account(account) {
        return complain("the ARN's account is not 12 digits");
    }
    let prefix = match *service {
        "secretsmanager" => "secret:",
        "ssm" => "parameter/",
        _ => return complain("the ARN is neither of Secrets Manager nor of Parameter Store"),
    };
    let named = resource.strip_prefix(prefix);
    if named.is_none_or(|name| name.is_empty() || name.contains(char::is_whitespace)) {
        return complain("the ARN names neither a secret nor a parameter");
    }
    Ok(())
}

pub(crate) fn role(text: &str) -> Check {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    if let ["arn", partition, "iam", "", account, resource] = parts.as_slice()
        && partition.starts_with("aws")
        && is_account(account)
        && resource
            .strip_prefix("role/")
            .is_some_and(|name| !name.is_empty() && !name.contains(char::is_whitespace))
    {
        return Ok(());
    }
    Err(Complaint::new(
        format!("`{}` is not the ARN of a role", shorten(text)),
        "expected `arn:aws:iam::<12 digits>:role/<name>`",
    ))
}

pub(crate) fn path(text: &str) -> Check {
    if text.starts_with('/') && !text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Ok(());
    }
    let complaint = Complaint::new(
        format!("`{}` is not a path", shorten(text)),
        "a path starts with `/` and has no blanks",
    );
    Err(if text.contains("://") || text.contains(char::is_whitespace) {
        complaint
    } else {
        complaint.help(format!("did you mean `/{}`?", shorten(text)))
    })
}

/// Patterns are matched against every request of a sleeping service: they stay short.
const PATTERN_LENGTH: usize = 256;

pub(crate) fn path_pattern(text: &str) -> Check {
    pattern(text)?;
    if text.starts_with(['/', '*']) && !text.contains(char::is_whitespace) {
        return Ok(());
    }
    Err(Complaint::new(
        format!("the pattern `{}` matches no path", shorten(text)),
        "a path starts with `/`, its pattern with `/` or `*`",
    )
    .help(format!("did you mean `/{}`?", shorten(text.trim()))))
}

/// As RFC 9110 has them: case-sensitive, and all those in use are upper case.
pub(crate) fn method(text: &str) -> Check {
    if (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') {
        return Ok(());
    }
    let complaint = Complaint::new(
        format!("`{}` is not an HTTP method", shorten(text)),
        "expected one such as `HEAD` or `OPTIONS`",
    );
    let upper = text.to_ascii_uppercase();
    let fits = (1..=20).contains(&upper.len()) && upper.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
    Err(if fits { complaint.help(format!("did you mean `{upper}`?")) } else { complaint })
}

pub(crate) fn pattern(text: &str) -> Check {
    let length = text.chars().count();
    if text.trim().is_empty() {
        return Err(Complaint::new("a pattern is empty", "it matches nothing"));
    }
    if length > PATTERN_LENGTH {
        return Err(Complaint::new(
            "a pattern is too long",
            format!("{length} characters, {PATTERN_LENGTH} are the most"),
        ));
    }
    if text.contains(['[', ']', '{', '}']) && text.contains('*') {
        return Err(Complaint::new(
            format!("the pattern `{}` has brackets", shorten(text)),
            "they have no meaning here",
        )
        .help("`*` is any text, `?` one character; write two patterns instead of `{a,b}`"));
    }
    Ok(())
}

fn duration_complaint(field: &str, text: &str, error: DurationError) -> Complaint {
    let complaint = Complaint::new(format!("`{field}` cannot be `{}`", shorten(text)), error.to_string());
    match error {
        DurationError::NoUnit(number) if number == "0" => complaint.help("write `0s`"),
        DurationError::NoUnit(number) => complaint.help(format!("write `{number}s` or `{number}m`")),
        DurationError::UnknownUnit(unit) => match unit_meant(&unit) {
            Some(meant) => complaint.help(format!("did you mean `{meant}`?")),
            None => complaint,
        }
        .help(format!("a duration is written {FORMS}")),
        _ => complaint.help(format!("a duration is written {FORMS}")),
    }
}

/// `min` is `m`, `hours` is `h`.
fn unit_meant(unit: &str) -> Option<&'static str> {
    let unit = unit.to_lowercase();
    let units = [("mil", "ms"), ("ms", "ms"), ("d", "d"), ("h", "h"), ("m", "m"), ("s", "s")];
    let (_, meant) = units.into_iter().find(|(start, _)| unit.starts_with(start))?;
    // Months are no minutes.
    (!unit.starts_with("mo")).then_some(meant)
}

pub(crate) fn duration(field: &str, text: &str) -> Result<Duration, Complaint> {
    parse_duration(text).map_err(|error| duration_complaint(field, text, error))
}

pub(crate) fn positive(field: &str, text: &str) -> Result<Duration, Complaint> {
    let value = duration(field, text)?;
    if value.is_zero() {
        return Err(Complaint::new(format!("`{field}` cannot be zero"), "expected more than zero")
            .help(format!("a duration is written {FORMS}")));
    }
    Ok(value)
}

pub(crate) fn idle_after(field: &str, text: &str) -> Result<IdleAfter, Complaint> {
    if text == "never" {
        return Ok(IdleAfter::Never);
    }
    match positive(field, text) {
        Ok(value) => Ok(IdleAfter::After(value)),
        Err(complaint) if suggest::nearest(text, ["never"]).is_some() => {
            Err(complaint.help("did you mean `never`?"))
        }
        Err(complaint) => Err(complaint.help("`never` keeps the service awake")),
    }
}

/// A service's name for people.
pub(crate) fn title(text: &str) -> Check {
    let length = text.chars().count();
    if (1..=80).contains(&length) && !text.trim().is_empty() && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let label = format!("expected one line of 1 to 80 characters; this has {length}");
    Err(Complaint::new("`wake.theme.title` cannot be this", label))
}

pub(crate) fn colour(text: &str) -> Check {
    let digits = text.strip_prefix('#').unwrap_or_default();
    if matches!(digits.len(), 3 | 6) && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(Complaint::new(
        format!("`wake.theme.accent` cannot be `{}`", shorten(text)),
        "expected a colour such as \"#0b7285\" or \"#07c\"",
    ))
}

pub(crate) fn page_name(text: &str) -> Check {
    let bare = text.strip_suffix(".html").unwrap_or(text);
    let fits = (1..=63).contains(&bare.len())
        && bare.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !bare.starts_with('-')
        && !bare.ends_with('-');
    if fits && bare == text {
        return Ok(());
    }
    let complaint = Complaint::new(
        format!("`wake.theme.page` cannot be `{}`", shorten(text)),
        "expected the name of a page: 1 to 63 of a-z, 0-9 and -, no hyphen at its ends",
    );
    Err(if fits { complaint.help(format!("write it without `.html`: {bare}")) } else { complaint })
}

pub(crate) fn rate_limit(field: &str, text: &str) -> Result<Option<RateLimit>, Complaint> {
    rate::parse_optional(text).map_err(|error| {
        Complaint::new(format!("`{field}` cannot be `{}`", shorten(text)), error.to_string())
            .help("a rate is written `5/s`, `10/m` or `100/h`; `none` lifts the limit")
    })
}

pub(crate) fn days(text: &str) -> Result<Days, Complaint> {
    text.parse().map_err(|error: DaysError| {
        let mut complaint =
            Complaint::new(format!("`days` cannot be `{}`", shorten(text)), error.to_string());
        if let DaysError::Unknown(name) = &error
            && let Some(day) = day_meant(name)
        {
            complaint = complaint.help(format!("did you mean `{day}`?"));
        }
        complaint.help("days are written `Mon-Fri`, `Sat,Sun`, `Mon-Wed,Fri` or `daily`")
    })
}

/// `monday`, `MON` and `Mnday` are `Mon`.
fn day_meant(name: &str) -> Option<&'static str> {
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let day = DAYS
        .into_iter()
        .find(|day| day.get(..3).is_some_and(|short| short.eq_ignore_ascii_case(name)))
        .or_else(|| suggest::nearest(name, DAYS));
    day.and_then(|day| day.get(..3))
}

pub(crate) fn clock(field: &str, text: &str) -> Result<Time, Complaint> {
    parse_clock(text).map_err(|error| {
        let complaint = Complaint::new(format!("`{field}` cannot be `{}`", shorten(text)), error.to_string());
        match text {
            "24:00" => complaint.help("midnight is `00:00`; `to: \"00:00\"` is the end of the day"),
            _ => match parse_clock(&format!("0{text}")) {
                Ok(_) => complaint.help(format!("did you mean \"0{text}\"?")),
                Err(_) => complaint,
            },
        }
    })
}

/// Only the bundled database: what is valid must not depend on the machine.
pub(crate) fn timezone(text: &str) -> Check {
    let database = TimeZoneDatabase::bundled();
    let known = database.available().any(|name| name.as_str() == text);
    if known {
        return Ok(());
    }
    let names: Vec<String> = database.available().map(|name| name.to_string()).collect();
    let complaint = Complaint::new(
        format!("there is no time zone `{}`", shorten(text)),
        "expected an IANA name such as `Europe/Paris`",
    );
    let near = suggest::nearest(text, names.iter().map(String::as_str));
    let city = || {
        let wanted = text.rsplit('/').next().unwrap_or(text).replace(' ', "_");
        names
            .iter()
            .map(String::as_str)
            .find(|name| name.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&wanted)))
    };
    Err(match near.or_else(city) {
        Some(near) => complaint.help(format!("did you mean `{near}`?")),
        None => complaint.help("use `UTC` when the place does not matter"),
    })
}
