//! Applications on other hosts behind the proxies of `examples/forward-auth`: a real nginx and a real Caddy.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
};

use gatelodge_e2e::{
    browser::Browser,
    wait,
    world::{HOME, World},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// An application that signs nobody in: it shows which headers it got. Answers its port.
async fn application() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 16_384];
                let length = stream.read(&mut request).await.unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let told: String = request
                    .lines()
                    .filter(|line| line.to_ascii_lowercase().starts_with("remote"))
                    .map(|line| format!("<li>{}</li>", line.to_ascii_lowercase()))
                    .collect();
                let first = request.lines().next().unwrap_or_default();
                let page = format!(
                    "<!doctype html><meta charset=utf-8><title>Application</title><link rel=icon href=data:,>\
                     <h1>The application</h1><p>{first}</p><ul>{told}</ul>"
                );
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
                    page.len()
                );
                stream.write_all(answer.as_bytes()).await.ok();
            });
        }
    });
    port
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A proxy, stopped when it is dropped.
struct Proxy {
    child: Child,
    port: u16,
}

impl Proxy {
    async fn start(mut command: Command, port: u16, log: &Path) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; tests/run installs it"));
        let proxy = Self { child, port };
        let is_up = wait::holds_within(wait::PATIENCE, async || {
            TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        });
        let is_up = is_up.await;
        assert!(is_up, "{}", fs::read_to_string(log).unwrap());
        proxy
    }

    async fn nginx(world: &World, application: u16) -> Self {
        let port = free_port();
        let folder = world.place.temporary();
        let site = folder.join("site.conf");
        fs::write(&site, example("nginx.conf", world, [application, port])).unwrap();
        let all = folder.join("nginx.conf");
        let at = |name: &str| folder.join(name).display().to_string();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|name| format!("{name}_temp_path {};\n", at(name)))
            .collect();
        let text = format!(
            "daemon off;\nmaster_process off;\npid {};\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}include {};\n}}\n",
            at("nginx.pid"),
            site.display()
        );
        fs::write(&all, text).unwrap();
        let mut command = Command::new("/usr/sbin/nginx");
        command
            .args(["-e", "stderr", "-p"])
            .arg(&folder)
            .arg("-c")
            .arg(&all);
        Self::start(command, port, &folder.join("nginx.log")).await
    }

    async fn caddy(world: &World, application: u16) -> Self {
        let port = free_port();
        let folder = world.place.temporary();
        let file = folder.join("Caddyfile");
        let text = example("Caddyfile", world, [application, port]);
        // Its administration would listen on a fixed port.
        fs::write(&file, format!("{{\n\tadmin off\n}}\n{text}")).unwrap();
        let mut command = Command::new("caddy");
        command
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(&file);
        command
            .env("HOME", &folder)
            .env("XDG_DATA_HOME", &folder)
            .env("XDG_CONFIG_HOME", &folder);
        Self::start(command, port, &folder.join("caddy.log")).await
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A file of the example with this test's ports.
fn example(name: &str, world: &World, [application, port]: [u16; 2]) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/forward-auth");
    let text = fs::read_to_string(folder.join(name)).unwrap();
    let gatelodge = world.server.authority();
    let mut text = text
        .replace("127.0.0.1:3000", &format!("127.0.0.1:{application}"))
        .replace(
            "127.0.0.1:8080",
            &gatelodge.replace("localhost", "127.0.0.1"),
        );
    for fixed in ["8081", "8082"] {
        text = text.replace(fixed, &port.to_string());
    }
    text
}

async fn register(world: &World, audience: &str, origin: &str) {
    let new = json!({"name": audience, "audience": audience, "origins": [origin]});
    let path = format!("/api/v1/tenants/{HOME}/applications");
    world.administrator.post(&path, new).await.expect(201);
}

