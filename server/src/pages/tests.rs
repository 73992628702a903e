use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use super::samples::{self, Sample};
use super::templates::Templates;
use super::texts::defaults;
use super::views::*;
use super::*;

fn renderer() -> Renderer {
    Renderer::new(PageOptions::default()).unwrap()
}

fn rendered() -> Vec<(Sample, String)> {
    let renderer = renderer();
    let pages = samples::all().into_iter().map(|sample| {
        let html = renderer
            .render(sample.template, &sample.view)
            .unwrap_or_else(|error| panic!("{}: {error}", sample.name));
        (sample, html)
    });
    pages.collect()
}

/// The start tags of `html` as (name, attributes), enough of HTML for what our templates write.
fn tags(html: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut found = Vec::new();
    for piece in html.split('<').skip(1) {
        if piece.starts_with(['/', '!']) {
            continue;
        }
        let name_end = piece.find(|c: char| !c.is_ascii_alphanumeric()).unwrap();
        let (name, mut rest) = piece.split_at(name_end);
        let mut attributes = BTreeMap::new();
        loop {
            rest = rest.trim_start();
            if rest.starts_with('>') || rest.is_empty() {
                break;
            }
            let end = rest
                .find(|c: char| c.is_whitespace() || c == '=' || c == '>')
                .unwrap();
            let (attribute, tail) = rest.split_at(end);
            let mut value = "";
            rest = tail;
            if let Some(quoted) = tail.strip_prefix("=\"") {
                (value, rest) = quoted
                    .split_once('"')
                    .unwrap_or_else(|| panic!("unclosed value in <{piece}"));
                let next = rest.chars().next();
                assert!(
                    next == Some('>') || next.is_some_and(char::is_whitespace),
                    "no space in <{piece}"
                );
            }
            let twice = attributes.insert(attribute.to_owned(), value.to_owned());
            assert!(twice.is_none(), "`{attribute}` twice in <{piece}");
        }
        found.push((name.to_owned(), attributes));
    }
    found
}

#[test]
fn every_page_renders_with_a_full_and_a_minimal_view() {
    let pages = rendered();
    for (sample, html) in &pages {
        assert!(html.starts_with("<!doctype html>"), "{}", sample.name);
        assert!(html.trim_end().ends_with("</html>"), "{}", sample.name);
    }
    let shown: BTreeSet<&str> = pages.iter().map(|(sample, _)| sample.template).collect();
    let helpers = ["layout.html", "gate.html", "app.html", "parts.html"];
    for name in Templates::built_in_sources()
        .keys()
        .filter(|name| !helpers.contains(&name.as_str()))
    {
        assert!(shown.contains(name.as_str()), "{name} has no sample");
    }
}

#[test]
fn every_page_has_a_language_a_title_one_heading_a_main_part_and_a_skip_link() {
    for (sample, html) in rendered() {
        let count = |name: &str| tags(&html).iter().filter(|(tag, _)| tag == name).count();
        assert_eq!(
            (count("h1"), count("main"), count("title")),
            (1, 1, 1),
            "{}",
            sample.name
        );
        assert!(
            html.contains("<html lang=\"en\">") && html.contains("href=\"#main\""),
            "{}",
            sample.name
        );
        assert!(html.contains("id=\"main\""), "{}", sample.name);
    }
}

#[test]
fn no_template_has_inline_style_script_event_attributes_or_foreign_addresses() {
    for (name, source) in Templates::built_in_sources() {
        for banned in [
            "<script",
            "<style",
            " style=",
            "javascript:",
            "http://",
            "https://",
            "srcset",
            "|safe",
            "autoescape",
        ] {
            assert!(!source.contains(banned), "{name} contains {banned}");
        }
    }
    for (sample, html) in rendered() {
        for (tag, attributes) in tags(&html) {
            for (attribute, value) in &attributes {
                assert!(
                    !attribute.starts_with("on") && attribute != "style",
                    "{}: <{tag} {attribute}>",
                    sample.name
                );
                let loads =
                    ["src", "href", "action", "data", "poster"].contains(&attribute.as_str());
                // A link to a third party loads nothing before somebody follows it.
                let leads = tag == "a" && value.starts_with("https:&#x2f;&#x2f;id.example&#x2f;");
                let own = value.starts_with(['/', '#']) || value.starts_with("&#x2f;");
                assert!(!loads || own || leads, "{}: {value}", sample.name);
            }
        }
    }
}

