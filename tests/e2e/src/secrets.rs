//! Every secret that passed through a test, to look for where none may be.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

/// Shorter texts could stand in a log by chance.
const SHORTEST: usize = 12;

/// Secrets to look for. Clones share the list.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Arc<Mutex<BTreeSet<String>>>);

impl Secrets {
    /// Remembers a secret.
    pub fn keep(&self, secret: &str) {
        if secret.len() >= SHORTEST {
            self.0.lock().unwrap().insert(secret.to_owned());
        }
    }

    /// How many are remembered.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// The lines of `text` in which one of them stands, as it is or as a form sends it.
    pub fn lines_with_any<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let secrets = self.0.lock().unwrap();
        let forms: Vec<String> = secrets
            .iter()
            .flat_map(|secret| [secret.clone(), form_encoded(secret)])
            .collect();
        text.lines()
            .filter(|line| forms.iter().any(|form| line.contains(form.as_str())))
            .collect()
    }
}

fn form_encoded(text: &str) -> String {
    let mut url = reqwest::Url::parse("http://here.invalid/").unwrap();
    url.query_pairs_mut().append_pair("", text);
    url.query()
        .unwrap_or_default()
        .trim_start_matches('=')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_as_it_is_and_as_a_form_sends_it() {
        let secrets = Secrets::default();
        secrets.keep("canary & yellow bird");
        let log = "fine\nxx canary & yellow bird\nbody=canary+%26+yellow+bird&x\nfine";
        assert_eq!(secrets.lines_with_any(log).len(), 2);
        assert!(secrets.lines_with_any("canary").is_empty());
    }
}
