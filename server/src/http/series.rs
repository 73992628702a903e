//! The metrics of requests. To find a series by its labels costs more than to check a session, so what was found is kept.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
    time::Instant,
};

use axum::http::{Method, StatusCode};
use metrics::{Counter, Histogram};

/// The series of all requests so far, by route, then by method and status: as many as there are routes, since what no
/// route takes has one name for all.
#[derive(Default)]
pub(crate) struct Series(RwLock<HashMap<String, OfRoute>>);

type OfRoute = HashMap<(&'static str, u16), One>;

#[derive(Clone)]
struct One {
    requests: Counter,
    seconds: Histogram,
}

impl Series {
    /// Counts an answer.
    pub(crate) fn record(&self, method: &Method, route: &str, status: StatusCode, begun: Instant) {
        let key = (method_label(method), status.as_u16());
        let known = {
            let series = self.0.read().unwrap_or_else(PoisonError::into_inner);
            series.get(route).and_then(|of| of.get(&key)).cloned()
        };
        let one = known.unwrap_or_else(|| self.find(route, key));
        one.requests.increment(1);
        one.seconds.record(begun.elapsed().as_secs_f64());
    }

    fn find(&self, route: &str, (method, status): (&'static str, u16)) -> One {
        let labels = [
            ("method", method.to_owned()),
            ("route", route.to_owned()),
            ("status", status.to_string()),
        ];
        let one = One {
            requests: metrics::counter!("gatelodge_http_requests_total", &labels),
            seconds: metrics::histogram!("gatelodge_http_request_seconds", &labels[..2]),
        };
        let mut series = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let of = series.entry(route.to_owned()).or_default();
        of.insert((method, status), one.clone());
        one
    }
}

/// A method that nobody serves has no series of its own: clients could make
/// any number of them.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_method_makes_no_series_of_its_own() {
        let made_up: Method = "X1234".parse().unwrap();
        assert_eq!(method_label(&made_up), "other");
        assert_eq!(method_label(&Method::TRACE), "other");
        assert_eq!(method_label(&Method::PATCH), "PATCH");
    }
}