#[test]
fn no_style_sheet_or_picture_loads_anything() {
    for name in ["tokens.css", "app.css", "icons.svg", "mark.svg"] {
        let source = String::from_utf8(asset(name).unwrap().bytes.to_vec()).unwrap();
        let source = source.replace("http://www.w3.org/2000/svg", "");
        for banned in [
            "url(", "@import", "http:", "https:", "<script", "<style", "style=",
        ] {
            assert!(!source.contains(banned), "{name} contains {banned}");
        }
    }
}

#[test]
fn each_input_has_a_label_and_ids_are_unique() {
    for (sample, html) in rendered() {
        let tags = tags(&html);
        let ids: Vec<&String> = tags
            .iter()
            .filter_map(|(_, attributes)| attributes.get("id"))
            .collect();
        let unique: BTreeSet<&String> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "{}: {ids:?}", sample.name);
        let labels: BTreeSet<&String> = tags
            .iter()
            .filter_map(|(_, attributes)| attributes.get("for"))
            .collect();
        for (tag, attributes) in &tags {
            let hidden = attributes.get("type").is_some_and(|kind| kind == "hidden");
            if ["input", "select", "textarea"].contains(&tag.as_str()) && !hidden {
                assert!(
                    labels.contains(&attributes["id"]),
                    "{}: {attributes:?} has no label",
                    sample.name
                );
            }
            for reference in ["aria-describedby", "aria-labelledby", "for"] {
                for id in attributes
                    .get(reference)
                    .into_iter()
                    .flat_map(|list| list.split(' '))
                {
                    assert!(
                        unique.contains(&id.to_owned()),
                        "{}: {reference} names `{id}`, which is missing",
                        sample.name
                    );
                }
            }
        }
    }
}

#[test]
fn a_faulty_field_is_marked_described_and_linked_from_the_summary() {
    let (_, html) = rendered()
        .into_iter()
        .find(|(sample, _)| sample.name == "sign-up-errors")
        .unwrap();
    assert!(html.contains("role=\"alert\""));
    assert!(html.contains("<title>Error: Create your account"));
    let (_, field) = tags(&html)
        .into_iter()
        .find(|(_, a)| a.get("name").is_some_and(|name| name == "password"))
        .unwrap();
    assert_eq!(field["aria-invalid"], "true");
    assert_eq!(
        field["aria-describedby"],
        format!("{0}-help {0}-error", field["id"])
    );
    assert!(html.contains(&format!("href=\"#{}\"", field["id"])));
    assert!(
        html.contains("At least 15 characters."),
        "the minimum is said beforehand"
    );
}

#[test]
fn a_password_is_never_rendered_and_never_cut() {
    for (sample, html) in rendered() {
        assert!(!html.contains("must not be shown"), "{}", sample.name);
        assert!(!html.contains("maxlength"), "{}", sample.name);
    }
}

/// Puts markup into every string of a view.
fn poisoned(value: Value) -> Value {
    match value {
        Value::String(text) if !text.is_empty() && !is_word_of_ours(&text) => Value::String(
            format!("{text}\"'><script>alert(1)</script><img src=x onerror=alert(1)>"),
        ),
        Value::Array(items) => items.into_iter().map(poisoned).collect(),
        Value::Object(entries) => entries
            .into_iter()
            .map(|(key, value)| (key, poisoned(value)))
            .collect(),
        other => other,
    }
}

/// Values of enums, which no outsider can choose.
fn is_word_of_ours(text: &str) -> bool {
    let words = "text email number password new_password code choice checkbox primary secondary link danger form redirect wait \
        secret qr code_list desktop phone program active locked deactivated unlocked success info warning done bad_request \
        forbidden not_found method_not_allowed conflict gone too_many_requests internal unavailable";
    words.split_whitespace().any(|word| word == text)
}

#[test]
fn markup_in_any_value_comes_out_as_text() {
    let renderer = renderer();
    for sample in samples::all() {
        let clean = renderer.render(sample.template, &sample.view).unwrap();
        let dirty = renderer
            .render(sample.template, poisoned(sample.view.clone()))
            .unwrap();
        assert!(dirty.contains("&lt;script&gt;"), "{}", sample.name);
        let names = |html: &str| {
            tags(html)
                .into_iter()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&clean), names(&dirty), "{}", sample.name);
        assert!(
            !dirty.contains("<script") && !dirty.contains("<img"),
            "{}",
            sample.name
        );
    }
}

