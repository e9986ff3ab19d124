//! A browser: headless Chromium, driven over WebDriver, that finds services as a person's browser would.

use crate::http::Request;
use crate::socks::Socks;
use crate::world::{World, read};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Longer than any page of these tests takes to load.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one window.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    // Chromium's profile; and the way that it takes.
    _profile: TempDir,
    _socks: Socks,
}

/// What a screen is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Points.
    pub width: u32,
    /// Points.
    pub height: u32,
    /// Whether the person prefers dark colours.
    pub dark: bool,
}

/// A desk's.
pub const DESK: Screen = Screen { width: 1280, height: 860, dark: false };
/// A phone's.
pub const PHONE: Screen = Screen { width: 390, height: 844, dark: false };

impl Screen {
    /// The same in the dark.
    #[must_use]
    pub const fn dark(self) -> Screen {
        Screen { dark: true, ..self }
    }
}

impl Browser {
    /// Whether there is what it takes. If not, a line says so, whatever becomes of a test's output.
    pub fn is_installed() -> bool {
        let is_there = find("chromium").is_some() && find("chromedriver").is_some();
        if !is_there {
            let words =
                "skipped: chromium and chromedriver are not installed (Debian: chromium, chromium-driver)";
            let _ = writeln!(io::stderr(), "{words}");
        }
        is_there
    }

    /// Starts one that resolves names in a world's zone.
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn open(world: &World) -> Browser {
        let chromium = find("chromium").expect("chromium is installed");
        let chromedriver = find("chromedriver").expect("chromedriver is installed");
        let socks = Socks::start(world);
        let profile = tempfile::Builder::new().prefix("dormouse-browser-").tempdir().expect("a directory");
        let log = profile.path().join("driver.log");
        let file = File::create(&log).expect("a log");
        let mut driver = Command::new(chromedriver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a log"))
            .stderr(file)
            .spawn()
            .expect("chromedriver starts");
        let port = crate::eventually::eventually("chromedriver is up", PATIENCE, || {
            if let Ok(Some(status)) = driver.try_wait() {
                panic!("chromedriver ended, {status}: {}", read(&log));
            }
            let said = read(&log);
            let port = said.split("successfully on port ").nth(1).and_then(|rest| rest.split_once('.'));
            port.map(|(port, _)| port).and_then(|port| port.trim().parse::<u16>().ok()).ok_or(said)
        });
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let arguments = [
            "--headless".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-quic".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--hide-scrollbars".to_owned(),
            format!("--user-data-dir={}", profile.path().join("profile").display()),
            format!("--proxy-server=socks5://{}", socks.address()),
        ];
        let options = json!({"binary": chromium, "args": arguments});
        let mut browser =
            Browser { driver, address, session: String::new(), _profile: profile, _socks: socks };
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        // On a busy machine Chromium may take longer than its driver waits for it. That says nothing of the pages.
        let session = crate::eventually::eventually("Chromium is up", 3 * PATIENCE, || {
            browser.try_call("POST", "/session", Some(&wanted))
        });
        session["sessionId"].as_str().expect("a session").clone_into(&mut browser.session);
        browser.screen(DESK);
        browser
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        self.try_call(method, path, body).unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let mut request = Request::new(method, &self.address.to_string(), path).patience(2 * PATIENCE);
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let answer = request.send(self.address).map_err(|error| format!("{method} {path}: {error}"))?;
        if answer.status != 200 {
            return Err(format!("{method} {path}: {answer}"));
        }
        Ok(answer.json()["value"].clone())
    }

    #[track_caller]
    fn command(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &format!("/session/{}/{path}", self.session), Some(body))
    }

    /// A command of the DevTools protocol.
    #[track_caller]
    pub fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.command("goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// Opens an address, as if it were typed.
    #[track_caller]
    pub fn go(&self, url: &str) {
        self.command("url", &json!({"url": url}));
    }

    /// Where it is.
    #[track_caller]
    pub fn url(&self) -> String {
        let url = self.call("GET", &format!("/session/{}/url", self.session), None);
        url.as_str().unwrap_or_default().to_owned()
    }

    /// Runs a script's body in the page.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({"script": script, "args": []}))
    }

    /// The visible text of the first element of a selector; empty when there is none.
    #[track_caller]
    pub fn text(&self, selector: &str) -> String {
        let script = format!("return document.querySelector({})?.innerText ?? ''", json!(selector));
        self.run(&script).as_str().unwrap_or_default().to_owned()
    }

    /// Clicks the first element of a selector as a person would.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let found = self.command("element", &json!({"using": "css selector", "value": selector}));
        let id = found.as_object().and_then(|ids| ids.values().next()).and_then(Value::as_str);
        let id = id.unwrap_or_else(|| panic!("there is no {selector}"));
        self.command(&format!("element/{id}/click"), &json!({}));
    }

    /// Types into the first element of a selector.
    #[track_caller]
    pub fn write(&self, selector: &str, text: &str) {
        let found = self.command("element", &json!({"using": "css selector", "value": selector}));
        let id = found.as_object().and_then(|ids| ids.values().next()).and_then(Value::as_str);
        let id = id.unwrap_or_else(|| panic!("there is no {selector}"));
        self.command(&format!("element/{id}/value"), &json!({"text": text}));
    }

    /// Whether pages may run scripts, from the next page on.
    #[track_caller]
    pub fn scripts(&self, may_run: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({"value": !may_run}));
    }

    /// Looks at pages on another screen.
    #[track_caller]
    pub fn screen(&self, screen: Screen) {
        let Screen { width, height, dark } = screen;
        let phone = width < 600;
        let size = json!({"width": width, "height": height, "deviceScaleFactor": if phone { 2 } else { 1 }, "mobile": phone});
        self.devtools("Emulation.setDeviceMetricsOverride", size);
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", media);
    }

    /// Keeps a picture of the window, as `localstack/.run/screens/<name>.png`.
    #[track_caller]
    pub fn picture(&self, name: &str) -> PathBuf {
        let shown = self.devtools("Page.captureScreenshot", json!({"format": "png"}));
        let folder = crate::paths::localstack().join(".run/screens");
        fs::create_dir_all(&folder).expect("a directory");
        let path = folder.join(format!("{name}.png"));
        fs::write(&path, base64(shown["data"].as_str().unwrap_or_default())).expect("a picture");
        path
    }

    /// What the console has complained about since the last look.
    #[track_caller]
    pub fn complaints(&self) -> Vec<String> {
        let lines = self.command("se/log", &json!({"type": "browser"}));
        let severe = lines.as_array().cloned().unwrap_or_default().into_iter();
        severe
            .filter(|line| line["level"] == "SEVERE")
            .filter_map(|line| line["message"].as_str().map(str::to_owned))
            .collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends with its session; the driver is this process's own child.
        let path = format!("/session/{}", self.session);
        let quit = Request::new("DELETE", &self.address.to_string(), &path).patience(Duration::from_secs(10));
        let _ = quit.send(self.address);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| Path::is_file(path))
}

/// The bytes of a text in base64 (RFC 4648).
fn base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Vec<u8> = text.bytes().filter_map(digit).collect();
    let chunk = |chunk: &[u8]| {
        let bits = (0..4).fold(0u32, |bits, at| bits << 6 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        bits.to_be_bytes()[1..chunk.len()].to_vec()
    };
    digits.chunks(4).filter(|digits| digits.len() > 1).flat_map(chunk).collect()
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_read() {
        for (encoded, plain) in
            [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmE=", "fooba")]
        {
            assert_eq!(base64(encoded), plain.as_bytes());
        }
    }
}
