//! A real browser: Chromium without a window, driven by `chromedriver` (<https://www.w3.org/TR/webdriver2/>).

use std::fmt::Display;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use http::{Method, Request, header};
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::Process;
use transport::{HttpClient, TlsOptions};

use crate::eventually;

/// Nothing but the pages asked for, and nothing kept. With the pipe, Chromium ends when its driver does.
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
];
/// The member that holds the reference to an element (section 12.1 of the protocol).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Longer than any page takes on the slowest machine.
const TIMEOUT: Duration = Duration::from_secs(90);
/// The largest answer is a screenshot.
const LARGEST: usize = 32 << 20;

/// A browser with one window and a new, empty profile. It trusts every certificate, since a proxy of a test has its own CA.
///
/// When it is dropped by a test that fails, a screenshot is left behind and its path printed.
#[derive(Debug)]
pub struct Chromium {
    http: HttpClient,
    /// Where the driver takes commands for the window.
    session: String,
    _driver: Process,
    _folder: TempDir,
}

/// What the driver says when a command fails.
#[derive(Debug)]
struct Refusal {
    error: String,
    message: String,
}

impl Refusal {
    /// Whether the page only has to become ready: an element that is not there yet, or belonged to the page before.
    fn may_pass(&self) -> bool {
        [
            "no such element",
            "stale element reference",
            "element not interactable",
            "element click intercepted",
            "detached shadow root",
        ]
        .contains(&self.error.as_str())
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.error, self.message)
    }
}

impl Chromium {
    /// Starts driver and browser.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With these command line flags besides.
    pub async fn start_with(more: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let mut command = Command::new("chromedriver");
        command.arg("--port=0");
        let mut driver = Process::spawn("ChromeDriver", command, &folder.path().join("driver.log"))
            .map_err(|error| error.to_string())
            .expect("ChromeDriver starts; Debian has it in the packages chromium and chromium-driver");
        let log = driver.log().to_owned();
        let mut port = None;
        let ready = driver.wait_until(TIMEOUT, async || {
            port = port_in(&std::fs::read_to_string(&log).unwrap_or_default());
            port.map(|_| ()).ok_or_else(|| "it names no port".to_owned())
        });
        ready.await.map_err(|error| error.to_string()).expect("ChromeDriver tells its port");
        let base = format!("http://127.0.0.1:{}/session", port.expect("it was told"));
        let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
        let flags: Vec<&str> =
            FLAGS.into_iter().chain([profile.as_str()]).chain(more.iter().copied()).collect();
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "acceptInsecureCerts": true,
            "goog:chromeOptions": {"args": flags},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let http = client();
        let session = call(&http, Method::POST, &base, &wanted).await.expect("Chromium starts");
        let id = session["sessionId"].as_str().expect("a session has an id");
        Self { http, session: format!("{base}/{id}"), _driver: driver, _folder: folder }
    }

    /// A value for the variable `BROWSER` by which a program opens an address in this window.
    pub fn opener(&self) -> String {
        // A colon would stand between two browsers, and `%s` for the address.
        let address = format!("{}/url", self.session).replace(':', "%c");
        format!("curl --silent --output /dev/null --data {{\"url\"%c\"%s\"}} {address}")
    }

    /// Goes to an address.
    pub async fn open(&self, address: &str) {
        self.command(Method::POST, "url", &json!({ "url": address })).await;
    }

    /// The address of the page.
    pub async fn address(&self) -> String {
        text_of(&self.command(Method::GET, "url", &Value::Null).await)
    }

    /// Waits until the page shows `text`; all that it shows.
    pub async fn shows(&self, text: &str) -> String {
        eventually(&format!("the page shows {text:?}"), async || {
            let shown = self.text("body").await;
            shown.contains(text).then_some(shown)
        })
        .await
    }

    /// What an element shows.
    async fn text(&self, selector: &str) -> String {
        text_of(&self.on(Method::GET, selector, "text", &Value::Null).await)
    }

    /// Types into an element.
    pub async fn fill(&self, selector: &str, text: &str) {
        self.on(Method::POST, selector, "value", &json!({ "text": text })).await;
    }

    /// Clicks an element.
    pub async fn click(&self, selector: &str) {
        self.on(Method::POST, selector, "click", &json!({})).await;
    }