#[test]
fn a_script_in_a_name_a_display_value_or_an_error_is_escaped() {
    let mut view = samples::sign_in_refused();
    view.tenant = Some(TenantLabel::new("x", "<script>tenant</script>"));
    view.error = Some("<script>error</script>".into());
    if let MethodKind::Form { form } = &mut view.methods[0].kind {
        form.display = vec![DisplayItem::Secret {
            label: "Key".into(),
            value: Shown::new("<script>secret</script>"),
        }];
    }
    let html = renderer().page(&view).unwrap();
    for word in ["tenant", "error", "secret"] {
        assert!(
            html.contains(&format!("&lt;script&gt;{word}&lt;")),
            "{word}"
        );
    }
    assert!(!html.contains("<script"));
}

#[test]
fn a_missing_value_is_an_error_and_not_an_empty_page() {
    let error = renderer()
        .render("signed-out.html", json!({"frame": Frame::default()}))
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("undefined value") && text.contains("built-in signed-out.html"),
        "{text}"
    );
}

#[test]
fn an_unknown_page_is_refused() {
    assert_eq!(
        renderer()
            .render("nothing.html", ())
            .unwrap_err()
            .to_string(),
        "there is no page `nothing.html`"
    );
}

#[test]
fn the_first_method_with_a_form_is_open_and_the_others_come_after_it() {
    let (_, html) = rendered()
        .into_iter()
        .find(|(sample, _)| sample.name == "sign-in")
        .unwrap();
    let place = |needle: &str| html.find(needle).unwrap_or_else(|| panic!("{needle}"));
    assert!(place("name=\"user_name\"") < place("Continue with Google"));
    assert!(place("Continue with Google") < place("<details"));
    assert!(place("<details") < place("name=\"email\""));
    assert!(html.contains("name=\"remember_name\""));
    assert_eq!(html.matches(" autofocus").count(), 1);
}

#[test]
fn only_the_primary_button_checks_the_fields() {
    let (_, html) = rendered()
        .into_iter()
        .find(|(sample, _)| sample.name == "second-step")
        .unwrap();
    for (_, attributes) in tags(&html).iter().filter(|(tag, _)| tag == "button") {
        let primary = attributes["class"].contains("button-primary");
        assert_eq!(attributes.contains_key("formnovalidate"), !primary);
    }
}

#[test]
fn every_form_that_changes_something_posts_with_its_hidden_inputs() {
    for (sample, html) in rendered() {
        for form in html.split("<form").skip(1) {
            let (form, _) = form.split_once("</form>").unwrap();
            assert!(
                form.contains("method=\"get\"") || form.contains("type=\"hidden\""),
                "{}: {form}",
                sample.name
            );
        }
    }
}

#[test]
fn every_text_a_template_asks_for_exists_and_every_kind_of_message_has_its_words() {
    let known: BTreeSet<&str> = defaults().map(|(key, _)| *key).collect();
    assert_eq!(known.len(), defaults().count(), "a key is there twice");
    for (name, source) in Templates::built_in_sources() {
        for call in source.split("t('").skip(1) {
            let (key, rest) = call.split_once('\'').unwrap();
            let complete = !rest.starts_with(" ~");
            let plural = known.contains(format!("{key}.other").as_str());
            assert!(
                !complete || plural || known.contains(key),
                "{name} asks for `{key}`"
            );
        }
    }
    for status in [200, 400, 403, 404, 405, 409, 410, 429, 500, 503] {
        renderer()
            .page(&MessageView::new(MessageKind::from_status(status)))
            .unwrap();
    }
}

#[test]
fn a_replaced_text_and_brand_name_are_shown() {
    let texts = BTreeMap::from([(
        "signed_out.title".to_owned(),
        "Tschüss & bis bald".to_owned(),
    )]);
    let options = PageOptions {
        texts,
        brand_name: "Pförtnerhaus".into(),
        ..PageOptions::default()
    };
    let html = Renderer::new(options)
        .unwrap()
        .page(&SignedOutView::default())
        .unwrap();
    assert!(html.contains("Tschüss &amp; bis bald") && html.contains("Pförtnerhaus"));
}

#[test]
fn a_replacement_for_an_unknown_text_or_with_an_unknown_placeholder_is_refused_by_name() {
    let refused = |key: &str, text: &str| {
        let texts = BTreeMap::from([(key.to_owned(), text.to_owned())]);
        Renderer::new(PageOptions {
            texts,
            ..PageOptions::default()
        })
        .unwrap_err()
        .to_string()
    };
    assert_eq!(
        refused("signed_out.titel", "x"),
        "`signed_out.titel` is not the key of a page text"
    );
    assert_eq!(
        refused("account.greeting", "Hi {nam}"),
        "text `account.greeting` uses the placeholder `{nam}`, which has no value there; it may use: name"
    );
}

