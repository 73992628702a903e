//! What is checked of each page in Chromium.

use std::{fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::browser::Browser;

/// A screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// 390 × 844, touched.
    Phone,
    /// 1280 × 900.
    Desktop,
}

/// What the person prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// The rules of WCAG 2.2 at the levels A and AA, as axe-core calls them.
const WCAG: [&str; 6] = [
    "wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa",
];

impl Screen {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Phone, Self::Desktop];

    const fn size(self) -> (u32, u32) {
        match self {
            Self::Phone => (390, 844),
            Self::Desktop => (1280, 900),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Desktop => "desktop",
        }
    }
}

impl Scheme {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Light, Self::Dark];

    const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Browser {
    /// Checks the present page as people with all needs and screens meet it, and keeps pictures of it as `name`.
    pub async fn inspect(&self, name: &str) {
        self.check_document().await;
        for scheme in Scheme::ALL {
            self.prefer(scheme).await;
            for screen in Screen::ALL {
                self.show_on(screen).await;
                self.check_width(name, screen).await;
                self.check_accessibility(name, screen, scheme).await;
                self.keep_picture(&format!("{name}-{}-{}", screen.name(), scheme.name()))
                    .await;
            }
        }
        self.prefer(Scheme::Light).await;
        self.cdp("Emulation.clearDeviceMetricsOverride", json!({}))
            .await;
    }

    /// Shows pages on this screen.
    pub async fn show_on(&self, screen: Screen) {
        let (width, height) = screen.size();
        let metrics = json!({
            "width": width,
            "height": height,
            "deviceScaleFactor": 1,
            "mobile": screen == Screen::Phone,
        });
        self.cdp("Emulation.setDeviceMetricsOverride", metrics)
            .await;
    }

    /// Shows pages in this scheme, and without motion, so that a picture is not taken half-way.
    pub async fn prefer(&self, scheme: Scheme) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme.name() },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.cdp(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        )
        .await;
    }

    /// Switches scripts of pages off.
    pub async fn without_scripts(&self) {
        self.cdp(
            "Emulation.setScriptExecutionDisabled",
            json!({ "value": true }),
        )
        .await;
    }

    /// What every page has: a language, a title, one main heading, and no script.
    async fn check_document(&self) {
        let facts = self
            .execute(
                "return {
                    lang: document.documentElement.lang,
                    title: document.title,
                    headings: document.querySelectorAll('h1').length,
                    mains: document.querySelectorAll('main').length,
                    scripts: document.querySelectorAll('script').length,
                    styles: document.querySelectorAll('style, [style]').length,
                }",
            )
            .await;
        let title = facts["title"].as_str().unwrap_or_default();
        assert!(title.contains(" · "), "{facts}");
        assert_eq!(facts["lang"], "en", "{facts}");
        for (what, number) in [("headings", 1), ("mains", 1), ("scripts", 0), ("styles", 0)] {
            assert_eq!(facts[what], number, "{what}: {facts}");
        }
    }

    /// Nothing stands out to the side.
    async fn check_width(&self, name: &str, screen: Screen) {
        let width = self
            .execute("return document.documentElement.scrollWidth")
            .await;
        let (room, _) = screen.size();
        assert!(
            width.as_u64().unwrap() <= u64::from(room),
            "`{name}` is {width} px wide on a screen of {room} px"
        );
    }

    /// axe-core finds nothing against WCAG 2.2 AA.
    pub async fn check_accessibility(&self, name: &str, screen: Screen, scheme: Scheme) {
        if self.execute("return typeof axe === 'undefined'").await == true {
            self.execute(&axe()).await;
        }
        let script = format!(
            "const done = arguments[arguments.length - 1];
             axe.run(document, {{ runOnly: {}, resultTypes: ['violations'] }}).then(
                 found => done(found.violations.map(one => ({{ id: one.id, help: one.help, at: one.nodes.map(n => n.html) }}))),
                 error => done([{{ id: 'axe failed', help: String(error) }}]),
             )",
            json!(WCAG)
        );
        let found = self.execute_async(&script).await;
        assert_eq!(
            found,
            json!([]),
            "`{name}` on {} in {}: {found:#}",
            screen.name(),
            scheme.name()
        );
    }

    /// Keeps a picture of the whole page among the artefacts.
    async fn keep_picture(&self, name: &str) {
        let metrics = self.cdp("Page.getLayoutMetrics", json!({})).await;
        let size = &metrics["cssContentSize"];
        let clip =
            json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let shot = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let picture = self.cdp("Page.captureScreenshot", shot).await;
        let bytes = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        let folder = artefacts().join("screens");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// What the element with the focus is: its tag, name and text.
    pub async fn focus(&self) -> Value {
        self.execute(
            "const it = document.activeElement;
             const style = getComputedStyle(it);
             return {
                 tag: it.tagName.toLowerCase(),
                 name: it.getAttribute('name'),
                 text: it.innerText.trim(),
                 outline: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0,
                 shadow: style.boxShadow !== 'none',
             }",
        )
        .await
    }
}

/// Where pictures go; outside of git.
fn artefacts() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../artefacts")
}

fn axe() -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("node_modules/axe-core/axe.min.js");
    fs::read_to_string(&file).unwrap_or_else(|error| {
        panic!(
            "axe-core is not at `{}` ({error}); fetch it with `npm ci --prefix tests/e2e`, or use tests/run",
            file.display()
        )
    })
}