    /// Presses a key wherever the focus is: `'\u{e004}'` is Tab, `'\u{e007}'` Enter, `' '` Space.
    pub async fn press(&self, key: char) {
        let focus = self.command(Method::GET, "element/active", &Value::Null).await;
        let path = format!("element/{}/value", text_of(&focus[ELEMENT]));
        self.command(Method::POST, &path, &json!({"text": key.to_string()})).await;
    }

    /// What a script returns that runs in the page.
    pub async fn run(&self, script: &str) -> Value {
        self.command(Method::POST, "execute/sync", &json!({"script": script, "args": []})).await
    }

    /// Gives the page this size, in pixels of CSS.
    pub async fn resize(&self, width: u32, height: u32) {
        let parameters = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        let command = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": parameters});
        self.command(Method::POST, "goog/cdp/execute", &command).await;
    }

    /// What the page's console was told since this was asked last: a line for each entry.
    pub async fn console(&self) -> Vec<String> {
        let entries = self.command(Method::POST, "se/log", &json!({"type": "browser"})).await;
        let line = |entry: &Value| format!("{}: {}", text_of(&entry["level"]), text_of(&entry["message"]));
        entries.as_array().into_iter().flatten().map(line).collect()
    }

    async fn command(&self, method: Method, path: &str, body: &Value) -> Value {
        let answer = call(&self.http, method, &format!("{}/{path}", self.session), body).await;
        answer.map_err(|refusal| format!("{path}: {refusal}")).expect("the driver does as it is told")
    }

    /// A command about the first element that `selector` (of CSS) means, as soon as that is ready for it.
    async fn on(&self, method: Method, selector: &str, path: &str, body: &Value) -> Value {
        eventually(&format!("{selector} is ready for {path}"), async || {
            let find = json!({"using": "css selector", "value": selector});
            let done = async {
                let found =
                    call(&self.http, Method::POST, &format!("{}/element", self.session), &find).await?;
                let address = format!("{}/element/{}/{path}", self.session, text_of(&found[ELEMENT]));
                call(&self.http, method.clone(), &address, body).await
            };
            match done.await {
                Err(refusal) if refusal.may_pass() => None,
                done => Some(done),
            }
        })
        .await
        .map_err(|refusal| format!("{selector}: {refusal}"))
        .expect("the driver does as it is told")
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let session = self.session.clone();
        // The test's own runtime cannot be waited for here.
        let drawn = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            let png = runtime.block_on(async { picture(&client(), &session).await }).ok()?;
            kept(&png)
        });
        if let Ok(Some(path)) = drawn.join() {
            eprintln!("what Chromium showed is in {}", path.display());
        }
    }
}

fn client() -> HttpClient {
    transport::install_crypto_provider();
    HttpClient::new(&TlsOptions::default(), None, TIMEOUT, LARGEST).expect("a client without files")
}

/// The port in what the driver prints when it is ready.
fn port_in(log: &str) -> Option<u16> {
    let (_, after) = log.rsplit_once("successfully on port ")?;
    after.split('.').next()?.parse().ok()
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What the page looks like, as PNG.
async fn picture(http: &HttpClient, session: &str) -> Result<Vec<u8>, Refusal> {
    let answer = call(http, Method::GET, &format!("{session}/screenshot"), &Value::Null).await?;
    let decoded = BASE64.decode(text_of(&answer).as_bytes());
    decoded.map_err(|error| Refusal { error: "unreadable".to_owned(), message: error.to_string() })
}

/// Writes a picture into the folder for temporary files.
fn kept(png: &[u8]) -> Option<PathBuf> {
    let (mut file, path) = tempfile::Builder::new().suffix(".png").tempfile().ok()?.keep().ok()?;
    std::io::Write::write_all(&mut file, png).ok()?;
    Some(path)
}

/// One command of the protocol; `null` is no body.
async fn call(http: &HttpClient, method: Method, address: &str, body: &Value) -> Result<Value, Refusal> {
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let request = Request::builder().method(method).uri(address);
    let request = request.header(header::CONTENT_TYPE, "application/json").body(body);
    let response = http.send(request.expect("the address is one")).await;
    let response = response.map_err(|error| error.to_string()).expect("the driver answers");
    let mut answer: Value = response.json().map_err(|error| error.to_string()).expect("the driver says JSON");
    let value = answer["value"].take();
    if response.status.is_success() {
        return Ok(value);
    }
    Err(Refusal { error: text_of(&value["error"]), message: text_of(&value["message"]) })
}
