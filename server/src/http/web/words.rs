//! Times, lengths of time and devices in words.

use std::time::Duration;

use gatelodge_core::environment::span_between;
use jiff::{Timestamp, Zoned, tz::TimeZone};

use crate::pages::{
    PageError, Renderer,
    views::{DeviceKind, Time},
};

/// A moment as seen from `now`: by distance when it is near, else by date and
/// time, in UTC.
pub(super) fn moment(
    renderer: &Renderer,
    now: Timestamp,
    at: Timestamp,
) -> Result<Time, PageError> {
    let (key, span) = if at > now {
        ("time.in", span_between(now, at))
    } else {
        ("time.ago", span_between(at, now))
    };
    let text = match span.as_secs() {
        0..60 if at <= now => renderer.text("time.just_now", &[])?,
        seconds @ 0..60 => counted(renderer, &format!("{key}.seconds"), seconds)?,
        seconds @ 60..3600 => counted(renderer, &format!("{key}.minutes"), seconds / 60)?,
        _ => dated(renderer, &utc(now), &utc(at))?,
    };
    Ok(Time::new(at.to_string(), text))
}

fn dated(renderer: &Renderer, now: &Zoned, at: &Zoned) -> Result<String, PageError> {
    let time = at.strftime("%H:%M").to_string();
    let day = at.date();
    let is = |other: Result<jiff::civil::Date, _>| other.is_ok_and(|other| other == day);
    let key = if day == now.date() {
        "time.today"
    } else if is(now.date().yesterday()) {
        "time.yesterday"
    } else if is(now.date().tomorrow()) {
        "time.tomorrow"
    } else {
        let date = at.strftime("%-d %B %Y").to_string();
        return renderer.text("time.on", &[("date", date), ("time", time)]);
    };
    renderer.text(key, &[("time", time)])
}

fn utc(time: Timestamp) -> Zoned {
    time.to_zoned(TimeZone::UTC)
}

fn counted(renderer: &Renderer, key: &str, count: u64) -> Result<String, PageError> {
    renderer.text(key, &[("count", count.to_string())])
}

/// A length of time in its largest whole unit.
pub(super) fn length(renderer: &Renderer, span: Duration) -> Result<String, PageError> {
    let minutes = span.as_secs().div_ceil(60);
    match (minutes % 1_440, minutes % 60) {
        (0, _) if minutes > 0 => counted(renderer, "length.days", minutes / 1_440),
        (_, 0) if minutes > 0 => counted(renderer, "length.hours", minutes / 60),
        _ => counted(renderer, "length.minutes", minutes),
    }
}

/// Browser and system of a `User-Agent`, as far as it says so.
pub(super) fn device(
    renderer: &Renderer,
    user_agent: Option<&str>,
) -> Result<(DeviceKind, String), PageError> {
    /// What gives a browser away, in the order in which it must be asked:
    /// nearly all call themselves Safari and Chrome too.
    const BROWSERS: [(&str, &str); 7] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
    ];
    const SYSTEMS: [(&str, &str, DeviceKind); 7] = [
        ("iPhone", "iPhone", DeviceKind::Phone),
        ("iPad", "iPad", DeviceKind::Phone),
        ("Android", "Android", DeviceKind::Phone),
        ("Windows", "Windows", DeviceKind::Desktop),
        ("Macintosh", "macOS", DeviceKind::Desktop),
        ("CrOS", "ChromeOS", DeviceKind::Desktop),
        ("Linux", "Linux", DeviceKind::Desktop),
    ];
    let agent = user_agent.unwrap_or_default();
    let browser = BROWSERS.iter().find(|(mark, _)| agent.contains(mark));
    let browser = browser.map(|(_, name)| *name);
    let browser = browser.or_else(|| agent.contains("Safari/").then_some("Safari"));
    let system = SYSTEMS.iter().find(|(mark, _, _)| agent.contains(mark));
    Ok(match (browser, system) {
        (Some(browser), Some((_, system, kind))) => {
            let names = [
                ("browser", browser.to_owned()),
                ("system", (*system).to_owned()),
            ];
            (*kind, renderer.text("device.browser_on", &names)?)
        }
        (Some(browser), None) => (DeviceKind::Desktop, browser.to_owned()),
        (None, _) => match program(agent) {
            Some(program) => (DeviceKind::Program, program),
            None => (DeviceKind::Program, renderer.text("device.unknown", &[])?),
        },
    })
}