#[test]
fn texts_count_in_singular_and_plural() {
    let renderer = renderer();
    let count = |n: u32| {
        renderer
            .text("console.users.count", &[("count", n.to_string())])
            .unwrap()
    };
    assert_eq!(
        (count(1), count(0), count(2)),
        ("1 user".into(), "0 users".into(), "2 users".into())
    );
}

fn with_templates(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Renderer, PageError>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, source) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, source).unwrap();
    }
    let renderer = Renderer::new(PageOptions {
        template_dir: Some(folder.path().to_owned()),
        ..PageOptions::default()
    });
    (folder, renderer)
}

#[test]
fn a_host_replaces_one_template_and_keeps_the_others() {
    let own = "{% extends 'gate.html' %}{% block title %}Bye{% endblock %}{% block card %}{% include 'own/bye.html' %}{% endblock %}";
    let (_folder, renderer) = with_templates(&[
        ("signed-out.html", own),
        ("own/bye.html", "<h1>{{ tenant.display_name }}</h1>"),
    ]);
    let view = SignedOutView {
        tenant: Some(TenantLabel::new("n", "<N>")),
        ..SignedOutView::default()
    };
    let html = renderer.as_ref().unwrap().page(&view).unwrap();
    assert!(html.contains("<h1>&lt;N&gt;</h1>") && html.contains("class=\"gate\""));
    assert!(renderer.unwrap().page(&samples::created()).is_ok());
}

#[test]
fn a_broken_template_of_the_host_is_refused_at_start_with_file_and_line() {
    let (folder, renderer) = with_templates(&[("console/users.html", "<p>\n{% if %}")]);
    let text = renderer.unwrap_err().to_string();
    let file = folder.path().join("console/users.html");
    assert!(
        text.starts_with(&format!(
            "the template `{}` has a mistake in line 2: ",
            file.display()
        )),
        "{text}"
    );
}

#[test]
fn a_template_of_the_host_that_fails_on_its_data_names_itself_and_no_value() {
    let (folder, renderer) = with_templates(&[(
        "console/created.html",
        "<p>\n{{ secret.no.such }} {{ secret|int }}",
    )]);
    let renderer = renderer.unwrap();
    let error = renderer.page(&samples::created()).unwrap_err();
    let file = folder
        .path()
        .join("console/created.html")
        .display()
        .to_string();
    assert!(
        error.to_string().contains(&format!("in `{file}`, line 2")),
        "{error}"
    );
    let (_folder, renderer) = with_templates(&[("console/created.html", "{{ secret|int }}")]);
    let error = renderer.unwrap().page(&samples::created()).unwrap_err();
    assert!(
        !format!("{error} {error:?}").contains("harbor-velvet"),
        "{error:?}"
    );
}

#[test]
fn the_page_for_our_own_failures_survives_a_broken_template_of_the_host() {
    let (_folder, renderer) = with_templates(&[
        ("message.html", "{{ nothing }}"),
        ("layout.html", "{{ nothing }}"),
    ]);
    let html = renderer.unwrap().internal_error(Some("req-7"));
    assert!(html.contains("Something broke on our side") && html.contains("req-7"));
}

#[test]
fn a_template_that_never_ends_is_stopped() {
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
    let (_folder, renderer) = with_templates(&[("signed-out.html", endless)]);
    let error = renderer
        .unwrap()
        .page(&SignedOutView::default())
        .unwrap_err();
    assert!(error.to_string().contains("ran out of fuel"), "{error}");
}

#[test]
fn a_template_folder_that_is_missing_is_named() {
    let options = PageOptions {
        template_dir: Some("/nonexistent/pages".into()),
        ..PageOptions::default()
    };
    let text = Renderer::new(options).unwrap_err().to_string();
    assert!(
        text.starts_with("cannot read the template folder `/nonexistent/pages`: "),
        "{text}"
    );
}

#[test]
fn a_long_list_of_users_renders_within_the_fuel() {
    let users = samples::all()
        .into_iter()
        .find(|sample| sample.name == "users");
    let mut view = users.unwrap().view;
    let row = view["users"][0].clone();
    view["users"] = Value::Array(vec![row; 500]);
    renderer().render("console/users.html", view).unwrap();
}

#[test]
fn debug_output_of_a_view_holds_no_secret() {
    let shown = format!("{:?} {:?}", samples::created(), samples::sign_in_refused());
    for secret in [
        "harbor-velvet",
        "b2xkIGZyaWVuZA",
        "must not be shown",
        "0192f0c1",
    ] {
        assert!(!shown.contains(secret), "{secret}");
    }
}
