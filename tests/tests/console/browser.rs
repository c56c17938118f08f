//! A browser without a screen: started, driven, and ended with the test, also by a panic.

use std::net::{Ipv4Addr, TcpStream};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use futures::FutureExt;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};
use simulator::demo::ports::free_port;
use simulator::demo::process::{Recipe, Supervised};
use simulator::demo::run_folder::RunFolder;
use tests::programs::found;

/// How long the driver may take to come up.
const DRIVER_WITHIN: Duration = Duration::from_secs(20);

/// How long something on a page may take to appear.
const PATIENCE: Duration = Duration::from_secs(25);

/// The key named Enter, and the one named Escape, as `WebDriver` writes them.
pub(crate) const ENTER: &str = "\u{e007}";
pub(crate) const ESCAPE: &str = "\u{e00c}";
/// To the next field, and down a list.
pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const DOWN: &str = "\u{e015}";

/// How a person has their screen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    pub width: u32,
    pub dark: bool,
}

impl Screen {
    /// A desk's.
    pub(crate) const DESK: Self = Self { width: 1366, dark: false };
}

/// An open browser.
#[derive(Debug)]
pub(crate) struct Browser {
    client: Client,
}

/// Opens a browser, lets a journey happen in it, and ends it, whatever came.
pub(crate) async fn browse(screen: Screen, journey: impl AsyncFnOnce(&Browser)) {
    let run = RunFolder::temporary().unwrap();
    let port = free_port().unwrap();
    let recipe = Recipe::new("chromedriver", &found("CHROMEDRIVER"), &run);
    let driver = Supervised::start(recipe.arg(format!("--port={port}"))).unwrap();
    driver
        .wait_until(DRIVER_WITHIN, |_| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
        .unwrap();
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(capabilities(screen));
    let client = builder.connect(&format!("http://127.0.0.1:{port}")).await.unwrap();
    let browser = Browser { client: client.clone() };
    let outcome = AssertUnwindSafe(journey(&browser)).catch_unwind().await;
    if outcome.is_err() {
        eprintln_page(&client).await;
    }
    client.close().await.unwrap();
    drop(driver);
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

/// What a person would have seen, for a journey that failed.
#[expect(clippy::print_stderr, reason = "for whoever looks into a failure")]
async fn eprintln_page(client: &Client) {
    let address = client.current_url().await.map(|url| url.to_string()).unwrap_or_default();
    let script = "return document.body.innerText";
    let text = client.execute(script, Vec::new()).await.unwrap_or_default();
    eprintln!("the journey ended at {address}:\n{}", text.as_str().unwrap_or_default());
}

fn capabilities(screen: Screen) -> Map<String, Value> {
    let (width, dark) = (screen.width, screen.dark);
    let mut arguments = vec![
        "--headless=new".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        "--no-first-run".to_owned(),
        // 0 is dark and 1 light.
        format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)),
        format!("--window-size={width},900"),
    ];
    if nix::unistd::geteuid().is_root() {
        // Chromium does not sandbox itself as root; CI is root in a machine of its own.
        arguments.push("--no-sandbox".to_owned());
    }
    let mut options = json!({ "binary": found("CHROMIUM"), "args": arguments });
    if width < 500 {
        // No window is that narrow; a telephone's screen is.
        let metrics = json!({ "width": width, "height": 800, "pixelRatio": 1.0 });
        options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
    }
    let mut capabilities = Map::new();
    capabilities.insert("goog:chromeOptions".to_owned(), options);
    capabilities
}

impl Browser {
    /// Goes to an address.
    pub(crate) async fn go(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// The path of the page it is at.
    pub(crate) async fn path(&self) -> String {
        self.client.current_url().await.unwrap().path().to_owned()
    }

    /// Waits until an element is there.
    pub(crate) async fn sees(&self, selector: &str) {
        let there = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await;
        assert!(there.is_ok(), "there is no {selector}");
    }

    /// Waits until an element, of which there is one, has a text in it.
    pub(crate) async fn reads(&self, selector: &str, text: &str) {
        let script = "const [selector, text, done] = arguments; \
            const look = () => { const found = document.querySelector(selector); \
                if (found && found.textContent.includes(text)) { watch.disconnect(); done(true); } }; \
            const watch = new MutationObserver(look); \
            watch.observe(document, {subtree: true, childList: true, characterData: true, attributes: true}); \
            look();";
        let looking = async {
            // A page that gives way to the next one takes the script with it: it looks again there.
            while self
                .client
                .execute_async(script, vec![json!(selector), json!(text)])
                .await
                .is_err()
            {
                tokio::task::yield_now().await;
            }
        };
        let seen = tokio::time::timeout(PATIENCE, looking).await;
        assert!(seen.is_ok(), "{selector} never reads {text:?}");
    }

    /// The text of an element.
    pub(crate) async fn text(&self, selector: &str) -> String {
        self.sees(selector).await;
        self.client.find(Locator::Css(selector)).await.unwrap().text().await.unwrap()
    }

    /// How many of them there are.
    pub(crate) async fn count(&self, selector: &str) -> usize {
        self.client.find_all(Locator::Css(selector)).await.unwrap().len()
    }

    /// Clicks on an element.
    pub(crate) async fn click(&self, selector: &str) {
        self.sees(selector).await;
        self.client.find(Locator::Css(selector)).await.unwrap().click().await.unwrap();
    }

    /// Clicks on what leads to a page, and waits until that page has come: what it says may be what
    /// the one before said, too.
    pub(crate) async fn follow(&self, selector: &str) {
        self.ask("window.isTheOneBefore = true").await;
        self.click(selector).await;
        let arriving = async {
            let script = "return !window.isTheOneBefore && document.readyState !== 'loading'";
            // A page that gives way takes the script with it: it is asked again of the next one.
            while self.client.execute(script, Vec::new()).await.ok() != Some(json!(true)) {
                tokio::task::yield_now().await;
            }
        };
        let arrived = tokio::time::timeout(PATIENCE, arriving).await;
        assert!(arrived.is_ok(), "{selector} leads nowhere");
    }

    /// Writes into a field.
    pub(crate) async fn write(&self, selector: &str, text: &str) {
        self.sees(selector).await;
        self.client.find(Locator::Css(selector)).await.unwrap().send_keys(text).await.unwrap();
    }

    /// Chooses from a list.
    pub(crate) async fn choose(&self, selector: &str, value: &str) {
        self.sees(selector).await;
        let list = self.client.find(Locator::Css(selector)).await.unwrap();
        list.select_by_value(value).await.unwrap();
    }

    /// Presses keys, wherever the person is on the page.
    pub(crate) async fn press(&self, keys: &str) {
        self.client.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    /// What a script on the page says.
    pub(crate) async fn ask(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// What a script on the page says when it is done; it is given `done` as its last argument.
    pub(crate) async fn ask_later(&self, script: &str) -> Value {
        self.client.execute_async(script, Vec::new()).await.unwrap()
    }

    /// How wide pictures on the page are, in pixels, once they are there.
    pub(crate) async fn widths(&self, pictures: &str) -> Value {
        let script = "const done = arguments[arguments.length - 1]; \
            const shown = [...document.querySelectorAll('PICTURES')]; \
            Promise.all(shown.map(one => one.decode())) \
                .then(() => done(shown.map(one => one.naturalWidth)), why => done(String(why)));";
        self.ask_later(&script.replace("PICTURES", pictures)).await
    }

    /// What is on the screen, as PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        self.client.screenshot().await.unwrap()
    }
}