/// The product that a program names first (RFC 9110 section 10.1.5).
fn program(agent: &str) -> Option<String> {
    let product = agent.split([' ', '/']).next()?;
    (!product.is_empty() && product != "Mozilla").then(|| product.chars().take(40).collect())
}

/// A message of the core as a sentence on a page.
pub(super) fn sentence(message: &str) -> String {
    let message = message.trim().trim_end_matches('.').replace('`', "");
    let mut rest = message.chars();
    match rest.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), rest.as_str()),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::PageOptions;

    fn renderer() -> Renderer {
        Renderer::new(PageOptions::default()).unwrap()
    }

    #[test]
    fn a_near_moment_is_told_by_distance_and_a_far_one_by_date() {
        let renderer = renderer();
        let now: Timestamp = "2026-11-23T09:40:00Z".parse().unwrap();
        for (at, text) in [
            ("2026-11-23T09:39:40Z", "just now"),
            ("2026-11-23T09:40:00Z", "just now"),
            ("2026-11-23T09:39:00Z", "1 minute ago"),
            ("2026-11-23T08:41:00Z", "59 minutes ago"),
            ("2026-11-23T08:14:00Z", "today at 08:14 UTC"),
            ("2026-11-22T23:59:00Z", "yesterday at 23:59 UTC"),
            ("2026-03-02T09:00:00Z", "2 March 2026 at 09:00 UTC"),
            ("2026-11-23T09:40:30Z", "in 30 seconds"),
            ("2026-11-23T09:42:00Z", "in 2 minutes"),
            ("2026-11-24T09:00:00Z", "tomorrow at 09:00 UTC"),
        ] {
            let time = moment(&renderer, now, at.parse().unwrap()).unwrap();
            assert_eq!((time.datetime.as_str(), time.text.as_str()), (at, text));
        }
    }

    #[test]
    fn a_length_is_told_in_its_largest_whole_unit() {
        let renderer = renderer();
        for (minutes, text) in [
            (1, "1 minute"),
            (30, "30 minutes"),
            (60, "1 hour"),
            (90, "90 minutes"),
            (1_440, "1 day"),
            (43_200, "30 days"),
        ] {
            let span = Duration::from_secs(minutes * 60);
            assert_eq!(length(&renderer, span).unwrap(), text);
        }
    }

    #[test]
    fn a_browser_is_recognised_by_its_own_name() {
        let renderer = renderer();
        for (agent, text, kind) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox on Linux",
                DeviceKind::Desktop,
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36 Edg/142.0",
                "Edge on Windows",
                DeviceKind::Desktop,
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
                DeviceKind::Phone,
            ),
            (
                "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Mobile Safari/537.36",
                "Chrome on Android",
                DeviceKind::Phone,
            ),
            ("curl/8.14.1", "curl", DeviceKind::Program),
            ("", "Unknown program", DeviceKind::Program),
        ] {
            let (found, words) = device(&renderer, Some(agent)).unwrap();
            assert_eq!((words.as_str(), found), (text, kind), "{agent}");
        }
    }

    #[test]
    fn a_message_of_the_core_becomes_a_sentence() {
        assert_eq!(
            sentence("there is no such `user`"),
            "There is no such user."
        );
        assert_eq!(sentence("Too long."), "Too long.");
        assert_eq!(sentence(""), "");
    }
}