/// Opens a page of an application with the browser, signs in if `password` is there, and sees what it was told.
async fn visit(browser: &Browser, origin: &str, password: Option<&str>) {
    browser
        .goto_address(&format!("{origin}/pages/start?lang=en&to=%2Fa"))
        .await;
    if let Some(password) = password {
        browser.arrives_at("/sign-in").await;
        browser.fill("user_name", "ada").await;
        browser.fill("password", password).await;
        browser.send_form_of("password").await;
    }
    browser.arrives_at("/pages/start").await;
    browser.reads("GET /pages/start?lang=en&to=%2Fa").await;
    browser.reads("remote-user: ada").await;
    browser.reads(&format!("remote-tenant: {HOME}")).await;
}

/// What a program gets, with headers that it made up.
async fn call(origin: &str, port: u16, headers: &[(&str, &str)]) -> (u16, String, String) {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let host = origin.strip_prefix("http://").unwrap();
    let mut request = client
        .get(format!("http://127.0.0.1:{port}/pages/start"))
        .header("host", host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let location = answer
        .headers()
        .get("location")
        .and_then(|value| value.to_str().ok());
    let location = location.unwrap_or_default().to_owned();
    (status, location, answer.text().await.unwrap())
}

#[tokio::test]
async fn two_hosts_behind_nginx_and_caddy_share_one_sign_in() {
    let world = World::new().await;
    let password = world.user(HOME, "ada").await;
    let application = application().await;
    let (nginx, caddy) = (
        Proxy::nginx(&world, application).await,
        Proxy::caddy(&world, application).await,
    );
    let wiki = format!("http://wiki.localhost:{}", nginx.port);
    let notes = format!("http://notes.localhost:{}", caddy.port);
    register(&world, "wiki", &wiki).await;
    register(&world, "notes", &notes).await;

    let browser = world.browser().await.beside(&wiki).beside(&notes);
    visit(&browser, &wiki, Some(&password)).await;
    // The other one asks for nothing any more.
    visit(&browser, &notes, None).await;
    let mut passes = Vec::new();
    for origin in [&wiki, &notes] {
        browser.goto_address(&format!("{origin}/")).await;
        browser.reads("The application").await;
        let cookies = browser.cookies().await;
        let pass = cookies
            .iter()
            .find(|cookie| cookie.name == "gl-pass")
            .unwrap();
        world.place.secrets().keep(&pass.value);
        passes.push(format!("gl-pass={}", pass.value));
    }

    // What somebody makes up reaches no application, with a pass and without.
    let mine = [
        ("remote-user", "root"),
        ("Remote-Roles", "platform_administrator"),
        ("remote_user", "root"),
        ("remote-email", "root@example.org"),
    ];
    for (origin, port, pass) in [
        (&wiki, nginx.port, &passes[0]),
        (&notes, caddy.port, &passes[1]),
    ] {
        let (status, location, _) = call(origin, port, &mine).await;
        assert_eq!((status, location.as_str()), (401, ""), "{origin}");
        let page = [("accept", "text/html")];
        let (status, location, _) = call(origin, port, &page).await;
        assert_eq!(status, 303, "{origin}");
        assert!(location.starts_with(&world.server.at("/t/")), "{location}");
        let mut with_pass = mine.to_vec();
        with_pass.push(("cookie", pass));
        let (status, _, page) = call(origin, port, &with_pass).await;
        assert_eq!(status, 200, "{origin}");
        assert!(page.contains("remote-user: ada"), "{page}");
        for made_up in ["root", "platform_administrator"] {
            assert!(!page.contains(made_up), "{origin}: {page}");
        }
    }
    // One host's pass is worth nothing at the other.
    let stolen = [("cookie", passes[0].as_str())];
    assert_eq!(call(&notes, caddy.port, &stolen).await.0, 401);

    // Signing out there ends it everywhere.
    browser
        .goto_address(&format!("{notes}/.gatelodge/sign-out"))
        .await;
    browser.arrives_at("/sign-out").await;
    browser.press_named("Sign out").await;
    browser.reads("signed out").await;
    for origin in [&wiki, &notes] {
        browser.goto_address(&format!("{origin}/")).await;
        browser.arrives_at("/sign-in").await;
    }
    browser.close().await;
}
