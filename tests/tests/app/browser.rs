//! WebKit's own WebDriver, which starts the app as if it were a browser.
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};

use crate::desktop::{Desktop, Program, until};

/// What the desktop looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appearance {
    Light,
    Dark,
}

pub(crate) struct Browser {
    _driver: Program,
    address: String,
    capabilities: Map<String, Value>,
}

impl Browser {
    pub(crate) async fn start(desktop: &Desktop) -> Self {
        Self::start_in(desktop, Appearance::Light).await
    }

    pub(crate) async fn start_in(desktop: &Desktop, appearance: Appearance) -> Self {
        // The driver cannot choose a free port itself, so one is asked for here and let go of again.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = desktop.command("WebKitWebDriver");
        command.arg(format!("--port={port}")).env("TAURI_WEBVIEW_AUTOMATION", "true");
        if appearance == Appearance::Dark {
            command.env("GTK_THEME", "Adwaita:dark");
        }
        let driver = desktop.start_program(&mut command);
        until("WebKitWebDriver listens", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;

        let options = json!({ "binary": desktop.app_program(), "args": [] });
        let capabilities = Map::from_iter([("webkitgtk:browserOptions".to_owned(), options)]);
        Self { _driver: driver, address: format!("http://127.0.0.1:{port}"), capabilities }
    }

    pub(crate) async fn open_app(&self) -> Client {
        ClientBuilder::new(HttpConnector::new())
            .capabilities(self.capabilities.clone())
            .connect(&self.address)
            .await
            .expect("the driver starts the app")
    }
}

/// Clicks the button with these words, once there is one that can be clicked.
pub(crate) async fn click(page: &Client, words: &str) {
    let path = format!("//button[normalize-space()={words:?} and not(@disabled)]");
    let button = page.wait().for_element(Locator::XPath(&path)).await;
    let button = button.unwrap_or_else(|cause| panic!("no button {words}: {cause}"));
    // As a person does: not while the page is moving under the pointer.
    until(&format!("{words} stands still"), async || {
        let still = "const [path, done] = arguments;
            const at = () => {
                const found = document.evaluate(path, document, null, XPathResult.FIRST_ORDERED_NODE_TYPE, null);
                const box = found.singleNodeValue?.getBoundingClientRect();
                return box && `${box.x} ${box.y}`;
            };
            const [before, frames] = [at(), 12];
            const look = (left) => at() !== before ? done(false) : left === 0 ? done(true) :
                requestAnimationFrame(() => look(left - 1));
            look(frames);";
        page.execute_async(still, vec![json!(path)]).await.unwrap() == json!(true)
    })
    .await;
    button.click().await.unwrap();
}

/// Waits until the page says this.
pub(crate) async fn reads(page: &Client, words: &str) {
    until(words, async || {
        let text =
            page.execute("return document.querySelector('main')?.innerText ?? ''", vec![]).await.unwrap();
        text.as_str().is_some_and(|text| text.contains(words))
    })
    .await;
}

/// Waits until the page does not say this any more: what is below it has moved by then.
pub(crate) async fn reads_no_more(page: &Client, words: &str) {
    until(&format!("no {words}"), async || {
        let text =
            page.execute("return document.querySelector('main')?.innerText ?? ''", vec![]).await.unwrap();
        text.as_str().is_some_and(|text| !text.contains(words))
    })
    .await;
}

/// Goes to another page of the window.
pub(crate) async fn go(page: &Client, name: &str) {
    page.execute(&format!("location.hash = {name:?}"), vec![]).await.unwrap();
}

/// Leaves a picture for a person to look at.
pub(crate) async fn picture(page: &Client, name: &str) {
    // What is in the document is painted with the frame after the next.
    let painted =
        "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))";
    page.execute_async(painted, vec![]).await.unwrap();
    let file = crate::desktop::pictures().join(format!("app-{name}.png"));
    std::fs::write(file, page.screenshot().await.unwrap()).unwrap();
}
